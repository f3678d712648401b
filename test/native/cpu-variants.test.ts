import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { onPath } from '../../src/native/libtorch.ts'
import { withLock } from '../../src/native/lock.ts'

const run = promisify(execFile)
const build = fileURLToPath(new URL('../../build/cmake', import.meta.url))

/** Builds the check from the very objects that are in the addon; what is missing for it, if anything is. */
async function buildCheck(): Promise<string | undefined> {
  if (!existsSync(join(build, 'CMakeCache.txt'))) return 'the addon was not built here'
  if (!onPath('cmake')) return 'no cmake here'
  await withLock(`${build}.lock`, () => run('cmake', ['--build', build, '--target', 'cpu_variants']))
  return undefined
}

test('CPU kernels: every variant that this processor has is near plain double precision', async (t) => {
  t.timeout(1_200_000)
  const missing = await buildCheck()
  if (missing) {
    t.log(`not tested: ${missing}`)
    return t.pass()
  }
  const { stdout, stderr } = await run(join(build, 'cpu_variants')).catch(
    (error) => error as { stdout: string; stderr: string },
  )
  const lines = stdout.trim().split('\n')
  t.deepEqual(
    lines.filter((line) => !line.startsWith('ok ')),
    [],
    stderr,
  )
  const variants = new Set(lines.map((line) => line.split(' ')[1]))
  t.log([...variants].join(', '))
  t.true(variants.has('default'))
  t.true(lines.length > 1000 * variants.size)
})

test('CPU kernels: what the linker may take for everybody is not compiled for newer processors', async (t) => {
  t.timeout(1_200_000)
  const missing = (await buildCheck()) ?? (onPath('nm') ? undefined : 'no nm here')
  for (const variant of ['avx2', 'avx512']) {
    const object = join(build, `CMakeFiles/cpu_kernels.dir/native/cpu/${variant}.cc.o`)
    if (missing || !existsSync(object)) {
      t.log(`${variant} not tested: ${missing ?? 'not of this architecture'}`)
      t.pass()
      continue
    }
    const { stdout } = await run('nm', ['--demangle', '--defined-only', object])
    const weak = stdout.split('\n').filter((line) => / [VWu] /.test(line))
    t.true(weak.length > 0)
    t.deepEqual(
      weak.filter((line) => !line.toLowerCase().includes(`::${variant}::`)),
      [],
    )
  }
})
