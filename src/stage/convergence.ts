import { ConfigError } from '../config/config-error.ts'
import { mean } from '../metrics/statistics.ts'
import type { Stage } from './resolve-stages.ts'

/**
 * Whether a metric still improves: the mean of its last `window` values against the mean of the `window` values before
 * them. Evaluations (`eval/...`) count where they were made.
 */
export class Convergence {
  readonly #until: NonNullable<Stage['until']>
  #values: number[] = []

  constructor(until: NonNullable<Stage['until']>) {
    this.#until = until
  }

  /** Metrics of a step or of an evaluation: those that do not have the metric tell nothing. */
  record(metrics: Readonly<Record<string, number>>): void {
    const { metric, window } = this.#until
    const value = metrics[metric]
    if (value !== undefined) this.#values = [...this.#values, value].slice(-2 * window)
  }

  get reached(): boolean {
    const { window, minImprovement } = this.#until
    if (this.#values.length < 2 * window) return false
    return mean(this.#values.slice(window)) - mean(this.#values.slice(0, window)) < minImprovement
  }

  state(): number[] {
    return [...this.#values]
  }

  restore(values: readonly number[]): void {
    this.#values = [...values]
  }
}

/**
 * Checks stages that end by a metric of an evaluation (`eval/...`), which would never end otherwise.
 *
 * @param evaluation what a run evaluates; `metrics` once an evaluation has told their names
 * @throws ConfigError where there are no such evaluations, or none has the metric
 */
export function requireEvaluationMetrics(
  stages: readonly Pick<Stage, 'until'>[],
  evaluation: { every: number; metrics?: readonly string[] } | undefined,
): void {
  for (const [index, { until }] of stages.entries()) {
    if (!until?.metric.startsWith('eval/')) continue
    const key = `'stages.${index}.until.metric': ${until.metric}`
    if (!evaluation) throw new ConfigError(`${key} is of an evaluation, and there is none: give evaluation.data`)
    if (evaluation.every === 0)
      throw new ConfigError(`${key} is of an evaluation, and there is none between steps: give evaluation.every`)
    if (evaluation.metrics?.includes(until.metric) === false)
      throw new ConfigError(
        `${key} is not among the metrics of the evaluations; expected one of ${evaluation.metrics.join(', ')}`,
      )
  }
}
