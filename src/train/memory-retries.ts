import type { StepStats } from '../policy/policy.ts'

/** Tells of a call that had to go on with smaller micro-batches because memory ran out. */
export function warnOfMemoryRetries(
  call: 'an update' | 'scoring',
  {
    memoryRetries,
    microBatches,
    activationBytes,
  }: Pick<StepStats, 'memoryRetries' | 'microBatches' | 'activationBytes'>,
  onWarning: ((text: string) => void) | undefined,
): void {
  if (memoryRetries > 0)
    onWarning?.(
      `memory ran out ${memoryRetries} times in ${call}: it went on in ${microBatches} micro-batches of up to ${activationBytes} bytes, and so will those that follow; set activationBytes to that or less`,
    )
}
