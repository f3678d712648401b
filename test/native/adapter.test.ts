import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readTensors } from '../../src/checkpoint/safetensors.ts'
import { type LoadOptions, Policy } from '../../src/index.ts'
import { largestDifference } from '../reference/compare.ts'
import { writeSafetensors } from '../reference/safetensors.ts'
import { batch, config, goldenFolder, temporaryFolder } from './tiny.ts'

const base = goldenFolder('qwen2-untied')
const tokens = Int32Array.of(5, 6, 7, 8)
const training = () => batch(4, 12, 100)

/** A trained adapter of q_proj and down_proj, saved. */
async function saved(t: ExecutionContext) {
  const folder = join(temporaryFolder(t), 'adapter')
  using policy = await Policy.load(base, { lora: { rank: 2, alpha: 8, targetModules: ['down_proj', 'q_proj'] } })
  await policy.trainStep(training(), { learningRate: 0.02 })
  await policy.saveAdapter(folder)
  return { folder, logits: await policy.logits(tokens) }
}

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

test('a saved adapter has the layout of PEFT, and is gone on from', async (t) => {
  const { folder, logits } = await saved(t)
  t.deepEqual(readdirSync(folder).sort(), ['adapter_config.json', 'adapter_model.safetensors'])
  const { peft_type, r, lora_alpha, target_modules, base_model_name_or_path } = json(
    join(folder, 'adapter_config.json'),
  )
  t.deepEqual([peft_type, r, lora_alpha, target_modules], ['LORA', 2, 8, ['q_proj', 'down_proj']])
  t.is(base_model_name_or_path, base)
  const tensors = readTensors(join(folder, 'adapter_model.safetensors'))
  t.true(tensors.every(({ dtype }) => dtype === 'F32'))
  const { hiddenSize, headCount, headDim } = (await Policy.load(base)).shape
  const shapes = Object.fromEntries(tensors.map(({ name, shape }) => [name, shape]))
  t.deepEqual(shapes['base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight'], [2, hiddenSize])
  t.deepEqual(shapes['base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight'], [headCount * headDim, 2])

  using again = await Policy.load(base, { adapter: folder })
  t.deepEqual(again.lora, { rank: 2, alpha: 8, targetModules: ['q_proj', 'down_proj'] })
  t.deepEqual(await again.logits(tokens), logits)
  const { gradNorm } = await again.trainStep(training(), { learningRate: 0.02 })
  t.true(gradNorm > 0)
  t.true(largestDifference(await again.logits(tokens), logits) > 1e-4)
})

test('training goes on exactly from saveOptimizer, whatever adapter the policy was loaded with', async (t) => {
  const path = join(temporaryFolder(t), 'optimizer.safetensors')
  const step = (policy: Policy) => policy.trainStep(training(), { learningRate: 0.01 })
  for (const dtype of ['float32', 'bfloat16'] as const) {
    const lora = { rank: 4, seed: 1 }
    using whole = await Policy.load(base, { dtype, lora })
    for (let i = 0; i < 2; i++) await step(whole)
    await whole.saveOptimizer(path)
    using resumed = await Policy.load(base, { dtype, lora: { ...lora, seed: 2 } })
    await resumed.loadOptimizer(path)
    await Promise.all([step(whole), step(resumed)])
    for (const { name } of whole.parameterShapes())
      t.deepEqual(await resumed.parameter(name), await whole.parameter(name), `${dtype} ${name}`)
  }
  const names = readTensors(path).map(({ name }) => name)
  t.true(
    names.every((name) => name === 'step' || name.includes('lora_')),
    'nothing of the frozen model is kept',
  )
  using other = await Policy.load(base, { lora: { rank: 3 } })
  await t.throwsAsync(other.loadOptimizer(path), { code: 'FILE', message: /lora_A\.weight in .* has shape \[4, \d+\]/ })
})

test('masters, gradients and moments are of the adapter alone', async (t) => {
  const model = config({ hidden: 512, layers: 4, vocab: 16_000 })
  // Both stay: what one frees, the other could not take.
  const policies = []
  const grown = []
  for (const lora of [{ rank: 8 }, undefined]) {
    const policy = await Policy.create(model, { lora })
    policies.push(policy)
    const before = process.memoryUsage.rss()
    await policy.trainStep(batch(2, 8, 16_000), { learningRate: 1e-3 })
    grown.push(process.memoryUsage.rss() - before)
  }
  const sizes = policies[1]!.parameterShapes().map(({ shape }) => shape.reduce((size, extent) => size * extent, 1))
  const weights = 4 * sizes.reduce((sum, size) => sum + size)
  const [adapter, whole] = grown as [number, number]
  t.log(`${mebibytes(weights)} of weights; training adds ${mebibytes(adapter)} with LoRA, ${mebibytes(whole)} without`)
  t.true(whole > 1.5 * weights, 'gradients and two moments, but for what earlier calls left free')
  t.true(adapter < 0.5 * weights)
  for (const policy of policies) policy.dispose()
})

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`

test('wrong LoRA options and adapter folders say what and where', async (t) => {
  const load = (options: object) => Policy.load(base, options as LoadOptions)
  const refuse = (options: object, message: RegExp, code = 'INVALID_ARGUMENT') =>
    t.throwsAsync(load(options), { code, message })
  await refuse(
    { lora: 8 },
    /Policy\.load options\.lora must be an object of rank, alpha, targetModules and seed, got 8/,
  )
  await refuse({ lora: { rank: 0 } }, /lora\.rank must be a whole number from 1/)
  await refuse({ lora: { alpha: 0 } }, /lora\.alpha must be a finite number above 0, got 0/)
  await refuse({ lora: { alhpa: 1 } }, /lora has no "alhpa"; did you mean alpha\?/)
  await refuse(
    { lora: { targetModules: ['qkv_proj'] } },
    /lora\.targetModules must be "all-linear" or an array of q_proj/,
  )
  await refuse({ lora: { targetModules: [] } }, /lora\.targetModules must be/)
  await refuse({ lora: {}, adapter: '/there' }, /options\.adapter must be absent where lora is given, got "\/there"/)
  await refuse(
    { adapter: '/there' },
    /cannot read \/there\/adapter_config\.json: no such file.*give a PEFT adapter/,
    'FILE',
  )

  using plain = await load({})
  await t.throwsAsync(plain.saveAdapter(temporaryFolder(t)), {
    message: /this policy has no adapter: load it with lora/,
  })
  await t.throwsAsync(plain.score(training(), { adapter: false }), {
    message: /score options\.adapter must be true, as this policy has no adapter/,
  })

  const { folder } = await saved(t)
  const settings = json(join(folder, 'adapter_config.json'))
  const file = join(folder, 'adapter_config.json')
  const changed = (change: object) => writeFileSync(file, JSON.stringify({ ...settings, ...change }))
  for (const [change, message] of [
    [{ peft_type: 'IA3' }, /peft_type is "IA3"; supported: LORA/],
    [{ use_dora: true }, /use_dora is true; supported: false/],
    [{ bias: 'all' }, /bias is "all"; supported: none/],
    [{ rank_pattern: { q_proj: 4 } }, /rank_pattern is .*; supported: none/],
    [{ modules_to_save: ['lm_head'] }, /modules_to_save is .*; supported: none/],
    [{ target_modules: '.*' }, /target_modules is "\.\*"; supported: "all-linear" or/],
    [{ target_modules: ['q_proj'] }, /tensor "base_model.*down_proj.*" is none of the adapter's/],
  ] as const) {
    changed(change)
    await refuse({ adapter: folder }, message, 'UNSUPPORTED')
  }
  changed({ r: 2.5 })
  await refuse({ adapter: folder }, /r is 2\.5; it must be a whole number from 1/)
  changed({ r: 4 })
  await refuse({ adapter: folder }, /has shape \[2, \d+\]; adapter_config\.json asks for \[4, \d+\]/, 'FILE')
  changed({ target_modules: ['q_proj', 'k_proj', 'down_proj'] })
  await refuse({ adapter: folder }, /k_proj\.lora_A\.weight is missing from .*; adapter_config\.json asks/, 'FILE')
  writeFileSync(file, 'null')
  await refuse({ adapter: folder }, /peft_type is undefined; supported: LORA/, 'UNSUPPORTED')
  mkdirSync(join(folder, 'file'))
  writeSafetensors(join(folder, 'adapter_model.safetensors'), [])
  writeFileSync(file, JSON.stringify(settings))
  await refuse({ adapter: folder }, /lora_A\.weight is missing/, 'FILE')
})
