import test from 'ava'
import type { DType } from '../../src/native/contract.ts'
import { SamplerAgreement } from '../../src/train/sampler-agreement.ts'
import { stats } from './fixtures.ts'

function warningsOf(dtype: DType, ...differences: [mean: number, max: number][]): string[] {
  const warnings: string[] = []
  const agreement = new SamplerAgreement(dtype, (text) => warnings.push(text))
  for (const [index, [logprobDifferenceMean, logprobDifferenceMax]] of differences.entries())
    agreement.check(index + 1, [
      stats({ logprobDifferenceMean, logprobDifferenceMax }),
      stats({ logprobDifferenceMax: 9 }),
    ])
  return warnings
}

test('what rounding explains is no warning, nor a later update of the step', (t) => {
  t.deepEqual(warningsOf('float32', [3e-6, 1e-4], [0, 0]), [])
  t.deepEqual(warningsOf('bfloat16', [0.03, 0.6]), [])
})

test('more than that is one warning', (t) => {
  t.deepEqual(warningsOf('float32', [3e-6, 3e-5], [3e-6, 2e-4], [1, 1]), [
    'step 2: log-probs of sampler and trainer differ by 0.0000030 nats a token, at most 0.00020; rounding in float32 explains 0.0001, at most 0.0001',
  ])
  t.is(warningsOf('bfloat16', [0.2, 0.6]).length, 1)
})

test('an update that was skipped tells nothing', (t) => {
  new SamplerAgreement('float32', () => t.fail()).check(1, [stats({ skipped: true, logprobDifferenceMax: Number.NaN })])
  new SamplerAgreement('float32', () => t.fail()).check(1, [])
  t.pass()
})
