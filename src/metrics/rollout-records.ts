import type { RolloutGroup } from '../rollout/rollout.ts'
import type { Verdict } from '../verify/verifier.ts'
import { mean } from './statistics.ts'

/** One response of a step, as a line of rollouts/step-000001.jsonl. */
export interface RolloutLine {
  step: number
  promptId: string
  /** Index of the response in its group. */
  sample: number
  source: string
  /** The chat messages of the prompt. */
  prompt: { role: string; content: string }[]
  response: string
  answer: unknown
  reward: number
  verdict: Verdict
  advantage: number
  /** The group taught nothing and was left out of the update. */
  rejected: boolean
  finishReason: 'stop' | 'length'
  promptLength: number
  responseLength: number
  /** Mean log-prob of the sampled tokens, nats. */
  logprobMean: number
  /** Mean full-vocabulary entropy of the tokens, nats. */
  entropyMean: number
}

/** Every response of a step, group by group. */
export function rolloutLines(step: number, groups: readonly RolloutGroup[]): RolloutLine[] {
  return groups.flatMap(({ prompt, rollouts, rewards, verdicts, advantages, rejected }) =>
    rollouts.map((rollout, sample) => ({
      step,
      promptId: prompt.id,
      sample,
      source: prompt.source,
      prompt: prompt.messages,
      response: rollout.text,
      answer: prompt.answer,
      reward: rewards[sample]!,
      verdict: verdicts[sample]!,
      advantage: advantages[sample]!,
      rejected,
      finishReason: rollout.finishReason,
      promptLength: prompt.tokenIds.length,
      responseLength: rollout.completionTokenIds.length,
      logprobMean: mean(rollout.sampledLogprobs),
      entropyMean: mean(rollout.entropy),
    })),
  )
}
