import type { NativeGenerateStats } from '../native/generation-contract.ts'

/** What the rollouts of a step did with prompts and the KV cache: one call, or with refilling several. */
export class RolloutCounts {
  #computed = 0
  #shared = 0
  #preemptions = 0
  #peak = 0

  add(stats: NativeGenerateStats): void {
    this.#computed += stats.computedPromptTokens
    this.#shared += stats.sharedPromptTokens
    this.#preemptions += stats.preemptions
    this.#peak = Math.max(this.#peak, stats.peakCacheTokens)
  }

  metrics(): Record<string, number> {
    return {
      'rollout/prompt_tokens_computed': this.#computed,
      'rollout/prompt_tokens_shared': this.#shared,
      'rollout/preemptions': this.#preemptions,
      'rollout/cache_tokens_peak': this.#peak,
    }
  }
}
