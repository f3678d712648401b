/** The small model of the scaling part, and what a training step of it should cost. */

export interface StepShape {
  vocabulary: number
  /** each prompt has `samples` responses */
  prompts: number
  samples: number
  promptTokens: number
  responseTokens: number
}

export const HIDDEN = 256
export const LAYERS = 4
export const INTERMEDIATE = 768
export const HEADS = 4
export const KEY_VALUE_HEADS = 2

/** Multiply-adds of forward and backward, a shared prompt once, the causal half of attention, the head on the responses. */
export function operations({ vocabulary, prompts, samples, promptTokens, responseTokens }: StepShape): number {
  const projections = HIDDEN * HIDDEN * (2 + (2 * KEY_VALUE_HEADS) / HEADS)
  const layer = projections + 3 * HIDDEN * INTERMEDIATE
  const responses = prompts * samples * responseTokens
  const tokens = prompts * promptTokens + responses
  const pairs = prompts * (promptTokens ** 2 / 2 + samples * (responseTokens * promptTokens + responseTokens ** 2 / 2))
  return 3 * (LAYERS * (tokens * layer + 2 * pairs * HIDDEN) + responses * HIDDEN * vocabulary)
}
