import test from 'ava'
import { type LoraOptions, Policy, type TrainingBatch } from '../../src/index.ts'
import { largestDifference, norm, relativeError } from '../reference/compare.ts'
import { architectures, loadGolden, sequencesOf } from '../reference/golden.ts'
import { matrixProduct, transposed } from '../reference/matrix.ts'
import { temporaryFolder } from './tiny.ts'

const lora = { rank: 3, alpha: 12, seed: 5 } satisfies LoraOptions
const scale = lora.alpha / lora.rank
const prefix = 'base_model.model.'

type Golden = ReturnType<typeof loadGolden>

function trainingBatch(golden: Golden): TrainingBatch {
  return { ...golden.batch, oldLogprobs: golden.oldLogprobs, referenceLogprobs: golden.referenceLogprobs }
}

const loss = { temperature: 0.8, clipHigh: 0.28, entropyCoefficient: 0.01, klCoefficient: 0.1 }

/** An adapter whose B is no longer zero. */
async function trained(golden: Golden, options: LoraOptions = lora): Promise<Policy> {
  const policy = await Policy.load(golden.dir, { lora: options })
  for (let step = 0; step < 2; step++) await policy.trainStep(trainingBatch(golden), { ...loss, learningRate: 0.02 })
  return policy
}

/** Modules with an adapter, as Hugging Face names them. */
function modulesOf(policy: Policy): string[] {
  const suffix = '.lora_A.weight'
  const names = policy.parameterShapes().map(({ name }) => name)
  return names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(prefix.length, -suffix.length))
}

for (const name of architectures) {
  const golden = loadGolden(name)

  test(`${name}: with B zero a new adapter changes nothing, and A is drawn as PEFT draws it`, async (t) => {
    using base = await Policy.load(golden.dir)
    using policy = await Policy.load(golden.dir, { lora })
    const tokens = Int32Array.from(golden.expected.sequences[0]!)
    t.deepEqual(await policy.logits(tokens), await base.logits(tokens))
    t.is(modulesOf(policy).length, 7 * policy.shape.layerCount)
    for (const { name, shape } of policy.parameterShapes().filter(({ name }) => name.includes('lora_'))) {
      const values = await policy.parameter(name)
      t.is(values.length, shape[0]! * shape[1]!)
      const bound = name.includes('lora_A') ? 1 / Math.sqrt(shape[1]!) : 0
      t.true(values.every((value) => Math.abs(value) <= bound))
      // The norm of n values uniform in +-b is b sqrt(n / 3).
      t.true(Math.abs(norm(values) - bound * Math.sqrt(values.length / 3)) <= 0.25 * norm(values), name)
    }
  })

  test(`${name}: gradients of A and B are what the gradient of the merged weight makes of them`, async (t) => {
    using policy = await trained(golden)
    const merged = temporaryFolder(t)
    await policy.save(merged)
    using whole = await Policy.load(merged)
    const stats = await whole.computeGradients(trainingBatch(golden), loss)
    const expected = new Map<string, Float32Array>()
    for (const module of modulesOf(policy)) {
      const weight = `${module}.weight`
      const [out, width] = whole.parameterShapes().find(({ name }) => name === weight)!.shape as [number, number]
      const [a, b] = [`${prefix}${module}.lora_A.weight`, `${prefix}${module}.lora_B.weight`]
      const [d, A, B] = [await whole.gradient(weight), await policy.parameter(a), await policy.parameter(b)]
      // W + s B A: dA = s B^T dW, dB = s dW A^T.
      const { rank } = lora
      expected.set(a, matrixProduct(transposed(B, out, rank), d, [rank, out, width], scale))
      expected.set(b, matrixProduct(d, transposed(A, rank, width), [out, width, rank], scale))
    }
    const size = Math.hypot(...[...expected.values()].map(norm))
    for (const variant of [{}, { maxTokensPerMicroBatch: 16, activationCheckpointing: true, sharePrompts: false }]) {
      const own = await policy.computeGradients(trainingBatch(golden), { ...loss, ...variant })
      t.true(Math.abs(own.loss - stats.loss) <= 1e-5 * Math.max(Math.abs(stats.loss), 0.1))
      t.true(Math.abs(own.gradNorm / size - 1) <= 1e-4, `norm ${own.gradNorm}, expected ${size}`)
      for (const [parameter, gradient] of expected)
        t.true(relativeError(await policy.gradient(parameter), gradient) <= 1e-4, parameter)
    }
  })

  test(`${name}: a merged model computes and generates what the adapter does`, async (t) => {
    using policy = await trained(golden, { ...lora, targetModules: ['q_proj', 'v_proj', 'up_proj', 'down_proj'] })
    t.is(modulesOf(policy).length, 4 * policy.shape.layerCount)
    const folder = temporaryFolder(t)
    await policy.save(folder)
    using merged = await Policy.load(folder)
    const { expected, batch } = golden
    using base = await Policy.load(golden.dir)
    for (const sequence of expected.sequences) {
      const tokens = Int32Array.from(sequence)
      const logits = await policy.logits(tokens)
      t.true(largestDifference(logits, await merged.logits(tokens)) <= 1e-5 * Math.max(1, norm(logits)))
      t.true(largestDifference(logits, await base.logits(tokens)) > 1e-3, 'the adapter does something')
    }
    const prompts = expected.sequences.map((sequence, s) => ({
      promptTokenIds: Int32Array.from(sequence.slice(0, expected.prompt_lengths[s])),
    }))
    const tokensOf = async (of: Policy) =>
      (await of.generate(prompts, { maxNewTokens: 20, temperature: 0 })).map(({ completions: [one] }) => one!.tokenIds)
    t.deepEqual(await tokensOf(policy), await tokensOf(merged))

    const scores = await policy.score(sequencesOf(batch), { temperature: 0.8 })
    t.true(
      relativeError(scores.logprobs, (await merged.score(sequencesOf(batch), { temperature: 0.8 })).logprobs) <= 1e-5,
    )
    const without = await policy.score(sequencesOf(batch), { temperature: 0.8, adapter: false })
    t.deepEqual(without, await base.score(sequencesOf(batch), { temperature: 0.8 }))
  })
}

test('the model is frozen: no parameter of it moves or has a gradient', async (t) => {
  const golden = loadGolden('qwen3')
  using base = await Policy.load(golden.dir)
  using policy = await trained(golden)
  t.deepEqual(policy.lora, {
    rank: 3,
    alpha: 12,
    targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  })
  for (const { name } of base.parameterShapes()) {
    t.deepEqual(await policy.parameter(name), await base.parameter(name), name)
    await t.throwsAsync(policy.gradient(name), { code: 'INVALID_ARGUMENT', message: /is frozen and has no gradient/ })
  }
})

test('bfloat16: float32 masters learn what bfloat16 would round away', async (t) => {
  const golden = loadGolden('qwen2-tied')
  const options = { lora, dtype: 'bfloat16' } as const
  using policy = await Policy.load(golden.dir, options)
  using exact = await Policy.load(golden.dir, { lora })
  const name = `${prefix}model.layers.0.self_attn.q_proj.lora_A.weight`
  t.deepEqual(await policy.parameter(name), await exact.parameter(name))
  for (const one of [policy, exact]) await one.trainStep(trainingBatch(golden), { ...loss, learningRate: 0.02 })
  const b = name.replace('lora_A', 'lora_B')
  // The first update is learning rate * sign of the gradient: bfloat16 gets the sign of all but the smallest right.
  t.true(relativeError(await policy.parameter(b), await exact.parameter(b)) <= 0.5)
  // B is about 0.02, where bfloat16 numbers are 1e-4 apart.
  const before = await policy.parameter(b)
  await policy.trainStep(trainingBatch(golden), { ...loss, learningRate: 1e-6, weightDecay: 0 })
  const moved = largestDifference(await policy.parameter(b), before)
  t.true(moved > 1e-7 && moved < 1e-5, `moved by ${moved}`)
})

test('resetOptimizer starts AdamW anew', async (t) => {
  const golden = loadGolden('llama')
  const folder = temporaryFolder(t)
  using policy = await trained(golden)
  await policy.saveAdapter(folder)
  using fresh = await Policy.load(golden.dir, { adapter: folder })
  await policy.resetOptimizer()
  const name = `${prefix}model.layers.0.mlp.down_proj.lora_B.weight`
  const step = (one: Policy) => one.trainStep(trainingBatch(golden), { ...loss, learningRate: 0.01 })
  await Promise.all([step(policy), step(fresh)])
  t.deepEqual(await policy.parameter(name), await fresh.parameter(name))
})
