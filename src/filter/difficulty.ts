import type { PassCount } from './pass-counts.ts'

/** Pass rates to keep, inclusive, in [0, 1]; without a bound all but those never solved, or always. */
export interface DifficultyBounds {
  minRate?: number | undefined
  maxRate?: number | undefined
}

/** Whether a prompt is neither too hard nor too easy to learn from (Skywork-OR1, section 6: not 0/N, not N/N). */
export function isWithin({ correct, samples }: PassCount, { minRate, maxRate }: DifficultyBounds): boolean {
  const rate = correct / samples
  return (
    (minRate === undefined ? correct > 0 : rate >= minRate) &&
    (maxRate === undefined ? correct < samples : rate <= maxRate)
  )
}

/** A row as it was, with what was counted. */
export function countedRow(row: Record<string, unknown>, count: PassCount): Record<string, unknown> {
  return {
    ...row,
    pass_rate: count.correct / count.samples,
    pass_count: count.correct,
    rollout_count: count.samples,
    truncated_count: count.truncated,
  }
}
