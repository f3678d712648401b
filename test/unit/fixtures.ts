import type { Completion, GeneratePrompt, Policy, Scores, StepStats } from '../../src/policy/policy.ts'
import type { RolloutGroup } from '../../src/rollout/rollout.ts'

/** A graded group; log-probs of a response are -0.1, -0.2, ... and entropies ten times that, positive. */
export function group(parts: {
  prompt: number[]
  responses: number[][]
  advantages: number[]
  rewards?: number[]
  truncated?: boolean[]
}): RolloutGroup {
  const { responses, advantages, rewards = advantages.map((value) => (value > 0 ? 1 : 0)), truncated = [] } = parts
  return {
    prompt: {
      ...{ id: parts.prompt.join('-'), messages: [{ role: 'user', content: `prompt ${parts.prompt}` }] },
      ...{ tokenIds: Int32Array.from(parts.prompt), answer: '1', source: 'test', extra: {} },
    },
    rollouts: responses.map((tokens, index) => ({
      completionTokenIds: Int32Array.from(tokens),
      sampledLogprobs: Float32Array.from(tokens, (_, at) => -0.1 * (at + 1)),
      entropy: Float32Array.from(tokens, (_, at) => at + 1),
      finishReason: truncated[index] ? 'length' : 'stop',
      text: tokens.join(' '),
    })),
    rewards,
    verdicts: rewards.map((reward) => ({ reward, correct: reward === 1 })),
    advantages: Float64Array.from(advantages),
    rejected: advantages.every((value) => value === 0),
  }
}

/** What an update measured: zeros but for what is given. */
export function stats(given: Partial<StepStats>): StepStats {
  return {
    ...{ loss: 0, policyLoss: 0, entropy: 0, entropySampled: 0, kl: 0, clipFraction: 0, clipFractionLow: 0 },
    ...{ clipFractionHigh: 0, approxKl: 0, logprobDifferenceMean: 0, logprobDifferenceMax: 0, gradNorm: 0, tokens: 0 },
    ...{
      computedTokens: 0,
      microBatches: 1,
      skipped: false,
      seconds: 0,
      optimizerSeconds: 0,
      peakMemoryBytes: 0,
      activationBytes: 0,
      recomputedLayers: 0,
      memoryRetries: 0,
    },
    ...given,
  }
}

/** Log-probs and entropies that are all `value`, of one micro-batch. */
export function scores(tokens: number, value: number, memoryRetries = 0): Scores {
  const logprobs = new Float32Array(tokens).fill(value)
  return { logprobs, entropy: logprobs, microBatches: 1 + memoryRetries, activationBytes: 1024, memoryRetries }
}

/** A policy that gives these completions to a request, without computing anything. */
export function fakePolicy(
  completions: (request: GeneratePrompt, index: number) => Completion[],
): Pick<Policy, 'generate'> {
  return {
    async generate(requests, { onGroup }) {
      const groups = requests.map((request, index) => ({ completions: completions(request, index) }))
      for (const [prompt, group] of groups.entries()) onGroup?.({ prompt, ...group })
      return groups
    },
  }
}
