import type { Prompt } from '../data/prompt.ts'
import type { LocalEngine, SamplingOptions } from '../rollout/local-engine.ts'
import type { Sampled } from '../rollout/rollout.ts'
import { verifyGroup } from '../train/grade.ts'
import type { Verdict, Verifier } from '../verify/verifier.ts'
import { type EvaluationFigures, figureMetrics, figures, problemScore } from './figures.ts'

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
export interface EvaluationResult extends EvaluationFigures {
  name: string
  /** The same by the data source of the problems. */
  bySource: Record<string, EvaluationFigures>
  /** Every answer, in the order of the prompts. */
  answers: { sampled: Sampled; verdicts: Verdict[] }[]
}

// Keeps the random streams of an evaluation apart from those of any training step, which counts from 1.
const stream = 0

/** Answers and grades a set. The same seed draws the same random numbers, so that before and after compare well. */
export async function evaluate(
  engine: LocalEngine,
  verifier: Pick<Verifier, 'verify' | 'sameAnswer' | 'forPrompt'>,
  { name, prompts }: EvaluationSet,
  { seed, signal, onProgress, ...sampling }: EvaluationOptions,
): Promise<EvaluationResult> {
  const graded: Promise<EvaluationResult['answers'][number]>[] = []
  const onGroup = (sampled: Sampled, index: number) => {
    // As any test of a model: what was answered counts, wherever the response ended.
    graded[index] = verifyGroup(sampled, verifier, 'graded', signal).then((verdicts) => ({ sampled, verdicts }))
    // Where sampling fails nobody waits for the verdicts.
    graded[index].catch(() => {})
  }
  await engine.rollout(prompts, sampling, { seeds: [seed, stream], signal, onProgress, onGroup })
  const answers = await Promise.all(graded)
  const scores = await Promise.all(
    answers.map(({ sampled, verdicts }) => problemScore(sampled, verdicts, verifier, signal)),
  )
  const sources = [...new Set(prompts.map(({ source }) => source))]
  const bySource = sources.map((source) => [source, figures(scores.filter((score) => score.source === source))])
  return { name, ...figures(scores), bySource: Object.fromEntries(bySource), answers }
}

/** Its metrics, `eval/<set>/avg@8` and so on; those by source too where the set has several. */
export function evaluationMetrics(result: EvaluationResult): Record<string, number> {
  const area = `eval/${result.name}`
  const sources = Object.entries(result.bySource)
  return Object.assign(
    figureMetrics(area, result),
    ...(sources.length > 1 ? sources.map(([source, own]) => figureMetrics(`${area}/${source}`, own)) : []),
  )
}
