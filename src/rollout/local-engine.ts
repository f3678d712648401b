import type { Prompt } from '../data/prompt.ts'
import type { NativeGenerateStats } from '../native/generation-contract.ts'
import type { Completion, Policy } from '../policy/policy.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Rollout, Sampled } from './rollout.ts'
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
  /** Most memory of keys and values, bytes; 0, the default: half of what is free. */
  kvCacheBytes?: number
}

/** What one call draws, apart from how. */
export interface RolloutCall {
  /** Identifies the call's random streams, such as [seed, step]; prompt index and sample are added. */
  seeds: readonly number[]
  signal?: AbortSignal | undefined
  onProgress?: ((progress: { tokens: number; finished: number }) => void) | undefined
  /** Called with a group once its responses are all there, while others go on; always before the call resolves. */
  onGroup?: ((group: Sampled, index: number) => void) | undefined
  /** Called once, before the call resolves. */
  onStats?: ((stats: NativeGenerateStats) => void) | undefined
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
    const { samples, maxResponseLength, signal, onProgress, onGroup, onStats, ...rest } = { ...sampling, ...call }
    const requests = prompts.map((prompt, index) => ({
      promptTokenIds: prompt.tokenIds,
      n: samples,
      seeds: BigUint64Array.from({ length: samples }, (_, sample) => sampleSeed(...call.seeds, index, sample)),
    }))
    const groups: Sampled[] = []
    const add = (index: number, completions: readonly Completion[]) => {
      groups[index] = {
        prompt: prompts[index]!,
        rollouts: completions.map((completion) => this.#rolloutOf(completion)),
      }
      onGroup?.(groups[index], index)
    }
    await this.#policy.generate(requests, {
      maxNewTokens: maxResponseLength,
      temperature: rest.temperature,
      topP: rest.topP,
      topK: rest.topK,
      maxBatchSize: rest.maxBatchSize,
      kvCacheBytes: rest.kvCacheBytes,
      stopTokenIds: this.#tokenizer.stopTokenIds,
      onGroup: ({ prompt, completions }) => add(prompt, completions),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
      ...(onStats && { onStats }),
    })
    return groups
  }

  #rolloutOf({ tokenIds, logprobs, entropy, finishReason }: Completion): Rollout {
    const text = this.#tokenizer.decode(tokenIds, { skipSpecialTokens: true })
    return { completionTokenIds: tokenIds, sampledLogprobs: logprobs, entropy, finishReason, text }
  }
}
