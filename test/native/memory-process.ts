/**
 * A process that trains one step on the batch it is given as JSON, twice in a row so that the second micro-batch has all
 * gradients beside it, and prints what that took beyond weights, gradients and optimizer states: `{ measured, predicted,
 * recomputedLayers, resident }`, bytes.
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
// Moments, and the code and buffers of the products (of many rows) are there before the count begins. Gradients go back
// after a step that computes layers again, and what it took beside when a policy goes.
await policy.trainStep(batch(2, 64, 8), { activationCheckpointing: true })
const other = await Policy.create({ ...model, num_hidden_layers: 1, vocab_size: 8 })
other.dispose()
await policy.parameter('model.norm.weight')
const before = status('VmRSS')
writeFileSync('/proc/self/clear_refs', '5')
// A prompt goes through the layers once for its group.
const prompts = options.sharePrompts === false ? sequences : Math.ceil(sequences / 4)
const rows = prompts * prompt + sequences * (length - prompt - 1)
const stats = await policy.trainStep(batch(2 * sequences, length, prompt), { ...options, maxTokensPerMicroBatch: rows })
if (stats.microBatches !== 2) throw new Error(`${stats.microBatches} micro-batches in place of 2`)
const resident = status('VmHWM')
const trained = policy.parameterShapes().filter(({ name }) => !lora || name.includes('lora_'))
const gradients = trained.reduce((sum, { name, shape }) => {
  const matrix = name.includes('.layers.') && shape.length === 2 && !lora
  return (
    sum + (matrix && options.gradientDtype === 'bfloat16' ? 2 : 4) * shape.reduce((size, length) => size * length, 1)
  )
}, 0)
process.stdout.write(
  JSON.stringify({
    measured: resident - before - gradients,
    predicted: stats.activationBytes,
    recomputedLayers: stats.recomputedLayers,
    resident,
  }),
)
