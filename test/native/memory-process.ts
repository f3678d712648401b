/**
 * A process that trains one step of the shape and batch it is given as JSON, and prints what it took beyond weights and
 * optimizer states: `{ measured, predicted, recomputedLayers, resident }`, bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Policy } from '../../src/index.ts'
import type { MemoryCase } from './memory.test.ts'

const { model, dtype, lora, sequences, length, prompt, options } = JSON.parse(process.argv[2]!) as MemoryCase

function status(field: string): number {
  return 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1])
}

function batch(sequences: number, length: number, prompt: number) {
  const { vocab_size: vocabulary } = model as { vocab_size: number }
  // Groups of four share their prompt.
  const token = (index: number) => {
    const [sequence, place] = [Math.floor(index / length), index % length]
    return ((place < prompt ? Math.floor(sequence / 4) : sequence + 7) * 7919 + place * 31) % vocabulary
  }
  return {
    tokenIds: Int32Array.from({ length: sequences * length }, (_, index) => token(index)),
    offsets: Int32Array.from({ length: sequences + 1 }, (_, index) => index * length),
    promptLengths: new Int32Array(sequences).fill(prompt),
    advantages: Float32Array.from({ length: sequences }, (_, index) => (index % 2 === 0 ? 1 : -1)),
  }
}

const policy = await Policy.create(model, { dtype, ...(lora && { lora: { rank: 8 } }) })
// Gradients, moments, and the code and buffers of the products (of many rows) are there before the count begins; what the step took beside is
// given back when a policy goes.
await policy.trainStep(batch(2, 64, 8))
const other = await Policy.create({ ...model, num_hidden_layers: 1, vocab_size: 8 })
other.dispose()
await policy.parameter('model.norm.weight')
const before = status('VmRSS')
writeFileSync('/proc/self/clear_refs', '5')
const { activationBytes, recomputedLayers } = await policy.trainStep(batch(sequences, length, prompt), options)
const resident = status('VmHWM')
process.stdout.write(
  JSON.stringify({ measured: resident - before, predicted: activationBytes, recomputedLayers, resident }),
)
