/**
 * Compiled, never run: what users may write against the public API, and, after each ts-expect-error, what they may not.
 * A wrong use that compiles is an unused directive, which is an error as well.
 */

import { NativeError, Policy } from '../../src/index.ts'

const tokenIds = Int32Array.of(1, 2, 3)
const batch = { tokenIds, offsets: Int32Array.of(0, 3), promptLengths: Int32Array.of(1) }
const advantages = Float32Array.of(1)

export async function rightUses(signal: AbortSignal) {
  const policy: Policy = await Policy.load('checkpoint', { device: 'cpu', dtype: 'float32' })
  await Policy.load('checkpoint', { device: 'cuda:1', dtype: 'bfloat16' })
  const adapted = await Policy.load('checkpoint', { lora: { rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] } })
  await adapted.saveAdapter(`adapter-of-rank-${adapted.lora?.rank satisfies number | undefined}`)
  await Policy.load('checkpoint', { adapter: 'adapter' })

  const scores: { logprobs: Float32Array; entropy: Float32Array } = await policy.score(batch, { temperature: 0.6 })

  const results = await policy.generate([{ promptTokenIds: tokenIds, n: 4 }], {
    maxNewTokens: 16,
    temperature: 1,
    topP: 0.9,
    topK: 50,
    seed: 1,
    stopTokenIds: [2],
    signal,
  })
  for (const { completions } of results) {
    for (const completion of completions) {
      const ids: Int32Array = completion.tokenIds
      const logprobs: Float32Array = completion.logprobs
      const entropy: Float32Array = completion.entropy
      const reason: 'stop' | 'length' = completion.finishReason
      console.log(ids, logprobs, entropy, reason)
    }
  }

  const stats = await policy.trainStep(
    { ...batch, advantages, oldLogprobs: scores.logprobs, referenceLogprobs: scores.logprobs },
    {
      temperature: 1,
      clipLow: 0.2,
      clipHigh: 0.28,
      entropyCoefficient: 0.001,
      klCoefficient: 0.001,
      learningRate: 1e-6,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0.01,
      maxGradNorm: 1,
      maxTokensPerMicroBatch: 8192,
    },
  )
  const numbers: number[] = [
    stats.loss,
    stats.policyLoss,
    stats.entropy,
    stats.clipFraction,
    stats.approxKl,
    stats.gradNorm,
    stats.tokens,
    stats.seconds,
  ]
  console.log(numbers)

  await policy.save('elsewhere')
  policy.dispose()
}

export async function scoped() {
  using policy = await Policy.load('checkpoint', { device: 'cpu', dtype: 'float32' })
  try {
    await policy.trainStep({ ...batch, advantages }, { learningRate: 1e-6 })
  } catch (error) {
    if (error instanceof NativeError) {
      const code: string = error.code
      console.log(code)
    }
  }
}

export async function wrongUses(policy: Policy) {
  // @ts-expect-error: there is no such device
  await Policy.load('checkpoint', { device: 'tpu', dtype: 'float32' })
  // @ts-expect-error: float16 is no compute type
  await Policy.load('checkpoint', { device: 'cpu', dtype: 'float16' })
  // @ts-expect-error: q, k and v are modules of their own
  await Policy.load('checkpoint', { lora: { targetModules: ['qkv_proj'] } })
  // @ts-expect-error: a policy is loaded or created, never constructed
  new Policy()
  // @ts-expect-error: token ids are typed arrays
  await policy.score({ ...batch, tokenIds: [1, 2, 3] }, { temperature: 1 })
  // @ts-expect-error: the prompt lengths are missing
  await policy.score({ tokenIds, offsets: batch.offsets }, { temperature: 1 })
  // @ts-expect-error: a temperature is a number
  await policy.score(batch, { temperature: '1' })
  // @ts-expect-error: prompts come as a list
  await policy.generate({ promptTokenIds: tokenIds, n: 1 }, { maxNewTokens: 1 })
  // @ts-expect-error: n is a number
  await policy.generate([{ promptTokenIds: tokenIds, n: '1' }], { maxNewTokens: 1 })
  // @ts-expect-error: there is no such option
  await policy.generate([{ promptTokenIds: tokenIds, n: 1 }], { maxNewTokens: 1, top_p: 0.9 })
  // @ts-expect-error: training needs advantages
  await policy.trainStep(batch, { learningRate: 1e-6 })
  // @ts-expect-error: advantages are a typed array
  await policy.trainStep({ ...batch, advantages: [1] }, { learningRate: 1e-6 })
  // @ts-expect-error: AdamW has two betas
  await policy.trainStep({ ...batch, advantages }, { learningRate: 1e-6, betas: [0.9] })
  // @ts-expect-error: there is no such option
  await policy.trainStep({ ...batch, advantages }, { learningRate: 1e-6, clip: 0.2 })
  const results = await policy.generate([{ promptTokenIds: tokenIds, n: 1 }], { maxNewTokens: 1 })
  // @ts-expect-error: there is no such finish reason
  console.log(results[0]?.completions[0]?.finishReason === 'eos')
  // @ts-expect-error: a result may be missing under noUncheckedIndexedAccess
  console.log(results[0].completions)
}
