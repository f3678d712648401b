import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
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

/** What out-of-memory-process.ts prints; nothing where it cannot be run. */
async function limited(t: ExecutionContext, job: 'update' | 'score' | 'code') {
  const reason = missing()
  if (reason !== undefined) {
    t.log(`not run: ${reason}`)
    t.pass()
    return
  }
  const script = fileURLToPath(new URL('out-of-memory-process.ts', import.meta.url))
  // The limit holds for V8 too, which ends the process where it gets no page: with so much room for young objects, and
  // no collections but those that are asked for, it needs none while memory is short.
  const flags = ['--min-semi-space-size=64', '--expose-gc', '--no-memory-reducer', '--no-incremental-marking']
  const node = [...flags, '--import=tsx', script, job]
  const { stdout } = await promisify(execFile)(process.execPath, node, {
    env: { ...process.env, OMP_NUM_THREADS: '1' },
    maxBuffer: 2 ** 24,
  })
  return JSON.parse(stdout)
}

test.serial(
  'where the system refuses memory an update goes on with smaller micro-batches, or fails and changes nothing',
  async (t) => {
    const result = await limited(t, 'update')
    if (result === undefined) return
    const { split, expected, refused, unchanged, skipped } = result
    t.true(split.memoryRetries >= 1, `${split.memoryRetries} retries`)
    t.true(split.microBatches >= 2, `${split.microBatches} micro-batches`)
    const error = relativeError(Float32Array.from(split.gradient), Float32Array.from(expected))
    t.true(error <= 1e-5, `the gradient is off by ${error}`)
    t.regex(refused, /^OUT_OF_MEMORY: out of memory: lower maxTokensPerMicroBatch/)
    t.true(unchanged)
    t.false(skipped)
  },
)

test.serial(
  'where the system refuses memory scoring goes on with smaller micro-batches, and so the next time',
  async (t) => {
    const result = await limited(t, 'score')
    if (result === undefined) return
    const { split, refused, next, expected } = result
    t.true(split.memoryRetries >= 1, `${split.memoryRetries} retries`)
    t.true(split.microBatches >= 2, `${split.microBatches} micro-batches`)
    t.true(split.activationBytes < expected.activationBytes)
    t.deepEqual([expected.memoryRetries, expected.microBatches], [0, 1])
    const error = relativeError(Float32Array.from(split.values), Float32Array.from(expected.values))
    t.true(error <= 1e-5, `log-probs and entropy are off by ${error}`)
    t.regex(refused, /^OUT_OF_MEMORY: out of memory: lower maxTokensPerMicroBatch/)
    t.is(next.memoryRetries, 0)
    t.true(next.microBatches >= split.microBatches)
  },
)

test.serial('where there is no memory for the code of a new kernel, the product takes another way', async (t) => {
  const result = await limited(t, 'code')
  if (result === undefined) return
  const { logprobs, expected } = result
  const error = relativeError(Float32Array.from(logprobs), Float32Array.from(expected))
  t.true(error <= 1e-5, `log-probs are off by ${error}`)
})
