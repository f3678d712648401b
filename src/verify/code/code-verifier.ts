import { availableParallelism } from 'node:os'
import type { RewardSample, Verdict, Verifier } from '../verifier.ts'
import type { Source } from './answer-process.ts'
import { requireSandbox } from './choose-sandbox.ts'
import { extractCode } from './extract-code.ts'
import { type Graded, gradeCode } from './grade-code.ts'
import { type CodeTest, readGroundTruth } from './ground-truth.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { RowError } from './row-error.ts'
import type { Sandbox } from './sandbox.ts'
import { Slots } from './slots.ts'
import { TestsProcess } from './tests-process.ts'

export interface CodeVerifierOptions {
  /** `all` (default): 1 where every test passes, else 0; `share`: the part of the tests that pass */
  reward?: 'all' | 'share'
  /** answers graded at a time; as many as there are cores unless given */
  workers?: number
  limits?: Partial<Limits>
  /** grade tests that can't be run apart from the answer in one process with it; true unless given */
  shared?: boolean
  /** run answers without a sandbox where none works; false unless given */
  unsafe?: boolean
}

interface Worker {
  sandbox: Promise<Sandbox>
  tests?: TestsProcess
}

/**
 * Grades programs: the last fenced block of the response is run against the row's tests (Skywork-OR1, section 7), each
 * answer in a sandbox of its own. The verdict is not the answer's to give: tests and expected values are in a process
 * apart, and plain data is all that goes between the two. Tests that need more are run in one process with the answer,
 * and the verdict says so.
 */
export class CodeVerifier implements Verifier {
  readonly name = 'code'
  readonly #reward: 'all' | 'share'
  readonly #limits: Limits
  readonly #share: boolean
  readonly #slots: Slots<Worker>

  constructor({
    reward = 'all',
    workers = availableParallelism(),
    limits,
    shared = true,
    unsafe = false,
  }: CodeVerifierOptions = {}) {
    this.#reward = reward
    this.#share = shared
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#slots = new Slots(workers, () => ({ sandbox: requireSandbox(unsafe) }))
  }

  /** @throws Error that names the prompt where its ground truth is at fault; Error where no sandbox works */
  async verify({ response, answer, prompt }: RewardSample, signal?: AbortSignal): Promise<Verdict> {
    signal?.throwIfAborted()
    try {
      const truth = readGroundTruth(answer)
      const code = extractCode(response, truth.language)
      const graded: Graded =
        code === null
          ? { passed: 0, tests: truth.tests.length, outcome: 'no code', reason: `no fenced ${truth.language} block` }
          : await this.#slots.use((worker) => this.#grade({ ...truth, code }, truth.tests, worker, signal))
      const correct = graded.outcome === 'passed'
      return {
        reward: this.#reward === 'all' ? Number(correct) : graded.passed / graded.tests,
        correct,
        ...(code === null ? {} : { extracted: code }),
        ...reasonOf(graded),
        ...(correct || graded.outcome === 'wrong' ? {} : { outcome: graded.outcome }),
        ...(graded.shared === undefined ? {} : { isolation: 'shared' as const }),
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof RowError)) throw error
      throw new Error(`verifier code: the answer of prompt ${prompt.id} ${error.message}`, { cause: error })
    }
  }

  async #grade(source: Source, tests: CodeTest[], worker: Worker, signal: AbortSignal | undefined): Promise<Graded> {
    signal?.throwIfAborted()
    const sandbox = await worker.sandbox
    worker.tests ??= new TestsProcess(sandbox, this.#limits)
    const all = this.#reward === 'share'
    const how = { sandbox, testsProcess: worker.tests, limits: this.#limits, all, share: this.#share, signal }
    return gradeCode(source, tests, how)
  }
}

function reasonOf({ reason, shared }: Graded): { reason?: string } {
  const told = [
    ...(reason === undefined ? [] : [reason]),
    ...(shared === undefined ? [] : [`in one process with the tests, as ${shared}`]),
  ]
  return told.length === 0 ? {} : { reason: told.join('; ') }
}
