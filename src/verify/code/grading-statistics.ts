import type { Outcome } from './grade-code.ts'

/** What grading has come to. */
export class GradingStatistics {
  /** answers by how grading ended */
  readonly outcomes: Partial<Record<Outcome, number>> = {}
  #answers = 0
  #seconds = 0
  #slowest = 0

  add(outcome: Outcome, seconds: number): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
    this.#answers++
    this.#seconds += seconds
    this.#slowest = Math.max(this.#slowest, seconds)
  }

  /** Seconds from asking to verdict, waiting for a core included. */
  get latency(): { mean: number; max: number } {
    return { mean: this.#answers === 0 ? 0 : this.#seconds / this.#answers, max: this.#slowest }
  }
}
