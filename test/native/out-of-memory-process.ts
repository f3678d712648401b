/**
 * A process that may take little more memory than it has after its first call. Prints what became of two calls, one that
 * can go on in smaller micro-batches and one that cannot, and of a third once the limit is gone: updates, or with the
 * argument `score` forwards alone; with `code` of one that has room for tensors, but none for the code of new kernels.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { NativeError, Policy, type Scores, type TrainingBatch } from '../../src/index.ts'
import { batch, config } from './tiny.ts'

const vocabulary = 512
const room = 120 * 2 ** 20
const name = 'model.norm.weight'
// Wide, so that what a layer keeps is large and its attention cheap.
const model = { ...config({ hidden: 128, layers: 3, vocab: vocabulary }), intermediate_size: 4096 }
const options = { activationBytes: 2 ** 40 }
const small = batch(1, 32, vocabulary)

/** Bounds the private memory of this process to so many bytes more than it has, or not at all. What V8 has under way is done before. */
function limit(more: number | 'unlimited'): void {
  globalThis.gc!()
  // What the collection gave back would be room, too.
  const bytes = more === 'unlimited' ? more : taken() + more
  execFileSync('prlimit', ['--pid', String(process.pid), `--data=${bytes}:`])
}

function taken(): number {
  return 1024 * Number(/VmData:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1])
}

function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error) => (error instanceof NativeError ? `${error.code}: ${error.message}` : String(error)),
  )
}

async function updates() {
  const policy = await Policy.create(model, { seed: 1 })
  const gradient = async (given: TrainingBatch) => {
    const { memoryRetries, microBatches } = await policy.computeGradients(given, options)
    return { memoryRetries, microBatches, gradient: Array.from(await policy.gradient(name)) }
  }

  const many = batch(32, 96, vocabulary)
  // So that optimizer states and gradients are part of what it has.
  await policy.trainStep(small, options)
  await policy.computeGradients(small, options)
  limit(room)
  const split = await gradient(many)

  const weights = await policy.parameter(name)
  const refused = await outcome(policy.trainStep(batch(1, 4096, vocabulary), options))
  const unchanged = (await policy.parameter(name)).every((value, index) => value === weights[index])

  limit('unlimited')
  const whole = await Policy.create(model, { seed: 1 })
  await whole.trainStep(small, options)
  await whole.computeGradients(many, options)
  const expected = Array.from(await whole.gradient(name))
  const { skipped } = await policy.trainStep(batch(2, 32, vocabulary), options)
  return { split, expected, refused, unchanged, skipped }
}

async function scores() {
  const plain = ({ logprobs, entropy, ...stats }: Scores) => ({ values: [...logprobs, ...entropy], ...stats })
  const policy = await Policy.create(model, { seed: 1 })
  const many = batch(64, 96, vocabulary)
  await policy.score(small, options)
  limit(room)
  const split = plain(await policy.score(many, options))
  const refused = await outcome(policy.score(batch(1, 8192, vocabulary), options))
  const next = plain(await policy.score(many, options))

  limit('unlimited')
  const whole = await Policy.create(model, { seed: 1 })
  const expected = plain(await whole.score(many, options))
  return { split, refused, next, expected }
}

async function code() {
  const policy = await Policy.create(model, { seed: 1 })
  const score = async (sequences: number, length: number) =>
    (await policy.score(batch(sequences, length, vocabulary))).logprobs
  // A kernel is made for each number of rows. The first of the two sequences is the one that is scored alone.
  const [expected, expectedNext] = [await score(2, 200), await score(2, 250)]
  limit(0)
  const logprobs = await score(1, 200)
  limit('unlimited')
  const next = await score(1, 250)
  return {
    logprobs: [...logprobs, ...next],
    expected: [...expected.subarray(0, logprobs.length), ...expectedNext.subarray(0, next.length)],
  }
}

const jobs = { update: updates, score: scores, code }
process.stdout.write(JSON.stringify(await jobs[process.argv[2] as keyof typeof jobs]()))
