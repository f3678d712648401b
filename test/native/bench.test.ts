import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { parseArguments } from '../../bench/arguments.ts'
import { parts } from '../../bench/parts/all.ts'
import { runCases } from '../../bench/run.ts'
import { Side } from '../../bench/side.ts'
import type { GenerateJob } from '../../bench/sides/policy.ts'
import { loadAddon, withoutCuda } from '../../src/native/load.ts'
import { goldenFolder, temporaryFolder } from './tiny.ts'

/** A Python that has all that peers need, by its own words, and then does this. */
async function python(t: ExecutionContext, script: string): Promise<string> {
  const path = join(temporaryFolder(t), 'python')
  await writeFile(path, `#!/bin/sh\n[ "$1" = -W ] && echo '{"torch":"0"}' && exit\n${script}\n`, { mode: 0o755 })
  return path
}

test.serial('where a peer does not start, the case fails and the benchmark ends', async (t) => {
  const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))
  const args = ['generate/float32', '--model', goldenFolder('llama'), '--python', await python(t, 'exit 3')]
  const ended = await new Promise((resolve) =>
    execFile(process.execPath, ['--import=tsx', main, ...args], { timeout: 60_000 }, (error, stdout) =>
      resolve({ code: error?.code, killed: error?.killed, stdout }),
    ),
  )
  t.like(ended, { code: 1, killed: false })
  t.regex((ended as { stdout: string }).stdout, /^failed: generate\/float32: policy.py ended before it answered/m)
})

test.serial('a side ends with what holds it', async (t) => {
  const ready = await python(t, 'read job; echo "{\\"pid\\": $$}" >&3; exec sleep 100')
  let pid = 0
  const failing = async () => {
    await using side = await Side.start('peers/head.py', {}, ready)
    pid = side.facts.pid as number
    process.kill(pid, 0)
    await using _ = await Side.start('peers/head.py', {}, await python(t, 'exit 3'))
  }
  await t.throwsAsync(failing, { message: /head.py ended before it answered/ })
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test.serial('what has to be on a GPU is left out where there is none, with the reason', async (t) => {
  if (loadAddon().versions().cudaAvailable) {
    t.log('not tested: there is a GPU')
    t.pass()
    return
  }
  const { selected } = parseArguments(
    ['gpu'],
    Object.fromEntries(parts.map(({ name, cases }) => [name, Object.keys(cases)])),
  )
  const lines: string[] = []
  const all = { selected, model: undefined, python: await python(t, 'exit 3'), full: false }
  const { rows, leftOut, failed } = await runCases(parts, all, (line) => lines.push(line))
  t.deepEqual([rows, failed], [[], []])
  const reason = withoutCuda() ?? 'libtorch sees no CUDA device on this machine'
  t.deepEqual(
    leftOut,
    ['head', 'train-step', 'decode'].map((name) => ({ name: `gpu/${name}`, reason })),
  )
  t.deepEqual(
    lines,
    leftOut.map(({ name }) => `${name}: ${reason}`),
  )
})

test.serial('our side of decoding counts what comes after the first token of each sample', async (t) => {
  const prompts = [
    [3, 4, 5],
    [6, 7, 8],
  ]
  const job: GenerateJob = {
    ...{ task: 'generate', model: goldenFolder('qwen2-tied'), dtype: 'bfloat16', samples: 1, decodeOnly: true },
    ...{ prompts, lengths: [9, 9] },
  }
  await using side = await Side.start('sides/policy.ts', job)
  const begun = performance.now()
  const { seconds, first } = await side.run()
  const whole = (performance.now() - begun) / 1000
  // The first tokens are computed twice: alone, and in the call that they are taken from.
  t.true(first! > 0 && seconds + 2 * first! <= whole, `${first} s, then ${seconds} s, of ${whole} s`)
})
