/** Which responses of a group truncation takes out (Skywork-OR1, section 3.2.3). */
export type AdvantageMask = 'none' | 'before' | 'after'

export interface GroupAdvantageOptions {
  /**
   * `none`: truncated responses are like any other. `before`: mean and standard deviation over the others, advantage
   * 0 for the truncated. `after`: mean and standard deviation over all, advantage 0 for the truncated.
   */
  mask: AdvantageMask
  /** false: the centred reward itself, without the division (Dr. GRPO). */
  divideByStd: boolean
}

const EPSILON = 1e-6

/**
 * Group-relative advantages of the M responses to one prompt, Skywork-OR1, eq 2.5:
 * `(r - mean(r)) / (std(r) + 1e-6)` with the sample standard deviation (n - 1). One value a response, which every token
 * of the response shares.
 *
 * Fewer than two usable responses, or equal rewards, give zeros exactly, whatever rounding would make of them.
 *
 * @param rewards [M] finite rewards
 * @param truncated [M] true where the response ended without a stop token
 * @returns [M]
 * @throws RangeError when the lengths differ, the group is empty or a reward is not finite
 */
export function groupAdvantages(
  rewards: readonly number[],
  truncated: readonly boolean[],
  { mask, divideByStd }: GroupAdvantageOptions,
): Float64Array {
  checkGroup(rewards, truncated)
  const advantages = new Float64Array(rewards.length)
  const usable = mask === 'before' ? rewards.filter((_, i) => !truncated[i]) : rewards
  if (usable.length < 2 || usable.every((reward) => reward === usable[0])) return advantages

  const mean = usable.reduce((sum, reward) => sum + reward, 0) / usable.length
  const squares = usable.reduce((sum, reward) => sum + (reward - mean) ** 2, 0)
  const scale = divideByStd ? Math.sqrt(squares / (usable.length - 1)) + EPSILON : 1
  if (!Number.isFinite(mean) || !Number.isFinite(scale)) {
    throw new RangeError(`rewards [${rewards.join(', ')}] are too large for their mean and spread: scale them down`)
  }
  for (const [i, reward] of rewards.entries()) {
    if (mask === 'none' || !truncated[i]) advantages[i] = (reward - mean) / scale
  }
  return advantages
}

/** True where every advantage is zero: the group says nothing about which response is better and is rejected. */
export function isDegenerate(advantages: ArrayLike<number>): boolean {
  for (let i = 0; i < advantages.length; i++) if (advantages[i] !== 0) return false
  return true
}

function checkGroup(rewards: readonly number[], truncated: readonly boolean[]): void {
  if (rewards.length === 0) throw new RangeError('rewards is empty: a group has at least one response')
  if (rewards.length !== truncated.length) {
    throw new RangeError(
      `rewards has ${rewards.length} values but truncated has ${truncated.length}: give one a response`,
    )
  }
  for (const [i, reward] of rewards.entries()) {
    if (!Number.isFinite(reward)) {
      throw new RangeError(`rewards[${i}] is ${reward}: a reward must be a finite number`)
    }
  }
}
