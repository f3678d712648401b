import { type EvaluationResult, evaluationMetrics } from '../evaluate/evaluate.ts'
import type { Evaluator } from '../evaluate/evaluator.ts'
import type { RunFolder } from '../metrics/run-folder.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
import type { Stopwatch } from '../metrics/stopwatch.ts'
import { requireEvaluationMetrics } from '../stage/convergence.ts'
import { isAbort } from './abort.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { RunPosition } from './run-position.ts'
import type { StepReport, TrainerOptions } from './trainer-options.ts'

/** What follows a step whose updates are done: its evaluation, its records and its checkpoint. */
export class StepRecorder {
  readonly #position: RunPosition
  readonly #evaluator: Evaluator | undefined
  readonly #folder: RunFolder | undefined
  readonly #checkpointer: Checkpointer | undefined
  readonly #options: Pick<TrainerOptions, 'evaluation' | 'onProgress'>

  constructor(parts: {
    position: RunPosition
    evaluator: Evaluator | undefined
    folder: RunFolder | undefined
    checkpointer: Checkpointer | undefined
    options: Pick<TrainerOptions, 'evaluation' | 'onProgress'>
  }) {
    this.#position = parts.position
    this.#evaluator = parts.evaluator
    this.#folder = parts.folder
    this.#checkpointer = parts.checkpointer
    this.#options = parts.options
  }

  /**
   * Evaluates the step where that is due and writes what is known of it. Its checkpoint is written while the run goes on;
   * nothing that stops the evaluation undoes the step.
   *
   * @param finish the metrics that are known once all else is done
   * @param recorded called once the records are durable, before an error of the evaluation is thrown
   */
  async record(
    report: StepReport,
    { clock, seconds, signal }: { clock: Stopwatch; seconds: () => number; signal: AbortSignal | undefined },
    finish: () => Record<string, number>,
    recorded: () => void,
  ): Promise<void> {
    const { step, groups, transition } = report
    const folder = this.#folder
    let failed: { error: unknown } | undefined
    report.evaluations = await clock
      .time('evaluate', () => this.#evaluate(step, signal))
      .catch((error) => {
        if (!isAbort(error, signal)) failed = { error }
        return []
      })
    const due = this.#position.done || this.#checkpointer?.isDue(step)
    const checkpoint = due ? await clock.time('checkpoint', () => this.#prepare(step, seconds())) : undefined

    const line: Metrics = Object.assign(report.metrics, ...report.evaluations.map(evaluationMetrics), finish())
    // The line is durable before the checkpoint exists, so that a run resumed from it has every line up to it.
    if (transition) await folder?.stages.append(transition)
    await folder?.writeRollouts(step, groups)
    await folder?.metrics.append(line)
    checkpoint?.write()
    recorded()
    if (failed) throw failed.error
  }

  /** The evaluation that the last step lacks, where it was stopped in it; its metrics join those of the step. */
  async evaluateAgain(step: number, signal: AbortSignal | undefined): Promise<void> {
    const results = await this.#evaluate(step, signal)
    if (results.length > 0) await this.#folder?.addToStep(step, Object.assign({}, ...results.map(evaluationMetrics)))
  }

  /** Saves a completed step, unless it is saved. */
  async save(step: number, seconds: number): Promise<void> {
    await this.#checkpointer?.written()
    if (!this.#checkpointer || step <= this.#checkpointer.savedStep) return
    const checkpoint = await this.#prepare(step, seconds)
    checkpoint?.write()
    await this.#checkpointer.written()
  }

  #prepare(step: number, seconds: number): ReturnType<Checkpointer['prepare']> | undefined {
    this.#options.onProgress?.({ step, phase: 'checkpoint' })
    const evaluated = this.#evaluator?.accuracyAt(step) !== undefined
    return this.#checkpointer?.prepare({ step, evaluated, ...this.#position.state(), seconds })
  }

  async #evaluate(step: number, signal: AbortSignal | undefined): Promise<EvaluationResult[]> {
    if (!this.#evaluator || !(this.#evaluator.isDue(step) || this.#position.done)) return []
    const results = await this.#evaluator.run(step, signal, ({ tokens }) =>
      this.#options.onProgress?.({ step, phase: 'evaluate', tokens }),
    )
    if (results.length > 0) {
      const metrics: Record<string, number> = Object.assign({}, ...results.map(evaluationMetrics))
      const { every } = this.#options.evaluation!
      requireEvaluationMetrics(this.#position.stages, { every, metrics: Object.keys(metrics) })
      if (step > 0) this.#position.recordEvaluation(metrics)
    }
    return results
  }
}
