import type { CodeProcess } from './code-process.ts'
import type { CodeTest } from './ground-truth.ts'
import { testsProgram } from './harness.ts'
import type { Limits } from './limits.ts'
import { RowError } from './row-error.ts'
import type { Sandbox } from './sandbox.ts'

/** What the tests' process says about one test. */
export interface Judgement {
  passed: boolean
  reason?: string
  /** objects of the answer were compared by its own methods */
  selfJudged?: boolean
  /** not judged: the test needs the answer in its own process, with this for its setup; `reason` says why */
  shared?: object
}

let program: string | undefined

/** The process that holds tests and expected values, apart from the answer's. Lives for many answers; forks for each test. */
export class TestsProcess {
  readonly #sandbox: Sandbox
  readonly #limits: Limits
  #process: CodeProcess | undefined
  #busy = false

  constructor(sandbox: Sandbox, limits: Limits) {
    this.#sandbox = sandbox
    this.#limits = limits
  }

  /** Starts the process where it does not run, so that its start is not in a test's time. */
  async prepare(): Promise<void> {
    if (this.#process?.alive) return
    program ??= testsProgram()
    this.#process = this.#sandbox.start(program, 8 * this.#limits.output)
    await this.#process.receive()
  }

  /**
   * Begins a test.
   *
   * @param mayShare whether there is another way for a test that can't be run apart from the answer
   * @returns which names of the answer it needs, or that it can't
   * @throws RowError
   */
  async begin(test: CodeTest, mayShare: boolean): Promise<string[] | Judgement> {
    await this.prepare()
    const process = this.#process!
    process.ref()
    this.#busy = true
    process.send(JSON.stringify({ ...test, memory: this.#limits.memory, may_share: mayShare }))
    const first = JSON.parse((await process.receive()).toString())
    if (first.names) return first.names
    await process.receive()
    this.#rest()
    if (first.verdict?.shared) return first.verdict
    throw new RowError(first.verdict?.broken ?? first.verdict?.reason ?? 'it ended before it began')
  }

  /** Whether a test has begun that has not been judged. */
  get busy(): boolean {
    return this.#busy && this.#process?.alive === true
  }

  /** The answer of a test that has begun is gone: ends the test, whatever it does about it. */
  async abandon(): Promise<void> {
    if (this.busy && Buffer.isBuffer(await this.reply('{"gone": true}')))
      this.kill(new Error('it went on without an answer'))
  }

  /** Hands a reply of the answer on. @returns the next question to it, or the judgement */
  async reply(reply: Buffer | string): Promise<Buffer | Judgement> {
    const process = this.#process!
    process.send(reply)
    const next = await process.receive()
    if (next.subarray(0, ENDED.length).equals(ENDED)) {
      this.#rest()
      return CRASHED
    }
    if (!next.subarray(0, VERDICT.length).equals(VERDICT)) return next
    const { verdict } = JSON.parse(next.toString())
    const { ended } = JSON.parse((await process.receive()).toString())
    this.#rest()
    if (verdict.broken) throw new RowError(verdict.broken)
    return ended === 0 ? verdict : CRASHED
  }

  kill(reason: Error): void {
    this.#process?.kill(reason)
    this.#process = undefined
    this.#busy = false
  }

  /** Waits for the next test without keeping Node from its end. */
  #rest(): void {
    this.#busy = false
    this.#process?.unref()
  }
}

const CRASHED: Judgement = { passed: false, reason: "the tests' process crashed" }

const ENDED = Buffer.from('{"ended"')
const VERDICT = Buffer.from('{"verdict"')
