/**
 * A process that may take little more memory than it has after its first step. Prints what became of two steps, one that
 * can go on in smaller micro-batches and one that cannot, and of a third once the limit is gone.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { NativeError, Policy, type TrainingBatch } from '../../src/index.ts'
import { batch, config } from './tiny.ts'

const vocabulary = 512
const room = 72 * 2 ** 20
const name = 'model.norm.weight'
// Wide, so that what a layer keeps is large and its attention cheap.
const model = { ...config({ hidden: 128, layers: 3, vocab: vocabulary }), intermediate_size: 4096 }

/** A bound on the private memory of this process, bytes, or none. */
function limit(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--data=${bytes}:`])
}

function taken(): number {
  return 1024 * Number(/VmData:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1])
}

const policy = await Policy.create(model, { seed: 1 })
const options = { activationBytes: 2 ** 40 }
const gradient = async (given: TrainingBatch) => {
  const { memoryRetries, microBatches } = await policy.computeGradients(given, options)
  return { memoryRetries, microBatches, gradient: Array.from(await policy.gradient(name)) }
}

const many = batch(16, 96, vocabulary)
await policy.trainStep(batch(1, 32, vocabulary), options)
limit(taken() + room)
const split = await gradient(many)

const weights = await policy.parameter(name)
const refused = await policy.trainStep(batch(1, 4096, vocabulary), options).then(
  () => 'done',
  (error) => (error instanceof NativeError ? `${error.code}: ${error.message}` : String(error)),
)
const unchanged = (await policy.parameter(name)).every((value, index) => value === weights[index])

limit('unlimited')
const whole = await Policy.create(model, { seed: 1 })
await whole.trainStep(batch(1, 32, vocabulary), options)
await whole.computeGradients(many, options)
const expected = Array.from(await whole.gradient(name))
const { skipped } = await policy.trainStep(batch(2, 32, vocabulary), options)
process.stdout.write(JSON.stringify({ split, expected, refused, unchanged, skipped }))
