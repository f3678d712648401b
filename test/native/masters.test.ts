/** In bfloat16 the weights are the upper halves of float32 masters: nothing of the masters is lost. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Policy } from '../../src/index.ts'
import { batch, config, temporaryFolder } from './tiny.ts'

// The optimizer puts half a million masters together at a time: the last parameter ends with such a part.
const model = { ...config({ hidden: 64, layers: 1, vocab: 8192 }), tie_word_embeddings: false }
const given = batch(2, 24, 331)
const settings = { learningRate: 3e-3, betas: [0.9, 0.95], epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 0 } as const

/** AdamW on float32 values, in double precision between them. */
class Twin {
  readonly values: Float32Array
  readonly #first: Float32Array
  readonly #second: Float32Array
  #steps = 0

  constructor(values: Float32Array) {
    this.values = values
    this.#first = new Float32Array(values.length)
    this.#second = new Float32Array(values.length)
  }

  step(gradient: Float32Array): void {
    const { learningRate, betas, epsilon, weightDecay } = settings
    this.#steps++
    const [unbiasFirst, unbiasSecond] = betas.map((beta) => 1 - beta ** this.#steps) as [number, number]
    for (const [i, g] of gradient.entries()) {
      this.#first[i] = betas[0] * this.#first[i]! + (1 - betas[0]) * g
      this.#second[i] = betas[1] * this.#second[i]! + (1 - betas[1]) * g * g
      const step = this.#first[i]! / unbiasFirst / (Math.sqrt(this.#second[i]! / unbiasSecond) + epsilon)
      this.values[i] = this.values[i]! * (1 - learningRate * weightDecay) - learningRate * step
    }
  }
}

/** To the nearest bfloat16, ties away from zero: its bits. */
function rounded(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(bits, (each) => (each + 0x8000) >>> 16)
}

/** The bits of a bfloat16 tensor of a safetensors file. */
function stored(path: string, name: string): Uint16Array {
  const file = readFileSync(path)
  const start = 8 + Number(file.readBigUInt64LE(0))
  const { dtype, data_offsets: offsets } = JSON.parse(file.subarray(8, start).toString())[name]
  if (dtype !== 'BF16') throw new Error(`${name} is ${dtype}`)
  return new Uint16Array(file.buffer.slice(file.byteOffset + start + offsets[0], file.byteOffset + start + offsets[1]))
}

test('updates go to float32 masters, of which the saved weights are the upper halves', async (t) => {
  using policy = await Policy.create(model, { dtype: 'bfloat16', seed: 3 })
  const names = policy.parameterShapes().map(({ name }) => name)
  const twins = new Map<string, Twin>()
  for (const name of names) twins.set(name, new Twin(await policy.parameter(name)))
  for (let step = 0; step < 3; step++) {
    await policy.computeGradients(given)
    for (const name of names) twins.get(name)!.step(await policy.gradient(name))
    await policy.trainStep(given, settings)
  }
  await t.throwsAsync(policy.gradient(names[0]!), { message: /there is no gradient/ }, 'the last step used them up')
  const folder = temporaryFolder(t)
  await policy.save(folder)
  for (const name of names) {
    const [master, expected] = [await policy.parameter(name), twins.get(name)!.values]
    let off = 0
    for (const [i, value] of master.entries()) off = Math.max(off, Math.abs(value - expected[i]!))
    // A few roundings of values below 2, and of updates of 3e-3.
    t.true(off <= 1e-6, `${name} is off by ${off}`)
    const between = new Uint32Array(master.buffer).filter((bits) => bits & 0xffff).length
    t.true(between > 0.9 * master.length, `${between} of ${master.length} are between two bfloat16 values`)
    t.deepEqual(stored(join(folder, 'model.safetensors'), name), rounded(master), name)
  }
})
