import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { NativeError, Policy } from '../../src/index.ts'
import { loadAddon } from '../../src/native/load.ts'
import { safetensorsBytes, writeSafetensors } from '../reference/safetensors.ts'
import { batch, config, goldenCopy, prompt, temporaryFolder } from './tiny.ts'

/** The call rejects with a NativeError of this code, whose message is one line and has all of these parts. */
async function rejects(
  t: ExecutionContext,
  call: () => Promise<unknown>,
  code: NativeError['code'],
  ...parts: string[]
) {
  const error = await call().then(
    () => t.fail('it was accepted'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof NativeError)) throw error
  t.is(error.code, code, error.message)
  for (const part of parts) t.true(error.message.includes(part), `"${error.message}" lacks "${part}"`)
  t.false(error.message.includes('\n'))
}

let shared: Policy
test.before(async () => {
  shared = await Policy.create(config(), { seed: 1 })
})
test.after.always(() => shared?.dispose())

test('missing folders and files', async (t) => {
  const dir = goldenCopy(t)
  await rejects(
    t,
    () => Policy.load('/no/such/folder'),
    'FILE',
    '/no/such/folder/config.json',
    'no such file',
    'Hugging Face',
  )
  rmSync(join(dir, 'model.safetensors'))
  await rejects(t, () => Policy.load(dir), 'FILE', dir, 'model.safetensors')
  writeFileSync(join(dir, 'pytorch_model.bin'), '')
  await rejects(t, () => Policy.load(dir), 'FILE', 'pytorch_model.bin', 'safe_serialization')
  mkdirSync(join(dir, 'model.safetensors'))
  await rejects(t, () => Policy.load(dir), 'FILE', 'model.safetensors')
  writeFileSync(join(dir, 'config.json'), '{ "architectures": ')
  await rejects(t, () => Policy.load(dir), 'FILE', 'config.json', 'not valid JSON')
})

test('a truncated checkpoint', async (t) => {
  const dir = goldenCopy(t)
  const path = join(dir, 'model.safetensors')
  const bytes = readFileSync(path).length
  for (const [size, part] of [
    [bytes - 1, 'truncated'],
    [1000, 'truncated'],
    [4, 'truncated'],
    [0, 'truncated'],
  ] as const) {
    truncateSync(path, size)
    await rejects(t, () => Policy.load(dir), 'FILE', path, part)
  }
})

test('tensors that are missing or of another shape or type', async (t) => {
  const dir = goldenCopy(t)
  const path = join(dir, 'model.safetensors')
  using policy = await Policy.load(dir)
  const all = await Promise.all(
    policy.parameterShapes().map(async ({ name, shape }) => ({ name, shape, values: await policy.parameter(name) })),
  )
  const name = 'model.layers.1.mlp.down_proj.weight'
  writeSafetensors(
    path,
    all.filter((tensor) => tensor.name !== name),
  )
  await rejects(t, () => Policy.load(dir), 'FILE', name, 'missing')
  writeSafetensors(
    path,
    all.map((tensor) => (tensor.name === name ? { ...tensor, shape: tensor.shape.toReversed() } : tensor)),
  )
  await rejects(t, () => Policy.load(dir), 'FILE', name, '[160, 64]', '[64, 160]', 'config.json')
  writeFileSync(path, safetensorsBytes(`{"${name}":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, Buffer.alloc(8)))
  await rejects(t, () => Policy.load(dir), 'FILE', path, name, 'I64', 'BF16')
})

// before the others, whose memory would count
test.serial('a config of more layers than the file has costs nothing', async (t) => {
  const dir = goldenCopy(t, 'llama')
  const path = join(dir, 'config.json')
  const layers = (count: number) =>
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), num_hidden_layers: count }))
  layers(10_000)
  const before = process.memoryUsage.rss()
  await rejects(t, () => Policy.load(dir), 'FILE', 'model.layers.3.', 'missing', dir)
  const grown = process.memoryUsage.rss() - before
  t.true(grown < 100e6, `it took ${grown / 1e6} MB`)
  layers(20_000)
  await rejects(t, () => Policy.load(dir), 'INVALID_ARGUMENT', 'num_hidden_layers', '20000')
})

test('unsupported models', async (t) => {
  const create = (changes: Record<string, unknown>) => () => Policy.create({ ...config(), ...changes })
  await rejects(t, create({ architectures: ['GPT2LMHeadModel'] }), 'UNSUPPORTED', 'GPT2LMHeadModel', 'Qwen3ForCausalLM')
  await rejects(t, create({ hidden_act: 'gelu' }), 'UNSUPPORTED', 'hidden_act', 'gelu', 'silu')
  await rejects(t, create({ hidden_size: -1 }), 'INVALID_ARGUMENT', 'hidden_size', '-1')
  await rejects(t, () => Policy.create(null as never), 'INVALID_ARGUMENT', 'config', 'null')
})

test('devices, types and options of load and create', async (t) => {
  const load = (options: object) => () => Policy.load('/no/such/folder', options)
  await rejects(t, load({ device: 'tpu' }), 'INVALID_ARGUMENT', 'Policy.load options.device', '"cuda"', '"tpu"')
  await rejects(
    t,
    load({ dtype: 'float16' }),
    'INVALID_ARGUMENT',
    'Policy.load options.dtype',
    '"bfloat16"',
    '"float16"',
  )
  await rejects(t, load({ dtyp: 'float32' }), 'INVALID_ARGUMENT', 'dtyp', 'did you mean dtype?')
  await rejects(t, () => Policy.create(config(), { seed: 0.5 }), 'INVALID_ARGUMENT', 'seed', '0.5')
  if (!loadAddon().versions().cudaAvailable) {
    await rejects(t, () => Policy.create(config(), { device: 'cuda' }), 'UNSUPPORTED', 'cuda', 'doctor')
  }
})

const { advantages: _, ...scored } = batch()
/** A batch with one thing wrong, and what its error says. */
const wrongBatches: [string, object, ...string[]][] = [
  ['a token outside the vocabulary', { tokenIds: scored.tokenIds.with(3, 331) }, 'tokenIds[3]', '331'],
  ['a negative token', { tokenIds: scored.tokenIds.with(0, -1) }, 'tokenIds[0]', '-1'],
  ['token ids as a plain array', { tokenIds: [1, 2, 3] }, 'tokenIds', 'Int32Array', 'an array of 3'],
  ['token ids of another type', { tokenIds: new Float64Array(16) }, 'tokenIds', 'Int32Array', 'a Float64Array of 16'],
  ['no token ids', { tokenIds: undefined }, 'tokenIds', 'Int32Array', 'undefined'],
  [
    'an empty batch',
    { tokenIds: new Int32Array(0), offsets: Int32Array.of(0), promptLengths: new Int32Array(0) },
    'promptLengths is empty',
  ],
  ['offsets that end early', { offsets: Int32Array.of(0, 8, 15) }, 'offsets', '15', '16'],
  ['offsets that fall', { offsets: Int32Array.of(0, 18, 16) }, 'offsets', '18'],
  ['offsets that do not start at 0', { offsets: Int32Array.of(1, 8, 16) }, 'offsets[0]'],
  ['too few offsets', { offsets: Int32Array.of(0, 16) }, 'offsets'],
  ['an empty sequence', { offsets: Int32Array.of(0, 0, 16) }, 'offsets[1]'],
  ['no prompt', { promptLengths: Int32Array.of(4, 0) }, 'promptLengths[1]', '0'],
  ['a prompt longer than its sequence', { promptLengths: Int32Array.of(4, 9) }, 'promptLengths[1]', '9'],
  ['no response tokens', { promptLengths: Int32Array.of(8, 8) }, 'no response tokens'],
  ['an unknown field', { tokenId: 1 }, 'tokenId', 'did you mean tokenIds?'],
]
for (const [what, changes, ...parts] of wrongBatches) {
  test(`score and trainStep refuse ${what}`, async (t) => {
    await rejects(t, () => shared.score({ ...scored, ...changes }), 'INVALID_ARGUMENT', ...parts)
    await rejects(t, () => shared.trainStep({ ...batch(), ...changes }), 'INVALID_ARGUMENT', ...parts)
  })
}

const f32 = (length: number, value = 0) => new Float32Array(length).fill(value)
const wrongTraining: [string, object, object, ...string[]][] = [
  ['a NaN advantage', { advantages: Float32Array.of(1, Number.NaN) }, {}, 'advantages[1]', 'nan', 'finite'],
  ['an infinite advantage', { advantages: Float32Array.of(Number.POSITIVE_INFINITY, 1) }, {}, 'advantages[0]', 'inf'],
  ['one advantage too few', { advantages: f32(1) }, {}, 'advantages', '1', '2'],
  ['advantages as a plain array', { advantages: [1, -1] }, {}, 'advantages', 'Float32Array', 'an array of 2'],
  ['old log-probs of another length', { oldLogprobs: f32(7) }, {}, 'oldLogprobs', '7', '8'],
  ['empty old log-probs', { oldLogprobs: f32(0) }, {}, 'oldLogprobs', 'Float32Array of 0'],
  ['NaN old log-probs', { oldLogprobs: f32(8, Number.NaN) }, {}, 'oldLogprobs[0]', 'nan'],
  ['a mistyped field', { oldLogProbs: f32(8) }, {}, 'oldLogProbs', 'did you mean oldLogprobs?'],
  ['KL without a reference', {}, { klCoefficient: 0.1 }, 'klCoefficient', 'referenceLogprobs'],
  ['a text as a number', {}, { clipLow: 'x' }, 'trainStep options.clipLow', 'a finite number from 0 to 1', '"x"'],
  ['temperature 0', {}, { temperature: 0 }, 'trainStep options.temperature', 'at least 0.00001', 'got 0'],
  ['a NaN learning rate', {}, { learningRate: Number.NaN }, 'learningRate', 'NaN'],
  ['a negative learning rate', {}, { learningRate: -1 }, 'learningRate', 'at least 0', '-1'],
  ['one beta', {}, { betas: [0.9] }, 'betas', 'an array of 1'],
  ['a beta of 1', {}, { betas: [0.9, 1] }, 'betas', 'below 1'],
  ['a micro-batch of nothing', {}, { maxTokensPerMicroBatch: 0 }, 'maxTokensPerMicroBatch', 'got 0'],
  ['half a token', {}, { maxTokensPerMicroBatch: 0.5 }, 'maxTokensPerMicroBatch', '0.5'],
  ['a mistyped option', {}, { learningrate: 1 }, 'learningrate', 'did you mean learningRate?'],
  ['an option like none', {}, { momentumNesterov: 1 }, 'momentumNesterov', 'known:'],
  ['a signal that is none', {}, { signal: {} }, 'signal', 'AbortSignal', 'an object'],
]
for (const [what, changes, options, ...parts] of wrongTraining) {
  test(`trainStep refuses ${what}`, async (t) => {
    await rejects(t, () => shared.trainStep({ ...batch(), ...changes }, options), 'INVALID_ARGUMENT', ...parts)
  })
}

test('what is refused changes nothing', async (t) => {
  using policy = await Policy.create(config(), { seed: 2 })
  const name = policy.parameterShapes()[0]!.name
  const before = await policy.parameter(name)
  await t.throwsAsync(policy.trainStep({ ...batch(), advantages: Float32Array.of(Number.NaN, 1) }))
  t.deepEqual(await policy.parameter(name), before)
})

const wrongGeneration: [string, unknown, object, ...string[]][] = [
  ['no prompts', [], {}, 'generate prompts', 'an array of 0'],
  ['one prompt outside a list', prompt()[0], {}, 'generate prompts', 'an object'],
  ['an empty prompt', [{ promptTokenIds: new Int32Array(0) }], {}, 'prompts[0].promptTokenIds', 'Int32Array of 0'],
  ['a plain array as prompt', [{ promptTokenIds: [1] }], {}, 'prompts[0].promptTokenIds', 'an array of 1'],
  [
    'a token outside the vocabulary',
    [{ promptTokenIds: Int32Array.of(1, 400) }],
    {},
    'prompts[0].promptTokenIds[1]',
    '400',
    '331',
  ],
  ['no completions', prompt(0), {}, 'prompts[0].n', 'got 0'],
  [
    'seeds of another number',
    [{ ...prompt(3)[0], seeds: BigUint64Array.of(1n) }],
    {},
    'prompts[0].seeds',
    'n = 3',
    'BigUint64Array of 1',
  ],
  ['a mistyped field of a prompt', [{ ...prompt()[0], N: 2 }], {}, 'prompts[0]', '"N"', 'did you mean n?'],
  ['no maxNewTokens', prompt(), { maxNewTokens: undefined }, 'maxNewTokens', 'undefined'],
  ['no new tokens', prompt(), { maxNewTokens: 0 }, 'maxNewTokens', 'got 0'],
  ['topP 0', prompt(), { topP: 0 }, 'topP', 'above 0 up to 1', 'got 0'],
  ['a negative temperature', prompt(), { temperature: -1 }, 'temperature', '0 (greedy)', 'at least 0.00001', '-1'],
  ['a temperature that leaves no differences', prompt(), { temperature: 1e-9 }, 'temperature', 'at least', '1e-9'],
  ['a fractional topK', prompt(), { topK: 1.5 }, 'topK', '1.5'],
  ['a stop token as text', prompt(), { stopTokenIds: ['</s>'] }, 'stopTokenIds', 'token ids'],
  ['a stop token outside the vocabulary', prompt(), { stopTokenIds: [331] }, 'stopTokenIds', '331'],
  ['a mistyped option', prompt(), { maxnewtokens: 1 }, 'maxnewtokens', 'did you mean maxNewTokens?'],
  ['a callback that is none', prompt(), { onProgress: 1 }, 'onProgress', 'a function', 'got 1'],
]
for (const [what, prompts, options, ...parts] of wrongGeneration) {
  test(`generate refuses ${what}`, async (t) => {
    await rejects(
      t,
      () => shared.generate(prompts as never, { maxNewTokens: 4, ...options }),
      'INVALID_ARGUMENT',
      ...parts,
    )
  })
}

test('parameters, gradients and logits that are not there', async (t) => {
  await rejects(t, () => shared.parameter('model.nothing'), 'INVALID_ARGUMENT', 'model.nothing', 'parameterShapes')
  await rejects(t, () => shared.gradient('model.norm.weight'), 'INVALID_ARGUMENT', 'computeGradients')
  await rejects(t, () => shared.logits(new Int32Array(0)), 'INVALID_ARGUMENT', 'tokenIds', 'empty')
  await rejects(t, () => shared.logits([1] as never), 'INVALID_ARGUMENT', 'tokenIds', 'Int32Array')
})

test('folders and files that cannot be written, and optimizer files that do not fit', async (t) => {
  const dir = temporaryFolder(t)
  writeFileSync(join(dir, 'file'), '')
  await rejects(t, () => shared.save(join(dir, 'file')), 'FILE', join(dir, 'file'))
  await rejects(t, () => shared.save(join(dir, 'file', 'below')), 'FILE', join(dir, 'file'))
  await rejects(
    t,
    () => shared.saveOptimizer(join(dir, 'no', 'such', 'folder')),
    'FILE',
    join(dir, 'no', 'such', 'folder'),
  )
  await rejects(t, () => shared.loadOptimizer(join(dir, 'none')), 'FILE', join(dir, 'none'), 'no such file')
  using other = await Policy.create(config({ hidden: 128 }))
  await other.trainStep(batch())
  await other.saveOptimizer(join(dir, 'optimizer.safetensors'))
  await rejects(t, () => shared.loadOptimizer(join(dir, 'optimizer.safetensors')), 'FILE', 'shape', '[331, 128]')
})

test('the addon itself refuses what is no handle and no object', async (t) => {
  const addon = loadAddon() as unknown as Record<string, (...values: unknown[]) => unknown>
  t.throws(() => addon.disposePolicy!({}), {
    code: 'INVALID_ARGUMENT',
    message: 'expected a policy handle, got an object',
  })
  t.throws(() => addon.cancel!(7), { code: 'INVALID_ARGUMENT', message: 'expected a cancel handle, got 7' })
  t.throws(() => addon.parameterShapes!(addon.createCancel!()), { message: 'expected a policy handle, got an object' })
  await t.throwsAsync(async () => addon.score!(addon.createCancel!()), { message: /^expected a policy handle/ })
  await t.throwsAsync(async () => addon.head!(null, null), { message: 'head options must be an object, got null' })
  await t.throwsAsync(async () => addon.createPolicy!(undefined, { device: 'cpu', dtype: 'float32', seed: 0n }), {
    message: 'shape must be an object, got undefined',
  })
})
