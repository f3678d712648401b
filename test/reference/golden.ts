import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { LossOptions } from '../../src/index.ts'

export const architectures = ['llama', 'llama3-rope', 'qwen2-tied', 'qwen2-untied', 'qwen3'] as const

interface GoldenLoss {
  options: { temperature: number; eps_low: number; eps_high: number; alpha: number; beta: number }
  loss: number
  tokens: { logprobs: number[]; entropy: number[]; ratio: number[]; kl: number[] }[]
  grad_norm: number
  grad_norms: Record<string, number>
  grad_first8: Record<string, number[]>
}

interface Expected {
  sequences: number[][]
  prompt_lengths: number[]
  advantages: number[]
  old_logprobs: number[][]
  reference_logprobs: number[][]
  losses: GoldenLoss[]
  last_logits: number[][]
  greedy_20: number[][]
  adamw_step: {
    loss_index: number
    lr: number
    betas: [number, number]
    eps: number
    weight_decay: number
    max_grad_norm: number
    loss_after: number
    param_first8: Record<string, number[]>
  }
}

/** A loss option of the golden files: `mask` and `onPolicy` are of the batch, the rest are this package's options. */
interface LossVariant {
  options: { onPolicy?: boolean; mask?: boolean; entropyCoefficient?: number; klCoefficient?: number } & LossOptions
  loss: number
  clip_fraction: number
  grad_norm: number
  grad_norms: Record<string, number>
}

export interface PackedBatch {
  tokenIds: Int32Array
  offsets: Int32Array
  promptLengths: Int32Array
  advantages: Float32Array
}

/** Packs sequences of token ids one after another. */
export function packSequences(sequences: number[][], promptLengths: number[], advantages: number[]): PackedBatch {
  const offsets = new Int32Array(sequences.length + 1)
  for (const [s, sequence] of sequences.entries()) offsets[s + 1] = offsets[s]! + sequence.length
  return {
    tokenIds: Int32Array.from(sequences.flat()),
    offsets,
    promptLengths: Int32Array.from(promptLengths),
    advantages: Float32Array.from(advantages),
  }
}

/** The part of a batch that `score` takes. */
export function sequencesOf({ tokenIds, offsets, promptLengths }: PackedBatch) {
  return { tokenIds, offsets, promptLengths }
}

/** One folder of test/golden: the checkpoint, and what transformers computes on it in float64. */
export function loadGolden(name: (typeof architectures)[number]) {
  const url = new URL(`../golden/${name}/`, import.meta.url)
  const read = (file: string) => JSON.parse(readFileSync(new URL(file, url), 'utf8'))
  const expected: Expected = read('expected.json')
  const variants: { variants: LossVariant[]; sampler_logprobs: number[][] } = read('loss-options.json')
  const config: { vocab_size: number; architectures: [string] } = read('config.json')
  return {
    dir: fileURLToPath(url),
    vocabSize: config.vocab_size,
    architecture: config.architectures[0],
    expected,
    variants: variants.variants,
    samplerLogprobs: Float32Array.from(variants.sampler_logprobs.flat()),
    batch: packSequences(expected.sequences, expected.prompt_lengths, expected.advantages),
    oldLogprobs: Float32Array.from(expected.old_logprobs.flat()),
    referenceLogprobs: Float32Array.from(expected.reference_logprobs.flat()),
    greedy: greedyTokens(name, expected),
  }
}

const greedyCorrections: Record<string, Record<number, number[]>> = JSON.parse(
  readFileSync(new URL('./golden-greedy.json', import.meta.url), 'utf8'),
)

/**
 * 20 greedy tokens a prompt. Where the prompt holds token 0, `greedy_20` is what transformers gives when it takes that 0 for
 * padding: golden_greedy.py has the same by transformers with the whole prompt attended to.
 */
function greedyTokens(name: string, expected: Expected): number[][] {
  return expected.greedy_20.map((tokens, s) => {
    const prompt = expected.sequences[s]!.slice(0, expected.prompt_lengths[s]!)
    return prompt.includes(0) ? greedyCorrections[name]![s]! : tokens
  })
}

export type Golden = ReturnType<typeof loadGolden>

/** The options of a golden loss under the names of this package. */
export function lossOptions({ options }: GoldenLoss) {
  return {
    temperature: options.temperature,
    clipLow: options.eps_low,
    clipHigh: options.eps_high,
    entropyCoefficient: options.alpha,
    klCoefficient: options.beta,
  }
}

/** One value a response token, sequences one after another. */
export function flatTokens(loss: GoldenLoss, key: 'logprobs' | 'entropy' | 'ratio' | 'kl'): number[] {
  return loss.tokens.flatMap((sequence) => sequence[key])
}

/** Share of the response tokens where the clip decides the minimum: ratios below the interval, and above it. */
export function clipShares(loss: GoldenLoss, advantages: number[]): { low: number; high: number } {
  let low = 0
  let high = 0
  let tokens = 0
  for (const [s, { ratio }] of loss.tokens.entries()) {
    const advantage = advantages[s]!
    tokens += ratio.length
    for (const rho of ratio) {
      if (advantage < 0 && rho < 1 - loss.options.eps_low) low++
      if (advantage > 0 && rho > 1 + loss.options.eps_high) high++
    }
  }
  return { low: low / tokens, high: high / tokens }
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum / values.length
}

/** The batch and the options of one golden loss variant. */
export function variantCall(golden: Golden, { options: { onPolicy, mask, ...options } }: LossVariant) {
  const { expected } = golden
  const lengths = expected.sequences.map((sequence, s) => sequence.length - expected.prompt_lengths[s]!)
  const batch = {
    ...golden.batch,
    ...(!onPolicy && { oldLogprobs: golden.oldLogprobs }),
    ...(options.klCoefficient && { referenceLogprobs: golden.referenceLogprobs }),
    ...(options.importanceSamplingCap && { samplerLogprobs: golden.samplerLogprobs }),
    ...(mask && { lossMask: Float32Array.from(lengths.flatMap((n, s) => Array(n).fill(s === 1 ? 0 : 1))) }),
  }
  return { batch, options }
}
