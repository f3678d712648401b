import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Policy } from '../../src/index.ts'
import { largestDifference, norm, relativeError } from '../reference/compare.ts'
import { architectures, loadGolden, packSequences, sequencesOf } from '../reference/golden.ts'
import { Random } from '../reference/random.ts'
import { findPython, type TransformersScores, transformersScores } from '../reference/transformers.ts'

const python = findPython()

/** Runs where a Python has transformers; elsewhere says why it does not. */
function withTransformers(title: string, run: (t: ExecutionContext, python: string) => Promise<void>) {
  test(title, async (t) => {
    if ('missing' in python) {
      t.log(`not compared with transformers: ${python.missing}`)
      t.pass()
      return
    }
    t.timeout(120_000)
    await run(t, python.path)
  })
}

async function inFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'magic-grpo-transformers-'))
  try {
    await run(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}

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

function loadsWhole(t: ExecutionContext, scores: TransformersScores, dtype: string) {
  t.deepEqual(scores.missing, [])
  t.deepEqual(scores.unexpected, [])
  t.deepEqual(scores.mismatched, [])
  t.is(scores.dtype, dtype)
}

const optimizer = {
  learningRate: 1e-3,
  betas: [0.9, 0.999] as [number, number],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
}

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

for (const name of architectures) {
  const golden = loadGolden(name)
  const batch = randomBatch(golden.vocabSize)
  const { temperature } = batch

  withTransformers(`${name}: a trained and saved float32 policy is the same in transformers`, (t, python) =>
    inFolder(async (dir) => {
      using policy = await Policy.load(golden.dir, { device: 'cpu', dtype: 'float32' })
      await policy.trainStep(packed(batch), { ...optimizer, temperature, entropyCoefficient: 0.01 })
      await policy.save(dir)
      const expected = transformersScores(python, dir, { ...batch, newTokens: 4 })
      loadsWhole(t, expected, 'float32')
      const { architectures } = JSON.parse(await readFile(join(golden.dir, 'config.json'), 'utf8'))
      t.is(expected.architecture, architectures[0])
      await computesTheSame(t, policy, batch, expected)

      using again = await Policy.load(dir, { device: 'cpu', dtype: 'float32' })
      for (const { name } of policy.parameterShapes()) {
        t.deepEqual(await again.parameter(name), await policy.parameter(name))
      }
    }),
  )

  withTransformers(`${name}: a trained and saved bfloat16 policy is the same in transformers`, (t, python) =>
    inFolder(async (dir) => {
      using policy = await Policy.load(golden.dir, { device: 'cpu', dtype: 'bfloat16' })
      await policy.trainStep(packed(batch), { ...optimizer, temperature, entropyCoefficient: 0.01 })
      await policy.save(dir)
      const expected = transformersScores(python, dir, { ...batch, newTokens: 0 })
      loadsWhole(t, expected, 'bfloat16')
      // The saved weights are bfloat16 numbers: computed on in float32 they give the same as in float64.
      using wide = await Policy.load(dir, { device: 'cpu', dtype: 'float32' })
      const scores = await wide.score(sequencesOf(packed(batch)), { temperature })
      t.true(relativeError(scores.logprobs, expected.logprobs) <= 1e-4)
      t.true(relativeError(scores.entropy, expected.entropy) <= 1e-4)
      // Computed in bfloat16, with its 8 bits at every layer, log-probs (of about 6 nats) are within 0.15 nats.
      const narrow = await policy.score(sequencesOf(packed(batch)), { temperature })
      t.true(largestDifference(narrow.logprobs, expected.logprobs) <= 0.15)
      t.true(relativeError(narrow.logprobs, expected.logprobs) <= 0.01)
    }),
  )
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

for (const [title, config] of Object.entries(created)) {
  withTransformers(`${title}, created and saved, is the same in transformers`, (t, python) =>
    inFolder(async (dir) => {
      using policy = await Policy.create(config, { seed: 3, device: 'cpu', dtype: 'float32' })
      const batch = randomBatch(config.vocab_size)
      // Biases start at zero: a step with a large rate moves them.
      await policy.trainStep(packed(batch), { ...optimizer, learningRate: 0.05, temperature: 1 })
      await policy.save(dir)
      const expected = transformersScores(python, dir, { ...batch, newTokens: 4 })
      loadsWhole(t, expected, 'float32')
      t.is(expected.architecture, config.architectures[0]!)
      await computesTheSame(t, policy, batch, expected)
    }),
  )
}
