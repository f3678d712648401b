import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Policy, type TrainingBatch } from '../../src/index.ts'
import { relativeError } from '../reference/compare.ts'
import { Random } from '../reference/random.ts'
import { writeSafetensors } from '../reference/safetensors.ts'
import { config, temporaryFolder } from './tiny.ts'

// The CPU's attention works on tiles of 64 rows and keys: here a prompt and its responses have several, of odd ends.
const vocabulary = 331
const promptLength = 150
const responses = [90, 64, 1, 133]

function longBatch(): TrainingBatch {
  const random = new Random(7)
  const prompt = random.integers(promptLength, vocabulary)
  const sequences = responses.map((length) => [...prompt, ...random.integers(length, vocabulary)])
  const offsets = [0]
  for (const { length } of sequences) offsets.push(offsets.at(-1)! + length)
  return {
    tokenIds: Int32Array.from(sequences.flat()),
    offsets: Int32Array.from(offsets),
    promptLengths: new Int32Array(responses.length).fill(promptLength),
    advantages: Float32Array.of(1, -0.5, 0.7, -1.2),
  }
}

async function created(t: ExecutionContext): Promise<Policy> {
  const policy = await Policy.create({ ...config(), initializer_range: 0.2 }, { seed: 1 })
  t.teardown(() => policy.dispose())
  return policy
}

const options = { entropyCoefficient: 0.01, clipLow: 0.9, clipHigh: 9 }

test('a prompt of several tiles, shared or not: the same loss and gradients', async (t) => {
  const policy = await created(t)
  const batch = longBatch()
  const measured = []
  for (const sharePrompts of [false, true]) {
    const { loss } = await policy.computeGradients(batch, { ...options, sharePrompts })
    const gradients = []
    for (const { name } of policy.parameterShapes()) gradients.push({ name, values: await policy.gradient(name) })
    measured.push({ loss, gradients })
  }
  const [plain, shared] = measured as [(typeof measured)[0], (typeof measured)[0]]
  t.true(Math.abs(plain.loss - shared.loss) <= 1e-5 * Math.abs(plain.loss))
  for (const [i, { name, values }] of plain.gradients.entries()) {
    const error = relativeError(shared.gradients[i]!.values, values)
    t.true(error <= 1e-5, `${name}: ${error}`)
  }
})

test('the loss moves along the gradient as fast as its norm says', async (t) => {
  const policy = await created(t)
  const batch = longBatch()
  // Against fixed log-probs, so that the loss depends on the weights.
  const old = { ...batch, oldLogprobs: (await policy.score(sequences(batch))).logprobs }
  const { gradNorm } = await policy.computeGradients(old, options)
  const distance = 2e-3
  const losses: number[] = []
  for (const side of [-1, 1]) {
    const moved = []
    for (const { name, shape } of policy.parameterShapes()) {
      const [values, gradient] = [await policy.parameter(name), await policy.gradient(name)]
      moved.push({ name, shape, values: values.map((value, i) => value + (side * distance * gradient[i]!) / gradNorm) })
    }
    const folder = temporaryFolder(t)
    await policy.save(folder)
    writeSafetensors(join(folder, 'model.safetensors'), moved)
    using other = await Policy.load(folder)
    losses.push((await other.computeGradients(old, options)).loss)
  }
  const slope = (losses[1]! - losses[0]!) / (2 * distance)
  t.true(Math.abs(slope / gradNorm - 1) <= 5e-3, `${slope} against ${gradNorm}`)
})

function sequences({ tokenIds, offsets, promptLengths }: TrainingBatch) {
  return { tokenIds, offsets, promptLengths }
}
