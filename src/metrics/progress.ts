import type { StepReport, TrainerProgress } from '../train/trainer.ts'
import type { Metrics } from './step-metrics.ts'

/** Where a progress line goes; process.stderr has this shape. */
export interface ProgressStream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** One line a step; on a terminal the line of the step under way is rewritten in place. */
export class ProgressLine {
  readonly #stream: ProgressStream
  readonly #steps: number
  readonly #terminal: boolean
  readonly #recent: number[] = []
  #open = false

  constructor(stream: ProgressStream, steps: number) {
    this.#stream = stream
    this.#steps = steps
    this.#terminal = stream.isTTY === true
  }

  /** Shows what the step under way is doing; nothing where the stream is no terminal. */
  progress({ step, phase, tokens }: TrainerProgress): void {
    if (!this.#terminal) return
    const detail = tokens === undefined ? phase : `${phase} ${tokens} tokens`
    const text = this.#steps === 0 ? detail : `step ${step}/${this.#steps} ${detail}`
    this.#stream.write(`\r\u001b[2K${text.slice(0, (this.#stream.columns ?? 80) - 1)}`)
    this.#open = true
  }

  step({ metrics }: StepReport): void {
    this.#recent.push(metrics['timing_s/step'] ?? 0)
    if (this.#recent.length > 10) this.#recent.shift()
    const seconds = this.#recent.reduce((sum, value) => sum + value, 0) / this.#recent.length
    const left = seconds * (this.#steps - metrics.step)
    this.line(`${stepText(metrics, this.#steps)}  ${duration(left)} left`)
  }

  /** A line of its own, after which the progress goes on. */
  line(text: string): void {
    this.#stream.write(`${this.#open ? '\r\u001b[2K' : ''}${text}\n`)
    this.#open = false
  }
}

/** What a step came to, on one line. */
function stepText(metrics: Metrics, steps: number): string {
  const value = (name: string, digits: number) => (metrics[name] ?? 0).toFixed(digits)
  const percent = (name: string) => `${Math.round((metrics[name] ?? 0) * 100)} %`
  return [
    `step ${String(metrics.step).padStart(String(steps).length)}/${steps}`,
    `reward ${value('reward/mean', 3)}`,
    `accuracy ${value('accuracy', 3)}`,
    `entropy ${value('actor/entropy', 3)}`,
    `coefficient ${value('actor/entropy_coefficient_applied', 4)}`,
    `kept ${percent('group/kept')}`,
    `length ${value('response_length/mean', 1)}`,
    `${value('timing_s/step', 1)} s`,
  ].join('  ')
}

/** `45 s`, `12 min` or `3 h 20 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
