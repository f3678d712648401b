import type { EvaluationLine, RunFolder } from '../metrics/run-folder.ts'
import type { LocalEngine } from '../rollout/local-engine.ts'
import type { Verifier } from '../verify/verifier.ts'
import { type EvaluationOptions, type EvaluationResult, type EvaluationSet, evaluate } from './evaluate.ts'

/** The evaluations of a run: on which problems, how, and at which steps. */
export interface RunEvaluation extends Omit<EvaluationOptions, 'signal' | 'onProgress'> {
  sets: readonly EvaluationSet[]
  /** Steps between evaluations; 0: only before the first step and after the last. */
  every: number
}

/** Evaluates a policy as it trains, once a step, and remembers what it found. */
export class Evaluator {
  readonly #engine: LocalEngine
  readonly #verifier: Pick<Verifier, 'verify'>
  readonly #evaluation: RunEvaluation
  readonly #folder: RunFolder | undefined
  /** By step: correct responses and all responses, over all sets. */
  readonly #history = new Map<number, { accuracy: number; problems: number }[]>()

  constructor(
    engine: LocalEngine,
    verifier: Pick<Verifier, 'verify'>,
    evaluation: RunEvaluation,
    folder: RunFolder | undefined,
  ) {
    this.#engine = engine
    this.#verifier = verifier
    this.#evaluation = evaluation
    this.#folder = folder
  }

  /** Takes up what the run folder says of steps already done. */
  async resume(): Promise<void> {
    for (const line of (await this.#folder?.evaluations.read()) ?? []) this.#remember(line.step, line)
  }

  /** Before the first step and every so many; what comes after the last is for the caller to know. */
  isDue(step: number): boolean {
    const { every } = this.#evaluation
    return step === 0 || (every > 0 && step % every === 0)
  }

  /** Mean accuracy over all problems of all sets at a step, or undefined where there was no evaluation. */
  accuracyAt(step: number): number | undefined {
    const results = this.#history.get(step)
    const problems = results?.reduce((sum, result) => sum + result.problems, 0)
    return results && problems
      ? results.reduce((sum, { accuracy, problems: own }) => sum + accuracy * own, 0) / problems
      : undefined
  }

  /** One result a set; none where the step was evaluated already. */
  async run(
    step: number,
    signal?: AbortSignal,
    onProgress?: (progress: { tokens: number }) => void,
  ): Promise<EvaluationResult[]> {
    if (this.#history.has(step)) return []
    const { sets, every: _, ...options } = this.#evaluation
    const results: EvaluationResult[] = []
    for (const set of sets)
      results.push(await evaluate(this.#engine, this.#verifier, set, { ...options, signal, onProgress }))
    const lines = results.map(
      ({ answers: _answers, name, ...figures }): EvaluationLine => ({ step, set: name, ...figures }),
    )
    await this.#folder?.evaluations.append(...lines)
    for (const line of lines) this.#remember(step, line)
    return results
  }

  #remember(step: number, { accuracy, problems }: { accuracy: number; problems: number }): void {
    this.#history.set(step, [...(this.#history.get(step) ?? []), { accuracy, problems }])
  }
}
