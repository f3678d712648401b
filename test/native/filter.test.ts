import { spawn } from 'node:child_process'
import { access, copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { tinyRun } from './tiny-run.ts'

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

function start(...args: string[]) {
  const child = spawn(process.execPath, ['--import=tsx', cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    output.stdout += text
  })
  child.stderr.on('data', (text) => {
    output.stderr += text
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return { child, output, ended }
}

async function run(...args: string[]) {
  const { output, ended } = start(...args)
  return { code: await ended, ...output }
}

const lineCount = async (path: string) =>
  (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '').length

test('filter goes on after a kill as if nothing had been, and other bounds need no model', async (t) => {
  const { folder } = await tinyRun(t)
  const model = join(folder, 'base')
  const sampling = [
    '-m',
    model,
    '--verifier',
    `${join(folder, 'slow.ts')}#sevens`,
    '-n',
    '64',
    '--max-new-tokens',
    '12',
  ]
  // Slow enough for a signal to come before the end.
  await writeFile(
    join(folder, 'slow.ts'),
    `export async function sevens({ response }: { response: string }) {
  await new Promise((resolve) => setTimeout(resolve, 400))
  return response.includes('7')
}
`,
  )
  const rows = join(folder, 'rows.jsonl')
  const [whole, killed] = [join(folder, 'whole.jsonl'), join(folder, 'killed.jsonl')]

  const first = await run('filter', rows, ...sampling, '-o', whole, '--min-rate', '0', '--max-rate', '1')
  t.is(first.code, 0, first.stderr)
  t.regex(
    first.stdout,
    /10 of 10 prompts kept: .*whole\.jsonl\nnever solved: 0, always: \d, truncated responses: [\d.]+ %/,
  )
  const kept = (await readFile(whole, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(kept.length, 10)
  t.is(kept[3].prompt, '3+1=')
  for (const row of kept) t.is(row.pass_rate, row.pass_count / 64)

  const all = ['-o', killed, '--min-rate', '0', '--max-rate', '1']
  const counts = `${killed}.counts.jsonl`
  const stopped = async (signal: 'SIGINT' | 'SIGKILL') => {
    const { child, ended, output } = start('filter', rows, ...sampling, ...all)
    const before = await lineCount(counts)
    while ((await lineCount(counts)) < Math.max(before, 1) + 2 && child.exitCode === null) await setTimeout(2)
    child.kill(signal)
    return { code: await ended, ...output }
  }
  const interrupted = await stopped('SIGINT')
  t.is(interrupted.code, 130, interrupted.stderr)
  t.regex(interrupted.stderr, /\n[2468] of 10 prompts counted; the same command goes on\n$/)
  await t.throwsAsync(access(killed), undefined, 'there is no result before the end')
  await stopped('SIGKILL')
  t.true((await lineCount(counts)) >= 5)
  const second = await run('filter', rows, ...sampling, ...all)
  t.is(second.code, 0, second.stderr)
  t.regex(second.stderr, /\d+ counted before/)
  t.is(await readFile(killed, 'utf8'), await readFile(whole, 'utf8'))

  const rates = kept.map((row) => row.pass_rate).sort((a, b) => a - b)
  const bounded = await run('filter', rows, ...sampling, '-o', whole, '--max-rate', String(rates[4]))
  t.notRegex(bounded.stderr, /\d\/10 counted\n/)
  t.is(await lineCount(whole), rates.filter((rate) => rate <= rates[4]).length)

  const other = await run('filter', rows, ...sampling, '-o', whole, '--seed', '1')
  t.is(other.code, 2)
  t.regex(other.stderr, /'seed': 1, but .* was begun with 0; give the same, or remove that file to begin anew/)
})

test('filter refuses what it cannot write, and N of 1 without bounds', async (t) => {
  const { folder } = await tinyRun(t)
  const model = join(folder, 'base')
  const rows = join(folder, 'rows.jsonl')
  await copyFile(rows, join(folder, 'mine.jsonl'))
  const own = await run('filter', rows, '-m', model, '-o', join(folder, 'mine.jsonl'))
  t.is(own.code, 2)
  t.regex(own.stderr, /'--out': .*mine\.jsonl is there and no filter wrote it; give another path/)
  t.regex((await run('filter', rows, '-m', model, '-o', join(folder, 'x.parquet'))).stderr, /ends in \.jsonl/)
  t.regex((await run('filter', rows, '-m', model, '-o', join(folder, 'x.jsonl'), '-n', '1')).stderr, /give at least 2/)
  await t.throwsAsync(access(join(folder, 'x.jsonl')))
})
