import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Policy } from '../../src/index.ts'
import { expectedTensors } from '../../src/policy/check-tensors.ts'
import { modelShape } from '../../src/policy/model-config.ts'
import { architectures } from '../reference/golden.ts'
import { writeSafetensors } from '../reference/safetensors.ts'
import { batch, config, goldenCopy, goldenFolder, prompt, temporaryFolder } from './tiny.ts'

const tokens = Int32Array.of(3, 1, 4, 1, 5)

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

/** The same model as config.json was written before transformers 5. */
function olderForm(current: Record<string, unknown>): Record<string, unknown> {
  const { rope_parameters: rope, dtype, ...rest } = current
  const { rope_theta: theta, ...scaling } = rope as Record<string, unknown>
  const { rope_type: type, ...numbers } = scaling
  return {
    ...rest,
    torch_dtype: dtype,
    rope_theta: theta,
    rope_scaling: type === 'default' ? null : { type, ...numbers },
  }
}

for (const name of architectures) {
  test(`${name}: both forms of config.json give one shape and one model`, async (t) => {
    const dir = goldenCopy(t, name)
    const path = join(dir, 'config.json')
    const current = readJson(path)
    using newer = await Policy.load(dir)
    writeFileSync(path, JSON.stringify(olderForm(current)))
    using older = await Policy.load(dir)
    t.deepEqual(older.shape, newer.shape)
    t.deepEqual(modelShape(olderForm(current)), modelShape(current))
    t.deepEqual(await older.logits(tokens), await newer.logits(tokens))
    t.deepEqual(
      [...expectedTensors(newer.shape)].map(([tensor, shape]) => ({ name: tensor, shape })),
      newer.parameterShapes(),
    )
  })
}

test('the tensors of a shape with every bias are those that the native side lists', async (t) => {
  for (const changes of [
    { architectures: ['LlamaForCausalLM'], attention_bias: true, mlp_bias: true, tie_word_embeddings: false },
    { architectures: ['Qwen3ForCausalLM'], attention_bias: true, head_dim: 32 },
  ]) {
    using policy = await Policy.create({ ...config(), ...changes })
    t.deepEqual(
      [...expectedTensors(policy.shape)].map(([name, shape]) => ({ name, shape })),
      policy.parameterShapes(),
    )
  }
})

test('save writes what load reads, with the tokenizer files of its source and the compute type', async (t) => {
  const source = goldenCopy(t, 'qwen3')
  writeFileSync(join(source, 'tokenizer.json'), '{"the":"tokenizer"}')
  writeFileSync(join(source, 'generation_config.json'), '{"eos_token_id":7}')
  writeFileSync(join(source, 'notes.txt'), 'stays where it is')
  const target = join(temporaryFolder(t), 'new', 'folder')
  for (const dtype of ['float32', 'bfloat16'] as const) {
    using policy = await Policy.load(source, { dtype })
    await policy.save(target)
    t.deepEqual(readdirSync(target).sort(), [
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
    ])
    t.is(readJson(join(target, 'config.json')).dtype, dtype)
    t.is(readFileSync(join(target, 'tokenizer.json'), 'utf8'), '{"the":"tokenizer"}')
    using again = await Policy.load(target, { dtype })
    t.deepEqual(await again.logits(tokens), await policy.logits(tokens))
    t.deepEqual(again.shape, policy.shape)
  }
})

test('save into an existing folder replaces its weights, whatever their files were called', async (t) => {
  const dir = temporaryFolder(t)
  for (const name of ['model-00001-of-00002.safetensors', 'model.safetensors.index.json', 'optimizer.safetensors'])
    writeFileSync(join(dir, name), 'old')
  using policy = await Policy.create(config())
  await policy.save(dir)
  t.deepEqual(readdirSync(dir).sort(), ['config.json', 'model.safetensors', 'optimizer.safetensors'])
  using again = await Policy.load(dir)
  t.deepEqual(await again.logits(tokens), await policy.logits(tokens))
})

test('save onto the folder it was loaded from', async (t) => {
  const dir = goldenCopy(t)
  writeFileSync(join(dir, 'tokenizer.json'), '{}')
  using policy = await Policy.load(dir)
  await policy.trainStep(batch(), { learningRate: 1e-2 })
  await policy.save(dir)
  t.deepEqual(readdirSync(dir).sort(), readdirSync(goldenFolder('qwen2-tied')).concat('tokenizer.json').sort())
  using again = await Policy.load(dir)
  t.deepEqual(await again.logits(tokens), await policy.logits(tokens))
})

test('a created policy is saved with the names that transformers needs', async (t) => {
  const { architectures: _, ...rest } = config()
  using policy = await Policy.create(rest, { dtype: 'bfloat16' })
  const dir = join(temporaryFolder(t), 'model')
  await policy.save(dir)
  const saved = readJson(join(dir, 'config.json'))
  t.deepEqual(saved.architectures, ['Qwen2ForCausalLM'])
  t.is(saved.model_type, 'qwen2')
  t.is(saved.dtype, 'bfloat16')
})

test('shards are read as one file is', async (t) => {
  const whole = goldenCopy(t, 'llama')
  using policy = await Policy.load(whole)
  const dir = join(temporaryFolder(t), 'sharded')
  mkdirSync(dir)
  writeFileSync(join(dir, 'config.json'), readFileSync(join(whole, 'config.json')))
  const names = policy.parameterShapes()
  const weightMap: Record<string, string> = {}
  for (const [index, file] of ['a.safetensors', 'b.safetensors'].entries()) {
    const own = names.filter((_, position) => position % 2 === index)
    const tensors = await Promise.all(
      own.map(async ({ name, shape }) => ({ name, shape, values: await policy.parameter(name) })),
    )
    writeSafetensors(join(dir, file), tensors)
    for (const { name } of own) weightMap[name] = file
  }
  writeFileSync(join(dir, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: weightMap }))
  using sharded = await Policy.load(dir)
  t.deepEqual(await sharded.logits(tokens), await policy.logits(tokens))
})

test('one seed, one model', async (t) => {
  const logits = async (seed: number | bigint) => {
    using policy = await Policy.create(config(), { seed })
    return policy.logits(tokens)
  }
  const first = await logits(1)
  t.deepEqual(await logits(1n), first)
  t.notDeepEqual(await logits(2), first)
})

test('a training run goes on after save and load as if nothing had happened', async (t) => {
  const dir = join(temporaryFolder(t), 'checkpoint')
  using policy = await Policy.create(config(), { seed: 3 })
  const step = (of: Policy) => of.trainStep(batch(), { learningRate: 1e-2 })
  await step(policy)
  await step(policy)
  await policy.save(dir)
  await policy.saveOptimizer(join(dir, 'optimizer.safetensors'))
  using resumed = await Policy.load(dir)
  await resumed.loadOptimizer(join(dir, 'optimizer.safetensors'))
  const [expected, actual] = [await step(policy), await step(resumed)]
  t.is(actual.loss, expected.loss)
  t.is(actual.gradNorm, expected.gradNorm)
  const name = policy.parameterShapes()[1]!.name
  t.deepEqual(await resumed.parameter(name), await policy.parameter(name))
})

test('save, saveOptimizer and loadOptimizer keep their place among the calls', async (t) => {
  const dir = temporaryFolder(t)
  mkdirSync(join(dir, 'existing'))
  using policy = await Policy.create(config(), { seed: 5 })
  const name = policy.parameterShapes()[0]!.name
  const before = await policy.parameter(name)
  const state = join(dir, 'optimizer.safetensors')
  const folders = ['new/folder', 'existing'].map((folder) => join(dir, folder))
  const update = () => policy.trainStep(batch(), { learningRate: 1e-2 })
  const [, , , after] = await Promise.all([
    policy.saveOptimizer(state),
    ...folders.map((folder) => policy.save(folder)),
    update().then(() => policy.parameter(name)),
  ])
  t.notDeepEqual(after, before)
  for (const folder of folders) {
    using saved = await Policy.load(folder)
    t.deepEqual(await saved.parameter(name), before)
  }
  const [, restored] = await Promise.all([policy.loadOptimizer(state), policy.parameter(name), update()])
  t.deepEqual(restored, before)
})

test('the seed of generate decides, or one seed a sample does', async (t) => {
  using policy = await Policy.create(config(), { seed: 4 })
  const ids = async (seeding: { seed?: number | bigint; seeds?: BigUint64Array }) => {
    const { seeds, ...options } = seeding
    const prompts = [{ ...prompt(3)[0]!, ...(seeds && { seeds }) }]
    const [first] = await policy.generate(prompts, { maxNewTokens: 8, ...options })
    return first!.completions.map(({ tokenIds }) => Array.from(tokenIds))
  }
  const first = await ids({ seed: 1 })
  t.deepEqual(await ids({ seed: 1 }), first)
  t.notDeepEqual(await ids({ seed: 2 }), first)
  t.notDeepEqual(await ids({ seed: 1n << 40n }), await ids({ seed: 0 }))
  t.notDeepEqual(await ids({}), await ids({}))
  const [same, again, other] = await ids({ seeds: BigUint64Array.of(9n, 9n, 10n) })
  t.deepEqual(again, same)
  t.notDeepEqual(other, same)
})

test('progress is reported while tokens are drawn', async (t) => {
  using policy = await Policy.create(config({ hidden: 128, layers: 4 }))
  const seen: { tokens: number; finished: number }[] = []
  await policy.generate(prompt(4), { maxNewTokens: 200, onProgress: (progress) => seen.push(progress) })
  t.true(seen.length >= 1)
  t.true(seen.every(({ tokens: drawn, finished }) => drawn <= 800 && finished <= 4))
  t.deepEqual(
    seen.map((progress) => progress.tokens),
    seen.map((progress) => progress.tokens).sort((a, b) => a - b),
  )
})

test('inputs are copied when the call is made', async (t) => {
  using policy = await Policy.create(config())
  const given = batch()
  const expected = await policy.score(sequences(given))
  const call = policy.score(sequences(given))
  given.tokenIds.fill(1)
  t.deepEqual(await call, expected)
})

const sequences = ({ tokenIds, offsets, promptLengths }: ReturnType<typeof batch>) => ({
  tokenIds,
  offsets,
  promptLengths,
})
