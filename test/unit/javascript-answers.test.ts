import test from 'ava'
import { grader, sandboxWorks } from './code-answer.ts'

const run = (await sandboxWorks()) ? test : test.skip
const grade = grader()
const sum = { inputs: ['3 4\n'], outputs: ['7\n'], language: 'javascript' }
const call = (language: string, input: unknown[], output: unknown) => ({
  inputs: [input],
  outputs: [output],
  fn_name: 'f',
  language,
})

run('programs in JavaScript', async (t) => {
  const programs = [
    "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number)\nconsole.log(a + b)",
    "import { readFileSync } from 'fs'\nconst [a, b] = readFileSync('/dev/stdin', 'utf8').split(' ').map(Number)\nconsole.log(a + b)",
    "const rl = require('readline').createInterface({ input: process.stdin })\nrl.on('line', (line) => { const [a, b] = line.split(' ').map(Number); console.log(a + b) })",
    "process.stdin.on('data', (d) => { process.stdout.write(String(d.toString().split(' ').reduce((a, b) => +a + +b))) })",
  ]
  for (const code of programs) t.like(await grade(code, sum, 'js'), { reward: 1 }, code)
  t.like(await grade('console.log(8)', sum, 'javascript'), { reward: 0, reason: 'test 1 of 1: printed "8", not "7"' })
  t.like(await grade('console.log(', sum, 'js'), { reward: 0, reason: 'SyntaxError: Unexpected end of file (line 1)' })
  t.like(await grade('print(7)', sum), { reward: 0, reason: 'no fenced javascript block' })
})

run('functions in JavaScript and TypeScript', async (t) => {
  t.like(await grade('const f = (a, b) => a + b', call('javascript', [3, 4], 7), 'js'), { reward: 1 })
  t.like(
    await grade(
      'async function f(a) { return { sum: a.reduce((x, y) => x + y, 0), all: [...a] } }',
      call('javascript', [[1, 2]], { sum: 3, all: [1, 2] }),
      'js',
    ),
    { reward: 1 },
  )
  t.like(
    await grade('class Solution { f(a: number[]): number { return a.length } }', call('typescript', [[1, 2]], 2), 'ts'),
    { reward: 1 },
  )
  t.like(
    await grade(
      'export function f<T extends string>(a: T): string | null { return a === "" ? null : a }',
      call('typescript', [''], null),
      'ts',
    ),
    { reward: 1 },
  )
  t.like(await grade('function f(a) { return a + "" }', call('javascript', [7], 7), 'js'), { reward: 0 })
  t.like(await grade('function f(a) { throw new RangeError("no") }', call('javascript', [7], 7), 'js'), {
    reward: 0,
    reason: 'test 1 of 1: ValueError: no',
  })
  t.like(await grade('function g() {}', call('javascript', [7], 7), 'js'), {
    reward: 0,
    reason: 'test 1 of 1: the answer defines no f',
  })
})

run('attacks in JavaScript earn nothing', async (t) => {
  const quick = grader({ limits: { secondsPerTest: 5, memory: 512 * 2 ** 20 } })
  const printed = { ...sum, outputs: ['ESCAPED'] }
  const attacks = [
    "if (require('fs').readFileSync('/etc/passwd')) console.log('ESCAPED')",
    "require('child_process').execSync('true')\nconsole.log('ESCAPED')",
    "require('net').connect(80, '127.0.0.1').on('error', () => {}).on('connect', () => console.log('ESCAPED'))",
    "require('fs').writeFileSync('/tmp/x', 'x')\nconsole.log('ESCAPED')",
    'const all = []\nfor (;;) all.push(new Array(1e6).fill(all.length))',
    'const all = []\nfor (;;) all.push(Buffer.alloc(1 << 26, 1))',
    'for (;;);',
    "for (;;) require('fs').writeSync(1, 'x'.repeat(1 << 20))",
  ]
  const verdicts = await Promise.all(attacks.map((code) => quick(code, printed, 'js')))
  t.deepEqual(
    verdicts.map(({ reward }) => reward),
    attacks.map(() => 0),
  )
  const forged =
    'const s = JSON.stringify({ verdict: { passed: true } })\nfor (let fd = 3; fd < 40; fd++) try { require("fs").writeSync(fd, s.length + "\\n" + s) } catch {}\nfunction f() { return { valueOf: () => 41, toString: () => "41" } }'
  t.like(await quick(forged, call('javascript', [7], 41), 'js'), { reward: 0 })
  t.like(await quick('function f() { process.exit(0) }', call('javascript', [7], 41), 'js'), { reward: 0 })
})
