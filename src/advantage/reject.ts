import { isDegenerate } from './group-advantage.ts'

/** What rejection needs to know of one group: one entry a response. */
export interface GroupOutcome {
  /** [M] whether the verifier called the response correct */
  correct: readonly boolean[]
  /** [M] */
  advantages: ArrayLike<number>
}

/** Shares of the groups of a step, each in [0, 1]. */
export interface GroupSummary {
  /** every response correct */
  solveAll: number
  /** no response correct */
  solveNone: number
  /** not rejected: some advantage differs from zero */
  kept: number
}

/**
 * How many groups carry a signal. A group whose advantages are all zero is rejected (Skywork-OR1, section 3.1): it adds
 * nothing to the policy term but would still weigh on the entropy term and the token count.
 *
 * Correctness and advantages are counted apart, since a shaped reward can split a group that is solved throughout.
 * No groups at all give zeros.
 */
export function summariseGroups(groups: readonly GroupOutcome[]): GroupSummary {
  const share = (test: (group: GroupOutcome) => boolean) => groups.filter(test).length / Math.max(groups.length, 1)
  return {
    solveAll: share(({ correct }) => correct.length > 0 && correct.every(Boolean)),
    solveNone: share(({ correct }) => !correct.some(Boolean)),
    kept: share(({ advantages }) => !isDegenerate(advantages)),
  }
}
