import type { Prompt } from '../data/prompt.ts'
import { mean, share } from '../metrics/statistics.ts'
import type { LocalEngine, SamplingOptions } from '../rollout/local-engine.ts'
import { isTruncated, type Sampled } from '../rollout/rollout.ts'
import { verifyGroup } from '../train/grade.ts'
import type { Verdict, Verifier } from '../verify/verifier.ts'

/** Problems to evaluate on, under the name that the metrics show. */
export interface EvaluationSet {
  name: string
  prompts: readonly Prompt[]
}

/** How problems are answered; `samples` is the k of avg@k. */
export type EvaluationOptions = SamplingOptions & {
  /** Apart from the seed of the training, so that neither disturbs the other. */
  seed: number
  signal?: AbortSignal | undefined
  onProgress?: ((progress: { tokens: number; finished: number }) => void) | undefined
}

/** What an evaluation found on one set. */
export interface EvaluationResult {
  name: string
  problems: number
  samples: number
  /** avg@k: share of correct responses over all samples of all problems, in [0, 1] */
  accuracy: number
  /** pass@k: share of problems with at least one correct response among the k samples */
  passed: number
  /** Mean tokens of a response. */
  meanLength: number
  /** Share of the responses that reached the limit without a stop token. */
  truncated: number
  /** Every answer, in the order of the prompts. */
  answers: { sampled: Sampled; verdicts: Verdict[] }[]
}

// Keeps the random streams of an evaluation apart from those of any training step, which counts from 1.
const stream = 0

/** avg@k over a set. The same seed draws the same random numbers, so that before and after compare well. */
export async function evaluate(
  engine: LocalEngine,
  verifier: Pick<Verifier, 'verify'>,
  { name, prompts }: EvaluationSet,
  { seed, signal, onProgress, ...sampling }: EvaluationOptions,
): Promise<EvaluationResult> {
  const sampled = await engine.rollout(prompts, sampling, { seeds: [seed, stream], signal, onProgress })
  const answers = await Promise.all(
    sampled.map(async (group) => ({
      sampled: group,
      // As any test of a model: what was answered counts, wherever the response ended.
      verdicts: await verifyGroup(group, verifier, 'graded', signal),
    })),
  )
  const verdicts = answers.flatMap((answer) => answer.verdicts)
  const rollouts = sampled.flatMap((group) => group.rollouts)
  return {
    name,
    problems: prompts.length,
    samples: sampling.samples,
    accuracy: share(verdicts, ({ correct }) => correct),
    passed: share(answers, (answer) => answer.verdicts.some(({ correct }) => correct)),
    meanLength: mean(rollouts.map(({ completionTokenIds }) => completionTokenIds.length)),
    truncated: share(rollouts, isTruncated),
    answers,
  }
}

/** Its metrics, `eval/<set>/avg@8` and so on. */
export function evaluationMetrics(result: EvaluationResult): Record<string, number> {
  const area = `eval/${result.name}`
  return {
    [`${area}/avg@${result.samples}`]: result.accuracy,
    [`${area}/pass@${result.samples}`]: result.passed,
    [`${area}/response_length`]: result.meanLength,
    [`${area}/truncated`]: result.truncated,
  }
}
