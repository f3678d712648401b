import test from 'ava'
import { bestSandbox } from '../../src/verify/code/choose-sandbox.ts'
import { gradeCode } from '../../src/verify/code/grade-code.ts'
import { readGroundTruth } from '../../src/verify/code/ground-truth.ts'
import { DEFAULT_LIMITS } from '../../src/verify/code/limits.ts'
import { Sandbox } from '../../src/verify/code/sandbox.ts'
import { TestsProcess } from '../../src/verify/code/tests-process.ts'
import { grader } from '../unit/code-answer.ts'
import { escapes, exhaustions, forgeries } from './hostile-programs.ts'

// no bubblewrap there
process.env.PATH = '/nonexistent'
const { sandbox, failures } = await bestSandbox()
if (!sandbox) console.warn(`no namespaces without bubblewrap here, so they are not tested:\n  ${failures.join('\n  ')}`)
const run = sandbox ? test.serial : test.serial.skip
const grade = grader({ limits: { secondsPerTest: 5 } })

run('without bubblewrap the namespaces are our own', async (t) => {
  t.is(sandbox!.isolation, 'unshare')
  t.regex(failures[0]!, /^bubblewrap with \/.*: bwrap is not on PATH$/)
  t.like(await grade('print(sum(map(int, input().split())))', { inputs: ['3 4'], outputs: ['7'] }), { reward: 1 })
  t.like(await grade('def f(x): return x + 34', { inputs: [[7]], outputs: [41], fn_name: 'f' }), { reward: 1 })
  const javascript = { inputs: [[7]], outputs: [41], fn_name: 'f', language: 'javascript' }
  t.like(await grade('const f = (x) => x + 34', javascript, 'js'), { reward: 1 })
})

run('and hold the same attacks', async (t) => {
  t.timeout(300_000)
  const few = ['fork bomb', 'kills all', 'stops its parent', 'memory at once', 'output']
  const attacks = [
    ...Object.entries({ ...escapes, ...forgeries }),
    ...Object.entries(exhaustions).filter(([name]) => few.includes(name)),
  ]
  const verdicts = await Promise.all(attacks.map(([, { code, truth }]) => grade(code, truth)))
  t.deepEqual(
    attacks.filter((_, i) => verdicts[i]!.reward !== 0).map(([name]) => name),
    [],
  )
})

run('with no isolation at all time and memory are still limited, and the verdict is not the answer’s', async (t) => {
  const none = new Sandbox('none', sandbox!.python)
  const limits = { ...DEFAULT_LIMITS, secondsPerTest: 5 }
  const testsProcess = new TestsProcess(none, limits)
  const verdict = (code: string, truth: object) => {
    const { language, prefix, tests } = readGroundTruth(truth)
    return gradeCode({ language, code, prefix }, tests, { sandbox: none, testsProcess, limits, all: false })
  }
  t.like(await verdict('print(7)', { inputs: ['3 4'], outputs: ['7'] }), { outcome: 'passed' })
  for (const name of ['fork bomb', 'memory at once', 'busy loop', 'output']) {
    t.not((await verdict(exhaustions[name]!.code, exhaustions[name]!.truth)).outcome, 'passed', name)
  }
  for (const name of ['equals everything', 'searches the memory', 'patches builtins']) {
    t.not((await verdict(forgeries[name]!.code, forgeries[name]!.truth)).outcome, 'passed', name)
  }
})
