import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { relativeError } from '../reference/compare.ts'

/** Why the test cannot be run here, or nothing. */
function missing(): string | undefined {
  if (process.platform !== 'linux') return 'limits of a running process are set by prlimit, which is of Linux'
  try {
    execFileSync('prlimit', ['--version'])
    return undefined
  } catch {
    return 'there is no prlimit (util-linux)'
  }
}

test('where the system refuses memory an update goes on with smaller micro-batches, or fails and changes nothing', async (t) => {
  const reason = missing()
  if (reason !== undefined) {
    t.log(`not run: ${reason}`)
    t.pass()
    return
  }
  const script = fileURLToPath(new URL('out-of-memory-process.ts', import.meta.url))
  // The limit holds for V8 too, which ends the process where it gets no page: with so much room for young objects it
  // needs none while memory is short.
  const { stdout } = await promisify(execFile)(process.execPath, ['--min-semi-space-size=64', '--import=tsx', script], {
    env: { ...process.env, OMP_NUM_THREADS: '1' },
    maxBuffer: 2 ** 24,
  })
  const { split, expected, refused, unchanged, skipped } = JSON.parse(stdout)
  t.true(split.memoryRetries >= 1, `${split.memoryRetries} retries`)
  t.true(split.microBatches >= 2, `${split.microBatches} micro-batches`)
  const error = relativeError(Float32Array.from(split.gradient), Float32Array.from(expected))
  t.true(error <= 1e-5, `the gradient is off by ${error}`)
  t.regex(refused, /^OUT_OF_MEMORY: out of memory: lower maxTokensPerMicroBatch/)
  t.true(unchanged)
  t.false(skipped)
})
