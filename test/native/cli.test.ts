import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { parse } from 'yaml'
import { tinyRun } from './tiny-run.ts'

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, DEBUG: '' }
  return new Promise((resolve) =>
    execFile(process.execPath, ['--import=tsx', cli, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  )
}

test.serial('help, version and wrong usage', async (t) => {
  const help = await run('--help')
  t.is(help.code, 0)
  for (const command of ['train', 'sft', 'generate', 'eval', 'filter', 'presets', 'doctor'])
    t.regex(help.stdout, new RegExp(`\\b${command}\\b`))
  t.regex(help.stdout, /Exit codes: 0 done, 1 failed, 2 wrong usage or config, 130 interrupted/)
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  t.is((await run('--version')).stdout.trim(), version)
  const unknown = await run('trian')
  t.is(unknown.code, 2)
  t.regex(unknown.stderr, /unknown command 'trian'/)
  t.is((await run('train')).code, 2)
  t.is((await run('generate', 'x', '-m', '.', '-n', '0')).code, 2)
})

test.serial('a dry run prints the resolved config and writes nothing', async (t) => {
  const { folder, config } = await tinyRun(t)
  const { code, stdout } = await run('train', '-c', config, 'steps=9', 'kvCacheBytes=1', '--dry-run')
  t.is(code, 0)
  const resolved = parse(stdout)
  t.is(resolved.steps, 9)
  t.is(resolved.model, join(folder, 'base'))
  t.is(resolved.promptsPerUpdate, 4)
  t.regex(stdout, /^steps: 9 +# override 'steps=9'$/m)
  t.regex(stdout, /^promptsPerUpdate: 4 +# follows from promptsPerStep$/m)
  t.regex(stdout, /^# memory: kvCacheBytes is 1: the longest sequence of the run takes \d+; give at least that/m)
  await t.throwsAsync(readFile(join(folder, 'out/config.yaml')), { code: 'ENOENT' })
})

test.serial('a sequence that does not fit in a stage is told of, also where another stage takes most', async (t) => {
  const { config } = await tinyRun(t)
  const stages = 'stages=[{ maxResponseLength: 64 }, { maxResponseLength: 4, activationBytes: 1 }]'
  t.regex(
    (await run('train', '-c', config, stages, '--dry-run')).stdout,
    /^# memory: the longest sequence does not fit/m,
  )
})

test.serial('presets are listed, and one is printed as YAML', async (t) => {
  t.regex((await run('presets')).stdout, /^or1-7b-release +Skywork-OR1-7B, /m)
  t.is(parse((await run('presets', 'or1-32b-paper')).stdout).stages[1].maxResponseLength, 24576)
  const unknown = await run('presets', 'or2')
  t.is(unknown.code, 2)
  t.regex(unknown.stderr, /^magic-grpo: there is no preset 'or2'; the presets are or1-math-7b-paper, /)
})

test.serial('an error is one message without a stack, unless it is asked for', async (t) => {
  const { config } = await tinyRun(t)
  const { code, stderr } = await run('train', '-c', config, 'entropy.targt=1')
  t.is(code, 2)
  t.is(stderr, "magic-grpo: override 'entropy.targt=1': unknown key 'entropy.targt'; did you mean 'entropy.target'?\n")
  t.regex((await run('train', '-c', config, 'entropy.targt=1', '--verbose')).stderr, /\n {4}at /)
})

test.serial('train, sft, generate and eval work on one model', async (t) => {
  const { folder, config } = await tinyRun(t)
  const trained = await run('train', '-c', config, 'steps=2', `evaluation.data=${join(folder, 'rows.jsonl')}`)
  t.is(trained.code, 0, trained.stderr)
  t.regex(trained.stderr, /N_SGD 1 \(on-policy\)/)
  t.regex(trained.stderr, /step 1\/2 {2}reward 0\.\d{3}/)
  t.regex(trained.stdout, /prompt .* response .* answer .* reward/)
  t.regex(trained.stdout, /accuracy \(avg@8, held-out\): [\d.]+ before, [\d.]+ after/)
  const summary = JSON.parse(await readFile(join(folder, 'out/summary.json'), 'utf8'))
  t.is(summary.steps, 2)
  t.is(typeof summary.accuracyBefore, 'number')
  t.is(typeof summary.accuracyAfter, 'number')
  t.true(summary.seconds > 0)
  t.regex(await readFile(summary.picture, 'utf8'), /^<svg /)

  const rows = join(folder, 'sft.jsonl')
  await writeFile(rows, '{"prompt":"1+1=","response":"2"}\n{"prompt":"2+1=","response":"3"}\n')
  const model = join(folder, 'tuned')
  const base = summary.checkpoint
  const settings = ['steps=40', 'batchSize=2', 'learningRate=0.01']
  const tuned = await run('sft', `model=${base}`, `data.train=${rows}`, `output=${model}`, ...settings)
  t.is(tuned.code, 0, tuned.stderr)

  const answer = await run('generate', '1+1=', '2+1=', '-m', model, '--temperature', '0', '--max-new-tokens', '4')
  t.is(answer.stdout, '2\n3\n')
  const lines = (await run('generate', '1+1=', '-m', model, '-n', '3', '--max-new-tokens', '4', '--json')).stdout
  const records = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(records.length, 3)
  for (const { tokenIds, logprobs, entropy } of records) {
    t.is(tokenIds.length, logprobs.length)
    t.is(tokenIds.length, entropy.length)
  }

  const reward = `${join(folder, 'right.ts')}#right`
  await writeFile(
    join(folder, 'right.ts'),
    'export const right = ({ response, answer }: { response: string; answer: string }) => response === answer\n',
  )
  const problems = join(folder, 'problems.jsonl')
  await writeFile(problems, '{"prompt":"1+1=","answer":"2"}\n{"prompt":"2+1=","answer":"3"}\n')
  const [out, answers] = [join(folder, 'result.json'), join(folder, 'answers.jsonl')]
  const sampling = ['-k', '4', '--temperature', '0', '--max-new-tokens', '4']
  const flags = [...sampling, '--verifier', reward, '--out', out, '--answers', answers]
  const scored = await run('eval', problems, '-m', model, ...flags, '--json')
  t.is(scored.code, 0, scored.stderr)
  const { model: scoredModel, sets } = JSON.parse(scored.stdout)
  t.is(scoredModel, model)
  const { accuracy, passAt, truncated, bySource } = sets[0]
  t.deepEqual([accuracy, passAt, truncated], [1, { 1: 1, 2: 1, 4: 1 }, 0])
  t.is(bySource.problems.accuracy, 1)
  t.is(await readFile(out, 'utf8'), scored.stdout)
  t.is((await readFile(answers, 'utf8')).trimEnd().split('\n').length, 8)
  const shown = await run('eval', problems, '-m', model, ...sampling, '--verifier', reward)
  t.regex(shown.stdout, /set +problems +avg@4 +pass@1 +pass@2 +pass@4 +length +truncated\nproblems +2 +1\.0000/)
})

test.serial('missing models and data are told in a line', async (t) => {
  const { folder } = await tinyRun(t)
  const missing = await run('eval', join(folder, 'rows.jsonl'), '-m', '/nowhere')
  t.is(missing.code, 2)
  t.regex(missing.stderr, /^magic-grpo: '--model': no config\.json in \/nowhere; .*\n$/)
  const data = await run('eval', '/nowhere.jsonl', '-m', join(folder, 'base'))
  t.regex(data.stderr, /^magic-grpo: 'data': no such file: \/nowhere\.jsonl\n$/)
  const letters = await run('generate', 'hello', '-m', join(folder, 'base'))
  t.is(letters.code, 1)
  t.regex(letters.stderr, /^magic-grpo: "h" is not in the tokenizer's vocabulary.*\n$/)
})
