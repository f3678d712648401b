import type { Prompt } from '../data/prompt.ts'

/** One response to grade. */
export interface RewardSample {
  /** the response's text, special tokens left out */
  response: string
  /** the prompt's answer, as its row gave it */
  answer: unknown
  prompt: Prompt
  /** the response reached the length limit without a stop token */
  truncated: boolean
  /** of the response; undefined where it comes from a file */
  tokens?: number
}

/** What a response earned, and why. */
export interface Verdict {
  /** any finite number; 0 or 1 from the built-in verifiers alone */
  reward: number
  /** what accuracy counts */
  correct: boolean
  /** the answer that was found in the response */
  extracted?: string
  /** one line for the rollout record */
  reason?: string
  /** how grading ended where that was neither right nor wrong: `no answer`, `timeout`; counted in the metrics */
  outcome?: string
  /** the answer ran in one process with its tests, which could not be run apart: the verdict is harder to forge, not impossible */
  isolation?: 'shared'
}

/**
 * A reward as users write it. `true` is reward 1 and correct, `false` 0 and wrong; a bare number counts as correct from
 * 1 up. Return a `Verdict` to say both apart.
 */
export type RewardFunction = (sample: RewardSample) => number | boolean | Verdict | Promise<number | boolean | Verdict>

/** Grades responses. */
export interface Verifier {
  /** as the config names it: `math` or `./reward.ts#name` */
  readonly name: string
  /**
   * A bad response is a verdict, never an error.
   * @throws the signal's reason once it is aborted; an Error that names the verifier where its setting, the row's answer
   *   or a user's function is at fault
   */
  verify(sample: RewardSample, signal?: AbortSignal): Promise<Verdict>
  /** Whether two extracted answers are the same, where the verifier can tell more than their texts do. */
  sameAnswer?(a: string, b: string, signal?: AbortSignal): Promise<boolean>
  /**
   * The verifier of a prompt, where it depends on the prompt.
   * @throws Error that names the prompt where there is none for it
   */
  forPrompt?(prompt: Prompt): Verifier
  /** How the verdict on a sample comes about, in lines: what was extracted, how it was read, why it is equal or not. */
  explain?(sample: RewardSample): Promise<string[]>
}
