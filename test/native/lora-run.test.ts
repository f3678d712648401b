import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { Policy } from '../../src/policy/policy.ts'
import { referenceOf } from '../../src/train/reference.ts'
import { runTraining } from '../../src/train/run.ts'
import { relativeError } from '../reference/compare.ts'
import { batch } from './tiny.ts'
import { comparable, tinyRun } from './tiny-run.ts'

const settings = 'lora: { rank: 4, alpha: 16, targetModules: [q_proj, v_proj, down_proj] }\nklCoefficient: 0.05\n'

test('a run with LoRA learns, keeps merged weights and the adapter, and resumes bit for bit', async (t) => {
  const { folder, config } = await tinyRun(t, settings)
  const run = async (output: string, overrides: string[] = [], resume = false) =>
    runTraining(await loadTrainConfig({ file: config, overrides: [`output=${output}`, ...overrides] }), { resume })
  const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')]
  await run(whole)
  await run(parts, ['steps=3'])
  await run(parts, [], true)
  const lines = await comparable(join(whole, 'metrics.jsonl'))
  t.deepEqual(await comparable(join(parts, 'metrics.jsonl')), lines)

  const [one, other] = [whole, parts].map((output) => join(output, 'checkpoints/step-000006'))
  t.deepEqual((await readdir(join(one!, 'adapter'))).sort(), ['adapter_config.json', 'adapter_model.safetensors'])
  for (const file of ['optimizer.safetensors', 'model.safetensors', 'adapter/adapter_model.safetensors'])
    t.true((await readFile(join(other!, file))).equals(await readFile(join(one!, file))), `${file} is the same`)

  const base = join(folder, 'base')
  using merged = await Policy.load(one!)
  using adapted = await Policy.load(base, { adapter: join(one!, 'adapter') })
  using before = await Policy.load(base)
  const tokens = Int32Array.of(3, 4, 5)
  const logits = await merged.logits(tokens)
  t.true(relativeError(await adapted.logits(tokens), logits) <= 1e-5)
  t.true(relativeError(await before.logits(tokens), logits) > 1e-2)
})

test('the reference of a policy with an adapter is the policy without it', async (t) => {
  const { folder } = await tinyRun(t)
  using before = await Policy.load(join(folder, 'base'))
  using policy = await Policy.load(join(folder, 'base'), { lora: { rank: 2 } })
  await policy.trainStep(batch(2, 8, 17), { learningRate: 0.02 })
  const sequences = batch(2, 8, 17)
  const own = await policy.score(sequences)
  const reference = await referenceOf({ policy })!.score(sequences, { temperature: 1 })
  t.deepEqual(reference, await before.score(sequences))
  t.notDeepEqual(own, reference)
  t.is(referenceOf({ policy, referencePolicy: before }), before)
  t.is(referenceOf({ policy: before }), undefined)
})
