import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { onPath } from '../../src/native/libtorch.ts'
import { buildEmulation, compiler, kernelSources } from '../reference/cuda-on-cpu/build.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

function skipped(t: ExecutionContext, missing: string | undefined): boolean {
  if (missing === undefined) return false
  t.log(`not tested: ${missing}`)
  t.pass()
  return true
}

for (const part of ['policy', 'loss', 'sampler', 'cache']) {
  test(`CUDA kernels on the CPU, in every order of their threads: ${part}`, async (t) => {
    t.timeout(1_200_000)
    if (skipped(t, compiler ? undefined : 'no C++ compiler here')) return
    const { check } = await buildEmulation()
    const { stdout, stderr } = await run(check, [part]).catch((error) => error as { stdout: string; stderr: string })
    const lines = stdout.trim().split('\n')
    t.deepEqual(
      lines.filter((line) => !line.startsWith('ok ')),
      [],
      stderr,
    )
    t.true(lines.length > 10)
  })
}

test('every CUDA kernel compiles for sm_90 without a warning', async (t) => {
  t.timeout(1_200_000)
  if (skipped(t, onPath('nvcc') ? undefined : 'no nvcc here')) return
  t.true(kernelSources.length > 8)
  const folder = mkdtempSync(join(tmpdir(), 'magic-nvcc-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const flags = [
    '-std=c++17',
    '-arch=sm_90',
    '-cubin',
    '-Inative',
    '-DMAGIC_KERNELS_DIGEST=""',
    '-Werror',
    'all-warnings',
  ]
  for (const [index, source] of kernelSources.entries())
    await t.notThrowsAsync(run('nvcc', [...flags, '-o', join(folder, `${index}.cubin`), source], { cwd: root }), source)
})
