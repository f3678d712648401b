import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Side } from '../../bench/side.ts'
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
