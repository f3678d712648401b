import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Policy } from '../../src/index.ts'
import { largestDifference, norm, relativeError } from '../reference/compare.ts'
import { architectures, loadGolden, packSequences, sequencesOf } from '../reference/golden.ts'
import { Random } from '../reference/random.ts'
import {
  findPython,
  type TransformersJob,
  type TransformersScores,
  transformersScores,
} from '../reference/transformers.ts'

const python = findPython()

/** Sequences of 4 to 470 tokens: longer than one block of attention, and two that share a prompt. */
function randomBatch(vocabSize: number) {
  const random = new Random(41)
  const draw = (length: number) => Array.from(random.integers(length, vocabSize))
  const shared = draw(290)
  const sequences = [draw(4), [...shared, ...draw(180)], [...shared, ...draw(25)], draw(33)]
  return { sequences, promptLengths: [1, 290, 290, 8], advantages: [0.7, -1.2, 1.1, 0.4], temperature: 0.8 }
}

type Batch = ReturnType<typeof randomBatch>

const packed = (batch: Batch) => packSequences(batch.sequences, batch.promptLengths, batch.advantages)

/** Everything that a float32 policy says about the batch equals what transformers computed on the saved folder. */
async function computesTheSame(t: ExecutionContext, policy: Policy, batch: Batch, expected: TransformersScores) {
  const { temperature } = batch
  const scores = await policy.score(sequencesOf(packed(batch)), { temperature })
  t.true(relativeError(scores.logprobs, expected.logprobs) <= 1e-4)
  t.true(relativeError(scores.entropy, expected.entropy) <= 1e-4)

  const prompts = batch.sequences.map((sequence, s) => ({
    promptTokenIds: Int32Array.from(sequence.slice(0, batch.promptLengths[s])),
    n: 1,
  }))
  const generated = await policy.generate(prompts, { maxNewTokens: 4, temperature: 0, stopTokenIds: [] })
  t.deepEqual(
    generated.map(({ completions }) => Array.from(completions[0]!.tokenIds)),
    expected.greedy,
  )

  for (const sharePrompts of [false, true]) {
    await policy.computeGradients(packed(batch), { temperature, sharePrompts })
    for (const [name, size] of Object.entries(expected.gradientNorms)) {
      const actual = norm(await policy.gradient(name))
      t.true(Math.abs(actual / size - 1) <= 1e-4, `${name}: gradient norm ${actual}, transformers ${size}`)
    }
  }
}

/** Shapes that no golden folder has, in the older form of config.json. */
const created = {
  'a Llama with biases and a projection wider than the model': {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: 48,
    intermediate_size: 100,
    num_hidden_layers: 2,
    num_attention_heads: 6,
    num_key_value_heads: 3,
    head_dim: 12,
    vocab_size: 211,
    hidden_act: 'silu',
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    rope_theta: 50000,
    attention_bias: true,
    mlp_bias: true,
    tie_word_embeddings: false,
    initializer_range: 0.2,
    torch_dtype: 'float32',
  },
  'a Qwen2 with as many key-value heads as heads': {
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    vocab_size: 97,
    hidden_act: 'silu',
    max_position_embeddings: 512,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000,
    tie_word_embeddings: true,
    use_sliding_window: false,
    initializer_range: 0.2,
    torch_dtype: 'float32',
  },
}

/** A policy that was trained a step and saved, and what transformers computed on the folder. */
interface Saved {
  title: string
  dtype: 'float32' | 'bfloat16'
  architecture: string
  batch: Batch
  policy: () => Promise<Policy>
  learningRate: number
}

const saved: Saved[] = [
  ...architectures.flatMap((name) => {
    const { dir, vocabSize, architecture } = loadGolden(name)
    return (['float32', 'bfloat16'] as const).map((dtype) => ({
      title: name,
      dtype,
      architecture,
      batch: randomBatch(vocabSize),
      policy: () => Policy.load(dir, { dtype }),
      learningRate: 1e-3,
    }))
  }),
  ...Object.entries(created).map(([title, config]) => ({
    title,
    dtype: 'float32' as const,
    architecture: config.architectures[0]!,
    batch: randomBatch(config.vocab_size),
    policy: () => Policy.create(config, { seed: 3 }),
    // Biases start at zero: a large rate moves them.
    learningRate: 0.05,
  })),
]

let root = ''
const policies: Policy[] = []
let results: TransformersScores[] = []

// One Python for all: importing transformers takes longer than everything it then computes.
test.before(async (t) => {
  if ('missing' in python) return
  t.timeout(280_000)
  root = await mkdtemp(join(tmpdir(), 'magic-grpo-transformers-'))
  const jobs: TransformersJob[] = []
  for (const [index, { batch, learningRate, ...one }] of saved.entries()) {
    const policy = await one.policy()
    const { temperature } = batch
    await policy.trainStep(packed(batch), { learningRate, temperature, entropyCoefficient: 0.01 })
    const dir = join(root, String(index))
    await policy.save(dir)
    policies.push(policy)
    jobs.push({ ...batch, dir, newTokens: one.dtype === 'float32' ? 4 : 0 })
  }
  results = await transformersScores(python.path, jobs)
})

test.after.always(async () => {
  for (const policy of policies) policy.dispose()
  if (root !== '') await rm(root, { recursive: true })
})

for (const [index, { title, dtype, architecture, batch }] of saved.entries()) {
  test(`${title}: transformers loads what a trained ${dtype} policy saved, and computes the same`, async (t) => {
    if ('missing' in python) {
      t.log(`not compared with transformers: ${python.missing}`)
      t.pass()
      return
    }
    const policy = policies[index]!
    const expected = results[index]!
    t.deepEqual([expected.missing, expected.unexpected, expected.mismatched], [[], [], []])
    t.is(expected.dtype, dtype)
    t.is(expected.architecture, architecture)

    using again = await Policy.load(join(root, String(index)), { dtype: 'float32' })
    const { temperature } = batch
    if (dtype === 'float32') {
      await computesTheSame(t, policy, batch, expected)
      for (const { name } of policy.parameterShapes()) {
        t.deepEqual(await again.parameter(name), await policy.parameter(name))
      }
      return
    }
    // The saved weights are bfloat16 numbers: computed on in float32 they give the same as in float64.
    const scores = await again.score(sequencesOf(packed(batch)), { temperature })
    t.true(relativeError(scores.logprobs, expected.logprobs) <= 1e-4)
    t.true(relativeError(scores.entropy, expected.entropy) <= 1e-4)
    // Computed in bfloat16, with its 8 bits at every layer, log-probs (of about 6 nats) are within 0.15 nats.
    const narrow = await policy.score(sequencesOf(packed(batch)), { temperature })
    t.true(largestDifference(narrow.logprobs, expected.logprobs) <= 0.15)
    t.true(relativeError(narrow.logprobs, expected.logprobs) <= 0.01)
  })
}
