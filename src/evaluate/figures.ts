import { mean } from '../metrics/statistics.ts'
import { isTruncated, type Sampled } from '../rollout/rollout.ts'
import type { Verdict, Verifier } from '../verify/verifier.ts'
import { majority } from './majority.ts'
import { passAtK, reportedKs } from './pass-at-k.ts'

/** What a set of problems, or those of one source, came to. */
export interface EvaluationFigures {
  problems: number
  /** Responses a problem: the k of avg@k and maj@k. */
  samples: number
  /** avg@k: share of correct responses over all samples of all problems, in [0, 1] */
  accuracy: number
  /** pass@k for k = 1, 2, 4, ... and `samples`: share of problems that k samples solve, unbiased, in [0, 1] */
  passAt: Record<number, number>
  /** maj@k: share of problems whose most frequent answer is right; null where the verifier extracts no answers */
  majority: number | null
  /** Mean tokens of a response. */
  meanLength: number
  /** Share of the responses that reached the limit without a stop token. */
  truncated: number
}

/** The same counts of one problem. */
export interface ProblemScore {
  source: string
  samples: number
  correct: number
  majority: number | undefined
  /** Mean tokens of a response. */
  length: number
  truncated: number
}

/** Counts the verdicts of one problem, and what its samples agree on. */
export async function problemScore(
  { prompt, rollouts }: Sampled,
  verdicts: readonly Verdict[],
  verifiers: Pick<Verifier, 'sameAnswer' | 'forPrompt'>,
  signal?: AbortSignal,
): Promise<ProblemScore> {
  const verifier = verifiers.forPrompt?.(prompt) ?? verifiers
  const agreed = await majority(verdicts, verifier.sameAnswer?.bind(verifier), signal)
  return {
    source: prompt.source,
    samples: rollouts.length,
    correct: verdicts.filter(({ correct }) => correct).length,
    // A verifier that compares answers extracts them: where none was found, none is right.
    majority: agreed ?? (verifier.sameAnswer ? 0 : undefined),
    length: mean(rollouts.map(({ completionTokenIds }) => completionTokenIds.length)),
    truncated: rollouts.filter(isTruncated).length,
  }
}

/** Means over problems that all have as many samples. */
export function figures(scores: readonly ProblemScore[]): EvaluationFigures {
  const samples = scores[0]?.samples ?? 0
  const passAt = reportedKs(samples).map((k) => [k, mean(scores.map(({ correct }) => passAtK(samples, correct, k)))])
  return {
    problems: scores.length,
    samples,
    accuracy: mean(scores.map(({ correct }) => correct / samples)),
    passAt: Object.fromEntries(passAt),
    majority: scores.some((score) => score.majority !== undefined)
      ? mean(scores.map((score) => score.majority ?? 0))
      : null,
    meanLength: mean(scores.map(({ length }) => length)),
    truncated: mean(scores.map(({ truncated }) => truncated / samples)),
  }
}

/** `<area>/avg@8`, `<area>/pass@4`, `<area>/maj@8`, `<area>/response_length`, `<area>/truncated`. */
export function figureMetrics(area: string, found: EvaluationFigures): Record<string, number> {
  const passes = Object.entries(found.passAt).map(([k, value]) => [`${area}/pass@${k}`, value])
  return {
    [`${area}/avg@${found.samples}`]: found.accuracy,
    ...Object.fromEntries(passes),
    ...(found.majority !== null && { [`${area}/maj@${found.samples}`]: found.majority }),
    [`${area}/response_length`]: found.meanLength,
    [`${area}/truncated`]: found.truncated,
  }
}
