import { join } from 'node:path'
import test from 'ava'
import { Policy } from '../../src/index.ts'
import { config, temporaryFolder } from './tiny.ts'

const batch = {
  tokenIds: Int32Array.of(1, 2, 3, 4),
  offsets: Int32Array.of(0, 4),
  promptLengths: Int32Array.of(2),
  advantages: Float32Array.of(1),
}

/** A learning rate that leaves no weight finite. */
async function diverge(policy: Policy) {
  for (let i = 0; i < 3; i++) await policy.trainStep(batch, { learningRate: 1e38, maxGradNorm: 0 })
}

test('a policy whose logits are not finite says so instead of sampling', async (t) => {
  using policy = await Policy.create(config())
  await diverge(policy)
  const error = await t.throwsAsync(policy.generate([{ promptTokenIds: Int32Array.of(1) }], { maxNewTokens: 2 }))
  t.like(error, { name: 'NativeError', code: 'NOT_FINITE' })
  t.regex(error!.message, /logits are not finite: its weights have diverged; go back to a checkpoint/)
})

test('a step whose loss or gradient is not finite changes nothing and is reported', async (t) => {
  using policy = await Policy.create(config())
  await diverge(policy)
  const before = await policy.parameter('model.norm.weight')
  const stats = await policy.trainStep(batch, { learningRate: 1 })
  t.true(stats.skipped)
  t.deepEqual(await policy.parameter('model.norm.weight'), before)
})

test('an optimizer file of another model is refused before anything is written', async (t) => {
  const folder = temporaryFolder(t)
  using small = await Policy.create(config({ layers: 1 }), { seed: 1 })
  using large = await Policy.create(config({ layers: 2 }), { seed: 2 })
  await small.saveOptimizer(join(folder, 'optimizer.safetensors'))
  const before = await large.parameter('model.embed_tokens.weight')
  await t.throwsAsync(large.loadOptimizer(join(folder, 'optimizer.safetensors')), {
    code: 'FILE',
    message: /model\.layers\.1\./,
  })
  t.deepEqual(await large.parameter('model.embed_tokens.weight'), before)
})
