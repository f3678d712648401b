import test from 'ava'
import { Policy } from '../../src/index.ts'
import { packSequences } from '../reference/golden.ts'
import { closeToOracle, loadLossOracle, oracleModel } from '../reference/loss-oracle.ts'

const { batch, losses } = loadLossOracle()
const packed = packSequences(batch.sequences, batch.promptLengths, batch.advantages)
const given: Record<string, object> = {
  old: { oldLogprobs: Float32Array.from(batch.old.flat()) },
  reference: { referenceLogprobs: Float32Array.from(batch.reference.flat()) },
  sampler: { samplerLogprobs: Float32Array.from(batch.sampler.flat()) },
  mask: { lossMask: Float32Array.from(batch.mask.flat()) },
}

for (const { uses, options, ...expected } of losses) {
  test(`loss and gradients equal autograd's: ${uses || 'on-policy'} ${JSON.stringify(options)}`, async (t) => {
    using policy = await Policy.load(oracleModel)
    const used = uses.split(' ').filter((name) => name !== '')
    const call = Object.assign({ ...packed }, ...used.map((name) => given[name]))
    const divisions = [
      { maxTokensPerMicroBatch: 8192 },
      { maxTokensPerMicroBatch: 8192, sharePrompts: false },
      { maxTokensPerMicroBatch: 40 },
      { maxTokensPerMicroBatch: 1, activationCheckpointing: true },
    ]
    for (const division of divisions) {
      const stats = await policy.computeGradients(call, { ...options, ...division })
      t.is(stats.microBatches > 1, division.maxTokensPerMicroBatch < 8192)
      await closeToOracle(t, stats, policy, expected, JSON.stringify(division))
    }
  })
}

test('the cases take every branch: clips on both sides, the floor of the dual clip, the cap of the weights', (t) => {
  const share = (name: 'clipFractionLow' | 'clipFractionHigh', level?: 'sequence') =>
    losses.filter(({ options, figures }) => options.ratioLevel === level && figures[name] > 0).length
  for (const level of [undefined, 'sequence'] as const)
    for (const name of ['clipFractionLow', 'clipFractionHigh'] as const) t.true(share(name, level) > 1)
  const loss = (options: object) =>
    losses.find((other) => JSON.stringify(other.options) === JSON.stringify(options) && other.uses.startsWith('old'))!
      .figures.loss
  t.not(loss({ dualClip: 1.1 }), loss({}))
  t.not(loss({ importanceSamplingCap: 1.2 }), loss({ importanceSamplingCap: 3.5 }))
})
