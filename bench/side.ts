import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { sideEnvironment } from './environment.ts'

/** One repetition of one side. */
export interface Repetition {
  seconds: number
  /** what else the side measured */
  [figure: string]: number
}

/** Peak resident memory of a side, bytes. */
export interface SideMemory {
  /** above what it held before its model or inputs were there */
  extra: number
  /** in all */
  peak: number
}

/**
 * One side of a comparison in a process of its own, which is told to repeat its work. They talk in JSON lines: the job
 * and requests come by its standard input, answers go out by its file descriptor 3, so that what a library prints
 * disturbs nobody. Held by `await using`, it ends with its comparison, also where the other side does not start: as long
 * as one side is there, the benchmark does not end.
 */
export class Side implements AsyncDisposable {
  readonly #name: string
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>
  /** What the side says of itself once it is ready, such as its versions. */
  facts: Record<string, unknown> = {}

  private constructor(name: string, command: string, args: readonly string[]) {
    this.#name = name
    // fd 1 of the side is our standard error: standard output is the table's
    this.#process = spawn(command, args, { stdio: ['pipe', 2, 2, 'pipe'], env: sideEnvironment() })
    this.#process.stdin!.on('error', () => {})
    this.#process.on('error', () => {})
    this.#answers = createInterface({ input: this.#process.stdio[3] as Readable })[Symbol.asyncIterator]()
  }

  /** Starts a module of bench/sides (.ts) or a script of bench/peers (.py, with the interpreter `python`) on a job. */
  static async start(module: string, job: object, python?: string): Promise<Side> {
    const path = fileURLToPath(new URL(module, import.meta.url))
    const [command, args] = python ? [python, [path]] : [process.execPath, ['--import=tsx', '--expose-gc', path]]
    const side = new Side(basename(module), command, args)
    try {
      side.facts = await side.#ask(job)
    } catch (error) {
      await side[Symbol.asyncDispose]()
      throw error
    }
    return side
  }

  /** One repetition. */
  async run(): Promise<Repetition> {
    return (await this.#ask({ request: 'run' })) as Repetition
  }

  async memory(): Promise<SideMemory> {
    const { start, peak } = (await this.#ask({ request: 'memory' })) as { start: number; peak: number }
    return { extra: Math.max(0, peak - start), peak }
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode, pid } = this.#process
    if (exitCode !== null || signalCode !== null || pid === undefined) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }

  async #ask(request: object): Promise<Record<string, unknown>> {
    this.#process.stdin!.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`${this.#name} ended before it answered; what it printed stands above`)
    return JSON.parse(value) as Record<string, unknown>
  }
}
