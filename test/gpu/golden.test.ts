import test from 'ava'
import { Policy } from '../../src/index.ts'
import { norm, relativeError } from '../reference/compare.ts'
import { architectures, flatTokens, loadGolden, lossOptions, sequencesOf } from '../reference/golden.ts'
import { skipped } from './skipped.ts'

/** What transformers computed in float64 is reached on the GPU within: float32 as on the CPU, bfloat16 by its 8 bits. */
const bounds = { float32: 1e-4, bfloat16: 0.01 } as const

for (const name of architectures) {
  const golden = loadGolden(name)
  const batch = { ...golden.batch, oldLogprobs: golden.oldLogprobs, referenceLogprobs: golden.referenceLogprobs }

  for (const dtype of ['float32', 'bfloat16'] as const) {
    test(`${name}, ${dtype}: log-probs, entropies, losses and gradients on CUDA`, async (t) => {
      if (skipped(t)) return
      using policy = await Policy.load(golden.dir, { device: 'cuda', dtype })
      for (const loss of golden.expected.losses) {
        const scores = await policy.score(sequencesOf(golden.batch), { temperature: loss.options.temperature })
        for (const key of ['logprobs', 'entropy'] as const) {
          const error = relativeError(scores[key], flatTokens(loss, key))
          t.true(error <= bounds[dtype], `${key}: ${error}`)
        }
        const stats = await policy.computeGradients(batch, lossOptions(loss))
        t.true(
          Math.abs(stats.loss - loss.loss) <=
            bounds[dtype] * Math.max(Math.abs(loss.loss), 1e-3, dtype === 'bfloat16' ? 1 : 0),
        )
        if (dtype === 'bfloat16') continue
        const off = Math.abs(stats.gradNorm / loss.grad_norm - 1)
        t.true(off <= bounds[dtype], `gradient norm ${stats.gradNorm}, expected ${loss.grad_norm}`)
        for (const [parameter, size] of Object.entries(loss.grad_norms)) {
          const error = Math.abs(norm(await policy.gradient(parameter)) - size)
          t.true(error <= bounds[dtype] * Math.max(size, 1e-3), `${parameter}: ${error} of ${size}`)
        }
      }
    })
  }

  // Without clipping, which a rounded log-prob can switch on or off: a jump of the gradient.
  test(`${name}, bfloat16: gradient norms on CUDA`, async (t) => {
    if (skipped(t)) return
    using exact = await Policy.load(golden.dir, { device: 'cpu' })
    using policy = await Policy.load(golden.dir, { device: 'cuda', dtype: 'bfloat16' })
    const { oldLogprobs: _, ...onPolicy } = batch
    for (const loss of golden.expected.losses) {
      const options = lossOptions(loss)
      const { gradNorm: expected } = await exact.computeGradients(onPolicy, options)
      for (const gradientDtype of ['float32', 'bfloat16'] as const) {
        const { gradNorm } = await policy.computeGradients(onPolicy, { ...options, gradientDtype })
        t.true(
          Math.abs(gradNorm / expected - 1) <= bounds.bfloat16,
          `${gradientDtype}: ${gradNorm}, expected ${expected}`,
        )
      }
    }
  })

  test(`${name}: 20 greedy tokens on CUDA`, async (t) => {
    if (skipped(t)) return
    using policy = await Policy.load(golden.dir, { device: 'cuda', dtype: 'float32' })
    const prompts = golden.expected.sequences.map((sequence, s) => ({
      promptTokenIds: Int32Array.from(sequence.slice(0, golden.expected.prompt_lengths[s]!)),
      n: 1,
    }))
    const results = await policy.generate(prompts, { maxNewTokens: 20, temperature: 0, stopTokenIds: [] })
    t.deepEqual(
      results.map(({ completions }) => Array.from(completions[0]!.tokenIds)),
      golden.greedy,
    )
  })
}
