import { groupAdvantages, isDegenerate } from '../advantage/group-advantage.ts'
import { overlongPenalty } from '../advantage/overlong-penalty.ts'
import type { Profile } from '../metrics/profile.ts'
import { isTruncated, type Rollout, type RolloutGroup, type Sampled } from '../rollout/rollout.ts'
import type { Stage } from '../stage/resolve-stages.ts'
import type { Verdict, Verifier } from '../verify/verifier.ts'

/**
 * Verifies the responses to a prompt and turns their rewards into advantages (Skywork-OR1, eq 2.5). A group whose
 * advantages are all zero is marked as rejected.
 */
export async function grade(
  group: Sampled,
  verifier: Pick<Verifier, 'verify'>,
  { truncation, advantage, maxResponseLength }: Pick<Stage, 'truncation' | 'advantage' | 'maxResponseLength'>,
  signal?: AbortSignal,
  profile?: Profile,
): Promise<RolloutGroup> {
  const verifySeconds: number[] = []
  const verify = () => verifyGroup(group, verifier, truncation.reward, signal, verifySeconds)
  const verdicts = await (profile ? profile.overlapping('verify group', verify, { prompt: group.prompt.id }) : verify())
  const rewards = verdicts.map(({ reward }, index) => {
    const { length } = group.rollouts[index]!.completionTokenIds
    return reward - overlongPenalty(length, { maxResponseLength, ...truncation })
  })
  const advantagesOf = () =>
    groupAdvantages(rewards, group.rollouts.map(isTruncated), {
      mask: truncation.advantageMask,
      divideByStd: advantage.divideByStd,
    })
  const advantages = profile ? profile.work('advantages', advantagesOf) : advantagesOf()
  return { ...group, verdicts, verifySeconds, rewards, advantages, rejected: isDegenerate(advantages) }
}

/** One verdict a response, in their order, and the seconds that each took into `seconds`. With `truncated` 'zero' a truncated response is not even looked at. */
export async function verifyGroup(
  { prompt, rollouts }: Sampled,
  verifier: Pick<Verifier, 'verify'>,
  truncated: 'zero' | 'graded',
  signal?: AbortSignal,
  seconds: number[] = [],
): Promise<Verdict[]> {
  return Promise.all(
    rollouts.map(async (rollout) => {
      if (isTruncated(rollout) && truncated === 'zero') return { reward: 0, correct: false, reason: 'truncated' }
      const { text: response, completionTokenIds } = rollout
      const sample = { response, answer: prompt.answer, prompt, truncated: isTruncated(rollout) }
      const begun = performance.now()
      const verdict = await verifier.verify({ ...sample, tokens: completionTokenIds.length }, signal)
      seconds.push((performance.now() - begun) / 1000)
      return verdict
    }),
  )
}

/** The responses that count in the loss and in the entropy: with a mask on truncated ones, not those. */
export function trainedRollouts(groups: readonly RolloutGroup[], { truncation }: Pick<Stage, 'truncation'>): Rollout[] {
  const masked = truncation.advantageMask !== 'none'
  return groups.flatMap(({ rollouts }) => rollouts.filter((rollout) => !masked || !isTruncated(rollout)))
}
