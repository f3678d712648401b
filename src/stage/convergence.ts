import { ConfigError } from '../config/config-error.ts'
import { nearestKey } from '../config/nearest-key.ts'
import { mean } from '../metrics/statistics.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
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

  /** @throws ConfigError where steps have no such metric */
  record(metrics: Metrics): void {
    const { metric, window } = this.#until
    const value = metrics[metric]
    if (value === undefined) {
      if (metric.startsWith('eval/')) return
      const nearest = nearestKey(metric, Object.keys(metrics))
      throw new ConfigError(
        `'until.metric': expected a name of metrics.jsonl${nearest ? `, as '${nearest}'` : ''}; got '${metric}'`,
      )
    }
    this.#values = [...this.#values, value].slice(-2 * window)
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
