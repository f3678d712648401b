import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { relativeError } from '../reference/compare.ts'
import { buildEmulation, compiler } from '../reference/cuda-on-cpu/build.ts'
import { type DeviceRun, deviceRun } from '../reference/device-run.ts'
import { temporaryFolder } from './tiny.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('../reference/device-run.ts', import.meta.url))

function skipped(t: ExecutionContext): boolean {
  if (compiler) return false
  t.log('not tested: no C++ compiler here')
  t.pass()
  return true
}

/** The same in a process whose addon takes these kernels for the CPU's tensors. */
async function runWith(kernels: string, dtype: string): Promise<DeviceRun> {
  const env = { ...process.env, MAGIC_GRPO_KERNELS: kernels }
  const { stdout } = await run(process.execPath, ['--import=tsx', script, 'print', dtype], { env, maxBuffer: 1e9 })
  return JSON.parse(stdout) as DeviceRun
}

// Whole updates and generations take the CUDA kernels' way through the addon, on tensors of the CPU: each call's
// pointers, strides and options are what the kernels take them for.
for (const [dtype, bound] of [
  ['float32', 2e-5],
  ['bfloat16', 0.05],
] as const) {
  test(`the addon's calls of the CUDA kernels, emulated, ${dtype}`, async (t) => {
    t.timeout(1_200_000)
    if (skipped(t)) return
    const { library } = await buildEmulation()
    const [ours, emulated] = await Promise.all([deviceRun(dtype), runWith(library, dtype)])
    const drawn =
      dtype === 'float32'
        ? Object.keys(ours.values)
        : Object.keys(ours.values).filter((name) => !name.startsWith('generated'))
    for (const name of drawn) {
      const error = relativeError(emulated.values[name]!, ours.values[name]!)
      t.true(error <= bound, `${name}: ${error}`)
    }
    if (dtype === 'float32') t.deepEqual(emulated.tokens, ours.tokens)
    // their exponentials round differently: equal bits would be the CPU's own
    t.notDeepEqual(emulated.values['score, log-probs'], ours.values['score, log-probs'])
  })
}

test('a kernel library that does not fit is refused with what to do', async (t) => {
  t.timeout(1_200_000)
  const folder = temporaryFolder(t)
  const missing = join(folder, 'missing.so'),
    broken = join(folder, 'broken.so')
  writeFileSync(broken, 'no library')
  for (const [path, message] of [
    [missing, /missing\.so, which is not there: the addon was built without nvcc/],
    [broken, /broken\.so, which does not load: /],
  ] as const) {
    const error = await t.throwsAsync(runWith(path, 'float32'))
    t.regex((error as unknown as { stderr: string }).stderr, message)
  }
})
