import { AnswerProcess, describeStatus, SessionEnded, type Source } from './answer-process.ts'
import { ProcessEnded } from './code-process.ts'
import { sameOutput } from './compare-output.ts'
import type { CodeTest } from './ground-truth.ts'
import { type Limits, secondsInAll } from './limits.ts'
import type { Sandbox } from './sandbox.ts'
import type { Judgement, TestsProcess } from './tests-process.ts'

/** How grading an answer ended: `passed` all tests, else what the first failure was. */
type Outcome = 'passed' | 'wrong' | 'timeout' | 'crash' | 'syntax' | 'no code'

export interface Graded {
  passed: number
  tests: number
  outcome: Outcome
  reason?: string
  /** why a test had to be run in one process with the answer; absent where none had to */
  shared?: string
}

class TimeLimit extends Error {
  override readonly name = 'TimeLimit'
}

/**
 * Runs an answer against its tests, in a sandbox of its own.
 *
 * @param all keep on after a failure, to count what passes
 * @throws RowError, an Error where no sandbox starts, the signal's reason
 */
export async function gradeCode(
  source: Source,
  tests: readonly CodeTest[],
  {
    sandbox,
    testsProcess,
    limits,
    all,
    share = true,
    signal,
  }: {
    sandbox: Sandbox
    testsProcess: TestsProcess
    limits: Limits
    all: boolean
    /** run a test in one process with the answer where it needs that; true unless given */
    share?: boolean
    signal?: AbortSignal | undefined
  },
): Promise<Graded> {
  const end = performance.now() + 1000 * secondsInAll(limits, tests.length)
  const graded: Graded = { passed: 0, tests: tests.length, outcome: 'passed' }
  const fail = (outcome: Outcome, reason: string) => {
    if (graded.outcome === 'passed') Object.assign(graded, { outcome, reason })
  }
  let answer: AnswerProcess | undefined
  const stop = () => answer?.kill(signal!.reason)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    for (const [i, test] of tests.entries()) {
      if (!answer?.alive) {
        signal?.throwIfAborted()
        const started = await AnswerProcess.start(source, sandbox, limits)
        if (!(started instanceof AnswerProcess)) {
          fail(started.outcome, started.reason)
          break
        }
        answer = started
      }
      if (test.kind !== 'program') await testsProcess.prepare()
      signal?.throwIfAborted()
      const milliseconds = () => Math.min(1000 * limits.secondsPerTest, end - performance.now())
      let judgement = await judge(answer, milliseconds(), (ms) =>
        test.kind === 'program'
          ? judgeProgram(test, answer!)
          : converse(test, answer!, testsProcess, ms, source.language === 'python'),
      )
      if (judgement.shared && share) {
        const { shared: setup } = judgement
        graded.shared ??= judgement.reason ?? 'it needs to be'
        judgement = await judge(answer, milliseconds(), () => answer!.runShared(setup))
      } else if (judgement.shared)
        judgement.reason = `${judgement.reason}: it needs the answer in its own process, and code.shared is false`
      signal?.throwIfAborted()
      if (judgement.passed) {
        graded.passed++
        if (judgement.selfJudged) graded.reason ??= 'objects of the answer were compared by its own methods'
        continue
      }
      fail(judgement.outcome ?? 'wrong', `test ${i + 1} of ${tests.length}: ${judgement.reason}`)
      if (!all || performance.now() >= end) break
    }
  } finally {
    signal?.removeEventListener('abort', stop)
    answer?.kill(new Error('graded'))
  }
  return graded
}

type Judged = Judgement & { outcome?: Outcome }

/** One test, within its time. What the answer does can only make it fail. */
async function judge(
  answer: AnswerProcess,
  milliseconds: number,
  run: (milliseconds: number) => Promise<Judged>,
): Promise<Judged> {
  const late = new TimeLimit(`more than ${(milliseconds / 1000).toFixed(1)} s`)
  const timer = setTimeout(() => answer.kill(late), Math.max(0, milliseconds))
  try {
    return await run(milliseconds)
  } catch (error) {
    if (error === late) return { passed: false, outcome: 'timeout', reason: late.message }
    if (!(error instanceof SessionEnded) && !isOfProcess(error)) throw error
    return { passed: false, outcome: 'crash', reason: `the answer's process: ${(error as Error).message}` }
  } finally {
    clearTimeout(timer)
  }
}

function isOfProcess(error: unknown): boolean {
  return error instanceof ProcessEnded || ['ProtocolError', 'SyntaxError'].includes((error as Error).name)
}

async function judgeProgram({ input, output }: CodeTest & { kind: 'program' }, answer: AnswerProcess): Promise<Judged> {
  const { status, stdout, stderr } = await answer.run(input)
  if (status !== 0) {
    const said = stderr.trim().split('\n').at(-1)
    return {
      passed: false,
      outcome: 'crash',
      reason: `${describeStatus(status)}${said ? `: ${said.slice(0, 200)}` : ''}`,
    }
  }
  if (sameOutput(stdout, output)) return { passed: true }
  return { passed: false, reason: `printed ${short(stdout)}, not ${short(output)}` }
}

/** Carries questions of the tests to the answer, and replies back, until the tests have judged. */
async function converse(
  test: CodeTest,
  answer: AnswerProcess,
  tests: TestsProcess,
  milliseconds: number,
  mayShare: boolean,
): Promise<Judged> {
  const late = new TimeLimit(`more than ${(milliseconds / 1000).toFixed(1)} s`)
  const timer = setTimeout(() => tests.kill(late), Math.max(0, milliseconds) + GRACE)
  try {
    const names = await tests.begin(test, mayShare)
    if (!Array.isArray(names)) return names
    let reply = await answer.open(names)
    for (;;) {
      const next = await tests.reply(reply)
      if (!Buffer.isBuffer(next)) {
        await answer.end()
        return next
      }
      reply = await answer.ask(next)
    }
  } catch (error) {
    if (error === late) return { passed: false, outcome: 'timeout', reason: late.message }
    await tests.abandon()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Milliseconds that the tests have to notice that the answer is gone. */
const GRACE = 2000

function short(text: string): string {
  const trimmed = text.trim()
  return JSON.stringify(trimmed.length > 80 ? `${trimmed.slice(0, 77)}...` : trimmed)
}
