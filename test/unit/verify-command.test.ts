import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { sandboxWorks } from './code-answer.ts'

const run = (await sandboxWorks()) ? test : test.skip
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

async function workspace(t: ExecutionContext, rows: unknown[]): Promise<{ folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'magic-grpo-verify-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'rows.jsonl')
  await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return { folder, file }
}

function verify(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, ['--import=tsx', cli, 'verify', ...args], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  )
}

const rows = [
  { response: 'So \\boxed{2\\sqrt{2}}', ground_truth: '\\sqrt{8}', data_source: 'surds', note: 1 },
  { response: 'It is 5.', ground_truth: ['4', '5'], data_source: 'sums' },
  { response: '\\boxed{0.67}', ground_truth: '2/3', precision: 2, prompt: 'What is 2/3?' },
  { response: '\\boxed{10^{10^{10}}}', ground_truth: 7, data_source: 'sums' },
]

test('verify writes every row in order with its reward and verdict, and a table', async (t) => {
  const { folder, file } = await workspace(t, rows)
  const out = join(folder, 'out.jsonl')
  const { code, stdout, stderr } = await verify(file, '--verifier', 'math', '--extraction', 'any', '--out', out)
  t.is(code, 0, stderr)
  t.regex(stdout, /^data source +rows +correct +accuracy +mean reward +no answer$/m)
  t.regex(stdout, /^sums +2 +1 +0\.5000 +0\.5000 +0$/m)
  t.regex(stdout, /^all +4 +3 +0\.7500 +0\.7500 +0$/m)
  const written = (await readFile(out, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.deepEqual(
    written.map(({ reward }) => reward),
    [1, 1, 1, 0],
  )
  t.deepEqual(written[0], { ...rows[0], reward: 1, verdict: { reward: 1, correct: true, extracted: '2\\sqrt{2}' } })
  // boxed alone unless told
  t.regex((await verify(file, '--verifier', 'math')).stdout, /^all +4 +2 +0\.5000 +0\.5000 +1$/m)
})

test('verify explains one row', async (t) => {
  const { file } = await workspace(t, rows)
  const { code, stdout } = await verify(file, '--verifier', 'math', '--explain', '1')
  t.is(code, 0)
  t.is(
    stdout,
    [
      'rows.jsonl:1: reward 1, correct',
      'extracted: 2\\sqrt{2}',
      'read as: 2*root(2, 2)',
      'gold: \\sqrt{8}',
      'read as: root(8, 2)',
      'equal: the same value',
      '',
    ].join('\n'),
  )
  const missing = await verify(file, '--verifier', 'math', '--explain', '9')
  t.is(missing.code, 1)
  t.regex(missing.stderr, /--explain 9: the file has no row in line 9/)
})

test('verify takes the verifier of a config', async (t) => {
  const { folder, file } = await workspace(t, rows)
  const config = join(folder, 'run.yaml')
  await writeFile(join(folder, 'reward.ts'), 'export const long = ({ response }) => response.length / 100\n')
  const sum = [
    'model: /nowhere # of a run that this does not begin',
    'verifier:',
    '  bySource:',
    '    surds: { sum: [{ verifier: math }, { verifier: format, weight: 0.5 }] }',
    '    sums: math',
    '    default: ./reward.ts#long',
    'math: { extraction: any }',
  ]
  await writeFile(config, sum.join('\n'))
  const { code, stdout, stderr } = await verify(file, '--verifier', config)
  t.is(code, 0, stderr)
  t.regex(stdout, /^surds +1 +1 +1\.0000 +1\.5000 +0$/m)
  t.regex(stdout, /^sums +2 +1 +0\.5000 +0\.5000 +0$/m)
  t.regex((await verify(file, '--verifier', config, '--extraction', 'boxed')).stdout, /^sums +2 +0 /m)
  await writeFile(config, 'verifer: math\n')
  const wrong = await verify(file, '--verifier', config)
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /run\.yaml:1: .*verifer/)
})

run('verify says where an answer ran in one process with its tests', async (t) => {
  const answer = (code: string) => `\`\`\`python\n${code}\n\`\`\``
  const { file } = await workspace(t, [
    { response: answer('def f(x): return x + 1'), ground_truth: { assert_case: ['assert f(1) == 2'] } },
    {
      response: answer('def f(box): return box.n'),
      ground_truth: { assert_case: ['class B: n = 2\nassert f(B()) == 2'] },
    },
  ])
  const table = (await verify(file, '--verifier', 'code')).stdout
  t.regex(table, /^data source +rows +correct +accuracy +mean reward +no answer +shared$/m)
  t.regex(table, /^all +2 +2 +1\.0000 +1\.0000 +0 +1$/m)
  t.regex(
    (await verify(file, '--verifier', 'code', '--explain', '2')).stdout,
    /^isolation: shared\nreason: in one process with the tests, as the tests give the answer a B, which is no plain data$/m,
  )
  t.notRegex((await verify(file, '--verifier', 'code', '--explain', '1')).stdout, /isolation/)
})

test('a bad row is an error with its line number', async (t) => {
  const bad: [unknown, RegExp][] = [
    [{ ground_truth: '5' }, /rows\.jsonl:2: response is missing: it must be the text to grade/],
    [{ response: '5' }, /rows\.jsonl:2: ground_truth is missing: it must be a text, a list/],
    [
      { response: '5', ground_truth: '5', precision: -1 },
      /rows\.jsonl:2: precision is -1: it must be a number of decimal/,
    ],
    [{ response: '5', ground_truth: {} }, /rows\.jsonl:2.* is \{\}: it must be a text, a number, or a list/],
  ]
  for (const [row, message] of bad) {
    const { file } = await workspace(t, [rows[0], row])
    const { code, stderr } = await verify(file, '--verifier', 'math')
    t.is(code, 1)
    t.regex(stderr, message)
  }
})
