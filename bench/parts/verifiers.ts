/**
 * Code answers graded, each in a sandbox of its own, against the same without one: HumanEval's canonical solutions, and a
 * program with many tests. Two at a time.
 */

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Source } from '../../src/verify/code/answer-process.ts'
import { requireSandbox } from '../../src/verify/code/choose-sandbox.ts'
import { gradeCode } from '../../src/verify/code/grade-code.ts'
import { type CodeTest, readGroundTruth } from '../../src/verify/code/ground-truth.ts'
import { DEFAULT_LIMITS } from '../../src/verify/code/limits.ts'
import { Sandbox } from '../../src/verify/code/sandbox.ts'
import { Slots } from '../../src/verify/code/slots.ts'
import { TestsProcess } from '../../src/verify/code/tests-process.ts'
import type { Context, Part } from '../part.ts'
import { type Row, ratioOf } from '../row.ts'
import { median } from '../statistics.ts'

const WORKERS = 2
const REPETITIONS = 3

interface Work {
  name: string
  answers: { source: Source; tests: CodeTest[] }[]
}

export const verifiers: Part = {
  name: 'verifiers',
  about: 'code answers, in the sandbox and without',
  cases: {
    humaneval: (context) => compared(humanEval(), context),
    'many-tests': (context) => compared(manyTests(), context),
  },
}

async function compared(work: Work, { log }: Context): Promise<Row[]> {
  const sandbox = await requireSandbox(false)
  const none = new Sandbox('none', sandbox.python)
  const rates = { ours: [] as number[], peer: [] as number[] }
  for (let i = 0; i < REPETITIONS; i++) {
    rates.ours.push(await testsPerSecond(work, sandbox))
    rates.peer.push(await testsPerSecond(work, none))
    log(`${rates.ours.at(-1)!.toFixed(1)} and ${rates.peer.at(-1)!.toFixed(1)} tests/s`)
  }
  const [ours, peer] = [median(rates.ours), median(rates.peer)]
  const settings = { workers: WORKERS, repetitions: REPETITIONS, answers: work.answers.length }
  const names = { name: work.name, part: 'verifiers', peerName: 'no sandbox', unit: 'tests/s' }
  return [{ ...names, ours, peer, ratio: ratioOf(ours, peer, names.unit), settings }]
}

async function testsPerSecond({ answers }: Work, sandbox: Sandbox): Promise<number> {
  const slots = new Slots(WORKERS, () => new TestsProcess(sandbox, DEFAULT_LIMITS))
  const begun = performance.now()
  const graded = await Promise.all(
    answers.map(({ source, tests }) =>
      slots.use((testsProcess) =>
        gradeCode(source, tests, { sandbox, testsProcess, limits: DEFAULT_LIMITS, all: false }),
      ),
    ),
  )
  const seconds = (performance.now() - begun) / 1000
  const failed = graded.find(({ outcome }) => outcome !== 'passed')
  if (failed) throw new Error(`a right answer did not pass: ${failed.reason}`)
  return graded.reduce((sum, { tests }) => sum + tests, 0) / seconds
}

/** 164 answers, one check(candidate) each. */
function humanEval(): Work {
  const file = new URL('../../test/golden/humaneval/HumanEval.jsonl.gz', import.meta.url)
  const lines = gunzipSync(readFileSync(file)).toString().trim().split('\n')
  const answers = lines.map((line) => {
    const problem: Record<'prompt' | 'canonical_solution' | 'test' | 'entry_point', string> = JSON.parse(line)
    const { tests } = readGroundTruth({ test_code: problem.test, entry_point: problem.entry_point })
    return { source: python(problem.prompt + problem.canonical_solution), tests }
  })
  return { name: 'HumanEval, one test an answer', answers }
}

/** 8 answers of 100 tests by standard input and output. */
function manyTests(): Work {
  const numbers = Array.from({ length: 100 }, (_, i) => i)
  const truth = { inputs: numbers.map((n) => `${n} ${n}\n`), outputs: numbers.map((n) => `${2 * n}\n`) }
  const { tests } = readGroundTruth(truth)
  const source = python('a, b = map(int, input().split())\nprint(a + b)')
  return { name: 'a program, 100 tests an answer', answers: Array.from({ length: 8 }, () => ({ source, tests })) }
}

function python(code: string): Source {
  return { language: 'python', code, prefix: '' }
}
