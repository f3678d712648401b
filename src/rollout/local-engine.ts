import type { Prompt } from '../data/prompt.ts'
import type { Policy } from '../policy/policy.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Sampled } from './rollout.ts'
import { sampleSeed } from './sample-seed.ts'

/** How responses are drawn. */
export interface SamplingOptions {
  /** Responses a prompt. */
  samples: number
  maxResponseLength: number
  /** 0 is greedy. */
  temperature: number
  topP: number
  topK: number
  maxBatchSize: number
}

/** What one call draws, apart from how. */
export interface RolloutCall {
  /** Identifies the call's random streams, such as [seed, step]; prompt index and sample are added. */
  seeds: readonly number[]
  signal?: AbortSignal | undefined
  onProgress?: ((progress: { tokens: number; finished: number }) => void) | undefined
}

/** Samples with the weights that are trained: no weight sync, always on-policy. */
export class LocalEngine {
  readonly #policy: Pick<Policy, 'generate'>
  readonly #tokenizer: Pick<Tokenizer, 'decode' | 'stopTokenIds'>

  constructor(policy: Pick<Policy, 'generate'>, tokenizer: Pick<Tokenizer, 'decode' | 'stopTokenIds'>) {
    this.#policy = policy
    this.#tokenizer = tokenizer
  }

  /** `samples` responses to each of the prompts, in their order. */
  async rollout(prompts: readonly Prompt[], sampling: SamplingOptions, call: RolloutCall): Promise<Sampled[]> {
    const { samples, maxResponseLength, signal, onProgress, ...rest } = { ...sampling, ...call }
    const requests = prompts.map((prompt, index) => ({
      promptTokenIds: prompt.tokenIds,
      n: samples,
      seeds: BigUint64Array.from({ length: samples }, (_, sample) => sampleSeed(...call.seeds, index, sample)),
    }))
    const results = await this.#policy.generate(requests, {
      maxNewTokens: maxResponseLength,
      temperature: rest.temperature,
      topP: rest.topP,
      topK: rest.topK,
      maxBatchSize: rest.maxBatchSize,
      stopTokenIds: this.#tokenizer.stopTokenIds,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    })
    return results.map(({ completions }, index) => ({
      prompt: prompts[index]!,
      rollouts: completions.map((completion) => ({
        completionTokenIds: completion.tokenIds,
        sampledLogprobs: completion.logprobs,
        entropy: completion.entropy,
        finishReason: completion.finishReason,
        text: this.#tokenizer.decode(completion.tokenIds, { skipSpecialTokens: true }),
      })),
    }))
  }
}
