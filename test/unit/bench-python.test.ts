import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { LeftOut } from '../../bench/part.ts'
import { findCudaPeers } from '../../bench/python.ts'

/** What answers like a Python with these versions. */
async function python(t: ExecutionContext, script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'magic-python-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'python')
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return path
}

test('peers on a GPU need a Python that is given, with a torch that sees a device', async (t) => {
  await t.throwsAsync(findCudaPeers(undefined), {
    instanceOf: LeftOut,
    message: /give one by --python or BENCH_PYTHON/,
  })
  const blind = await python(t, `echo '{"torch":"2.13.0+cpu","cuda":"none"}'`)
  await t.throwsAsync(findCudaPeers(blind), { instanceOf: LeftOut, message: /torch 2\.13\.0\+cpu of .* sees no CUDA/ })
  const without = await python(t, `echo "No module named 'transformers'" >&2; exit 1`)
  const error = await t.throwsAsync(findCudaPeers(without), {
    message: /lacks something: No module named 'transformers'/,
  })
  t.false(error instanceof LeftOut)
  const good = await python(t, `echo '{"torch":"2.13.0+cu130","cuda":"13.0"}'`)
  t.deepEqual(await findCudaPeers(good), { python: good, versions: { torch: '2.13.0+cu130', cuda: '13.0' } })
})
