import test from 'ava'
import { Policy } from '../../src/index.ts'
import { predictMemory } from '../../src/policy/memory.ts'
import { modelShape } from '../../src/policy/model-config.ts'
import { qwen3 } from '../reference/device-shape.ts'
import { packSequences } from '../reference/golden.ts'
import { Random } from '../reference/random.ts'
import { skipped } from './skipped.ts'

// First in its process: as a run does, before the allocator of the device has given anything.
test.serial('what a run on CUDA takes is predicted before there is anything on the device', (t) => {
  if (skipped(t)) return
  const { free, activations } = predictMemory(modelShape(qwen3), {
    ...{ device: 'cuda', dtype: 'bfloat16', gradientDtype: 'float32', reference: false },
    ...{ sequenceRows: 100, sequenceResponses: 50, microBatchRows: 400, microBatchResponses: 200 },
    ...{ activationBytes: 0, activationCheckpointing: false, batchSize: 4, cachedTokens: 400, kvCacheBytes: 0 },
  })
  t.true(free > 2 ** 30, `${free} bytes free`)
  t.true(activations > 0)
})

// A mask has 256 KiB for 256 rows: of all 64 micro-batches together 32 MiB.
test.serial('attention on CUDA has its masks for a micro-batch at a time', async (t) => {
  if (skipped(t)) return
  using policy = await Policy.create(qwen3, { device: 'cuda', dtype: 'float32', seed: 5n })
  const peak = async (count: number) => {
    const random = new Random(3)
    const sequences = Array.from({ length: count }, () => Array.from(random.integers(257, 331)))
    const of = <Value>(value: Value) => sequences.map(() => value)
    const batch = packSequences(sequences, of(4), of(1))
    const stats = await policy.computeGradients(batch, { maxTokensPerMicroBatch: 512 })
    t.is(stats.microBatches, count / 2)
    return stats.peakMemoryBytes
  }
  const [few, many] = [await peak(4), await peak(128)]
  t.true(many - few < 2 ** 20, `${few} bytes for 2 micro-batches, ${many} for 64`)
})

// The chunk of logits is nearly all of it. Within what the CPU is held to; not measured on a GPU yet.
for (const dtype of ['bfloat16', 'float32'] as const)
  test.serial(`${dtype}: a step of a large vocabulary on CUDA takes the memory that is predicted`, async (t) => {
    if (skipped(t)) return
    const [vocab, length] = [60_000, 2000]
    using policy = await Policy.create({ ...qwen3, vocab_size: vocab }, { device: 'cuda', dtype, seed: 5n })
    const batch = packSequences([Array.from(new Random(3).integers(length, vocab))], [1], [1])
    const stats = await policy.computeGradients(batch, { entropyCoefficient: 0.01 })
    const values = policy.parameterShapes().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
    const measured = stats.peakMemoryBytes - values * (dtype === 'float32' ? 8 : 6)
    t.log(`${measured} bytes, ${stats.activationBytes} predicted`)
    t.true(stats.activationBytes > 4 * vocab * (length - 1))
    t.true(Math.abs(measured / stats.activationBytes - 1) <= 0.15)
  })
