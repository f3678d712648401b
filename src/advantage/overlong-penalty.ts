/**
 * What a response loses for its length (DAPO, section 3.4, soft overlong punishment): nothing up to
 * `maxResponseLength - overlongBuffer` tokens, then linearly more, up to `overlongPenalty` at `maxResponseLength`.
 *
 * @param length tokens of the response
 */
export function overlongPenalty(
  length: number,
  options: { maxResponseLength: number; overlongBuffer: number; overlongPenalty: number },
): number {
  const { maxResponseLength, overlongBuffer } = options
  if (overlongBuffer === 0) return 0
  const over = length - (maxResponseLength - overlongBuffer)
  return options.overlongPenalty * Math.min(1, Math.max(0, over / overlongBuffer))
}
