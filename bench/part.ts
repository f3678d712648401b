import type { Row } from './row.ts'

/** What a part gets to know of its run. */
export interface Context {
  /** a line of progress */
  log(line: string): void
  /** the Python that the peers run in; a reason where there is none */
  python(): Promise<string>
  /** the same for peers on a GPU */
  cudaPython(): Promise<string>
  /** a Hugging Face folder of SmolLM2-135M-Instruct, where one was given */
  model: string | undefined
  /** also what takes half an hour */
  full: boolean
  /** is removed at the end of the run */
  temporary(): Promise<string>
}

/** A part of the benchmark: its cases by name, each of which can be run alone. */
export interface Part {
  name: string
  /** one line, for --help */
  about: string
  cases: Record<string, (context: Context) => Promise<Row[]>>
}

/** What a case needs and this run has not; the case is left out and the reason printed. */
export class LeftOut extends Error {}
