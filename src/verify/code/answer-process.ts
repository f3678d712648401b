import { randomBytes } from 'node:crypto'
import { type CodeProcess, ProcessEnded } from './code-process.ts'
import type { Language } from './extract-code.ts'
import { answerProgram, sharedProgram } from './harness.ts'
import { type Limits, resourceLimits } from './limits.ts'
import type { Sandbox } from './sandbox.ts'
import { seccompFilter } from './seccomp.ts'
import type { Judgement } from './tests-process.ts'
import { transpile } from './transpile.ts'

/** An answer, as it goes into its sandbox. */
export interface Source {
  language: Language
  code: string
  /** what runs before it */
  prefix: string
}

/** What one run of a program left behind. None of it is to be trusted. */
export interface ProgramRun {
  /** exit status, or minus the signal's number */
  status: number
  stdout: string
  /** its end */
  stderr: string
}

const FILTER = seccompFilter.bind(null, { processes: false })
const STARTUP_SECONDS = 60
/** By the clock, to compile an answer: a short text can take forever. */
const READING_SECONDS = 6
let program: string | undefined
let shared: string | undefined

/** An answer in a sandbox of its own. */
export class AnswerProcess {
  readonly #process: CodeProcess

  private constructor(process: CodeProcess) {
    this.#process = process
  }

  /**
   * @returns the answer, ready for its tests, or why there is none, as of its syntax
   * @throws Error where the sandbox itself does not start
   */
  static async start(
    source: Source,
    sandbox: Sandbox,
    limits: Limits,
  ): Promise<AnswerProcess | { reason: string; outcome: 'syntax' | 'crash' }> {
    program ??= answerProgram()
    if (source.language !== 'python') {
      const transpiled = await transpile(source.code, source.language)
      if ('syntax' in transpiled) return { reason: transpiled.syntax, outcome: 'syntax' }
      source = { ...source, code: transpiled.script }
    }
    // In JSON a byte takes up to six; a value's table a little more.
    const process = sandbox.start(program, 8 * limits.output)
    let timer = setTimeout(() => process.kill(new Error('no answer from the sandbox')), STARTUP_SECONDS * 1000)
    try {
      await process.receive()
    } catch (error) {
      const detail = error instanceof ProcessEnded ? `${error.message}: ${error.errors}` : (error as Error).message
      throw new Error(`the sandbox of a code answer did not start: ${detail}`, { cause: error })
    } finally {
      clearTimeout(timer)
    }
    timer = setTimeout(() => process.kill(new Error(`more than ${READING_SECONDS} s`)), READING_SECONDS * 1000)
    try {
      process.send(
        JSON.stringify({
          ...{ code: source.code, prefix: source.prefix, command: sandbox.commandFor(source.language, limits.memory) },
          modules: sandbox.python.modules,
          limits: resourceLimits(limits, source.language, sandbox.countsProcesses),
          filters: [FILTER().toString('base64')],
        }),
      )
      const first = JSON.parse((await process.receive()).toString())
      if (first.ready === true) return new AnswerProcess(process)
      process.kill(new Error('refused'))
      return { reason: String(first.syntax ?? 'not ready'), outcome: 'syntax' }
    } catch (error) {
      return { reason: `reading the answer: ${(error as Error).message}`, outcome: 'crash' }
    } finally {
      clearTimeout(timer)
    }
  }

  get alive(): boolean {
    return this.#process.alive
  }

  /** Runs the whole program once. @throws the reason of kill, ProcessEnded, ProtocolError */
  async run(stdin: string): Promise<ProgramRun> {
    this.#process.send(JSON.stringify({ op: 'run', stdin }))
    const { status, stdout, stderr } = JSON.parse((await this.#process.receive()).toString())
    return { status: Number(status), stdout: String(stdout), stderr: String(stderr) }
  }

  /**
   * Runs the answer and a test that needs it beside itself in one process.
   *
   * @param setup as the tests' process has read the test
   * @throws the reason of kill, ProcessEnded, ProtocolError
   */
  async runShared(setup: object): Promise<Judgement> {
    // Known to that process alone, and said only where all has passed: no text from before can hold it.
    const nonce = randomBytes(32).toString('hex')
    shared ??= sharedProgram()
    this.#process.send(JSON.stringify({ op: 'shared', program: shared, setup: { ...setup, nonce } }))
    const { status, said } = JSON.parse((await this.#process.receive()).toString())
    if (status === 0 && said === `${nonce}passed`) return { passed: true }
    if (status === 0 && said === `${nonce}judged`) return { passed: true, selfJudged: true }
    return { passed: false, reason: String(said).slice(0, 300) || `the answer's process: ${describeStatus(status)}` }
  }

  /** Opens a session: its functions by these names can be called until `end`. */
  async open(names: readonly string[]): Promise<Buffer> {
    return this.ask(JSON.stringify({ op: 'session', names }))
  }

  /** One question of the tests, and the answer's reply to it, neither of them read here. */
  async ask(question: Buffer | string): Promise<Buffer> {
    this.#process.send(question)
    const reply = await this.#process.receive()
    if (!reply.subarray(0, ENDED.length).equals(ENDED)) return reply
    throw new SessionEnded(Number(JSON.parse(reply.toString()).ended))
  }

  /** Closes a session that is open. */
  async end(): Promise<void> {
    try {
      await this.ask('{"op": "end"}')
      this.kill(new Error('a reply after the end'))
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error
    }
  }

  kill(reason: Error): void {
    this.#process.kill(reason)
  }
}

const ENDED = Buffer.from('{"ended"')

/** The process of a session has ended; the sandbox is still there. */
export class SessionEnded extends Error {
  override readonly name = 'SessionEnded'
  /** exit status, or minus the signal's number */
  readonly status: number

  constructor(status: number) {
    super(describeStatus(status))
    this.status = status
  }
}

const SIGNALS: Record<number, string> = {
  6: 'aborted',
  9: 'killed',
  11: 'crashed (segmentation fault)',
  24: 'more CPU time than the limit',
  25: 'more output than the limit',
}

/** How a process ended, in words. */
export function describeStatus(status: number): string {
  return status >= 0 ? `exit status ${status}` : (SIGNALS[-status] ?? `signal ${-status}`)
}
