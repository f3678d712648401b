import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { ConfigError } from '../../src/config/config-error.ts'
import { formatConfig } from '../../src/config/format.ts'
import { knownKeys } from '../../src/config/known-keys.ts'
import { editDistance, nearestKey } from '../../src/config/nearest-key.ts'
import { parseRecipe } from '../../src/config/recipe.ts'
import { sftSchema, trainSchema } from '../../src/config/schema.ts'
import { loadTrainConfig } from '../../src/config/train-config.ts'

/** A folder with a model, rows and the config text given. */
async function workspace(text: string): Promise<{ folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'magic-config-'))
  await mkdir(join(folder, 'base'))
  await writeFile(join(folder, 'base', 'config.json'), '{}')
  await writeFile(join(folder, 'rows.jsonl'), '{}\n')
  const file = join(folder, 'run.yaml')
  await writeFile(file, text)
  return { folder, file }
}

const minimal = 'model: base\noutput: out\ndata:\n  train: rows.jsonl\n'

async function problems(text: string, overrides: string[] = []): Promise<readonly string[]> {
  const { folder, file } = await workspace(text)
  try {
    await loadTrainConfig({ file, overrides, cwd: folder })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((line) => line.replaceAll(folder, '.'))
    throw error
  }
  return []
}

test('a file of four lines is a whole run: the defaults are those of the paper', async (t) => {
  const { folder, file } = await workspace(minimal)
  const config = await loadTrainConfig({ file })
  t.is(config.model, join(folder, 'base'))
  t.is(config.output, join(folder, 'out'))
  t.is(config.learningRate, 1e-6)
  t.deepEqual(config.betas, [0.9, 0.999])
  t.is(config.weightDecay, 0.01)
  t.is(config.maxGradNorm, 1)
  t.is(config.clipLow, 0.2)
  t.is(config.klCoefficient, 0)
  t.is(config.promptsPerUpdate, config.promptsPerStep)
  t.is(config.truncation.advantageMask, 'none')
  t.is(config.entropy.delta, 0.005)
  t.is(config.evaluation.maxResponseLength, config.maxResponseLength)
})

test('what is printed is a config that resolves to itself', async (t) => {
  const { file, folder } = await workspace(`${minimal}entropy: { variant: or1-release }\n`)
  const config = await loadTrainConfig({ file })
  const printed = join(folder, 'printed.yaml')
  await writeFile(printed, formatConfig(config))
  t.deepEqual(await loadTrainConfig({ file: printed }), config)
})

test('overrides are YAML, go before the file, and their paths start at the working directory', async (t) => {
  const { folder, file } = await workspace(`${minimal}steps: 5\n`)
  const elsewhere = join(folder, 'elsewhere')
  const overrides = ['steps=8', 'output=mine', 'entropy.target=0.3', 'betas=[0.9, 0.95]', 'verifier=./r.ts#score']
  const config = await loadTrainConfig({ file, overrides, cwd: elsewhere.replace(/elsewhere$/, '') })
  t.is(config.steps, 8)
  t.is(config.output, join(folder, 'mine'))
  t.is(config.entropy.target, 0.3)
  t.deepEqual(config.betas, [0.9, 0.95])
  t.is(config.verifier, `${join(folder, 'r.ts')}#score`)
})

test('a path in the file starts at the folder of the file', async (t) => {
  const { folder, file } = await workspace(`${minimal}verifier: ../rewards/r.ts#score\n`)
  const config = await loadTrainConfig({ file, overrides: ['output=/abs/out'], cwd: tmpdir() })
  t.is(config.verifier, `${join(folder, '../rewards/r.ts')}#score`)
  t.is(config.output, '/abs/out')
})

test('an unknown key is an error with its line and the nearest known key', async (t) => {
  t.deepEqual(await problems(`${minimal}learningrate: 1\n`), [
    "./run.yaml:5: unknown key 'learningrate'; did you mean 'learningRate'?",
  ])
  t.deepEqual(await problems(`${minimal}entropy:\n  controller: off\n  targt: 0.1\n`), [
    "./run.yaml:7: unknown key 'entropy.targt'; did you mean 'entropy.target'?",
  ])
  t.deepEqual(await problems(`${minimal}target: 0.1\n`), [
    "./run.yaml:5: unknown key 'target'; did you mean 'entropy.target'?",
  ])
  t.deepEqual(await problems(minimal, ['clipHgh=0.3']), [
    "override 'clipHgh=0.3': unknown key 'clipHgh'; did you mean 'clipHigh'?",
  ])
  t.regex((await problems(minimal, ['advantage.xyzzy=1']))[0]!, /unknown key 'advantage.xyzzy'; known keys: advantage/)
})

test('a wrong value is an error with its line, the value, what was expected and what the key means', async (t) => {
  t.deepEqual(await problems(`steps: many\n${minimal}`), [
    './run.yaml:1: \'steps\': expected number; got "many". Training steps, of the run or of each stage that does not say; one step is one rollout and its updates.',
  ])
  t.deepEqual(await problems(minimal, ['truncation.reward=half']), [
    'override \'truncation.reward=half\': \'truncation.reward\': expected one of "zero"|"graded"; got "half". Reward of a truncated response: 0, or graded as any other.',
  ])
  t.regex((await problems(`${minimal}groupSize: 1\n`))[0]!, /run.yaml:5: 'groupSize': expected number to be >=2; got 1/)
  t.regex((await problems(`${minimal}betas: [0.9, 1]\n`))[0]!, /run.yaml:5: 'betas.1': expected number to be <1; got 1/)
})

test('all problems of a file are told at once', async (t) => {
  t.is((await problems(`${minimal}steps: 0\ntemprature: 1\nclipLow: 2\n`)).length, 3)
})

test('what is missing is named', async (t) => {
  t.deepEqual(await problems('model: base\ndata: { train: rows.jsonl }\n'), [
    "./run.yaml: 'output': expected string; it is missing. The run folder, made where it is missing.",
  ])
  t.regex((await problems(minimal, ['model=nowhere']))[0]!, /'model': no config.json in .*nowhere; give a Hugging Face/)
  t.regex((await problems(minimal, ['data.train=nowhere.jsonl']))[0]!, /'data.train': no such file: .*nowhere.jsonl/)
  t.regex((await problems(minimal, ['evaluation.data=[rows.jsonl, no]']))[0]!, /'evaluation.data': no such file: .*no$/)
})

test('training files: a path, a list, or a list with a weight for each', async (t) => {
  const files = (text: string) => problems(minimal, [`data.train=${text}`])
  t.deepEqual(await files('[rows.jsonl, rows.jsonl]'), [])
  t.deepEqual(await files('[{ path: rows.jsonl, weight: 2 }, { path: rows.jsonl, weight: 0.5 }]'), [])
  t.regex((await files('[{ path: none.jsonl, weight: 2 }]'))[0]!, /'data.train': no such file: .*none.jsonl/)
  t.regex(
    (await files('[{ path: rows.jsonl, weight: 0 }]'))[0]!,
    /'data.train.0.weight': expected number to be >0; got 0/,
  )
  t.regex(
    (await files('[{ weight: 1 }]'))[0]!,
    /'data.train': expected a path, a list of paths, or a list of \{ path, weight \}/,
  )
  t.regex(
    (await files('[rows.jsonl, { path: rows.jsonl, weight: 1 }]'))[0]!,
    /'data.train': expected a weight for every file or for none/,
  )
  t.regex((await problems(minimal, ['data.epochs=0']))[0]!, /'data.epochs': expected number to be >=1; got 0/)
})

test('decontamination needs problems to compare with', async (t) => {
  t.regex(
    (await problems(minimal, ['data.decontaminate={}']))[0]!,
    /'data.decontaminate': nothing to compare the prompts with; give evaluation.data or data.decontaminate.against/,
  )
  t.deepEqual(await problems(minimal, ['data.decontaminate={}', 'evaluation.data=rows.jsonl']), [])
  t.deepEqual(await problems(minimal, ['data.decontaminate.against=rows.jsonl']), [])
  t.regex(
    (await problems(minimal, ['data.decontaminate.against=[no]']))[0]!,
    /'data.decontaminate.against': no such file/,
  )
})

test('keys that do not fit together are an error at the key', async (t) => {
  t.regex(
    (await problems(`${minimal}promptsPerStep: 8\npromptsPerUpdate: 3\n`))[0]!,
    /run.yaml:6: 'promptsPerUpdate': expected a divisor of promptsPerStep \(8\); got 3/,
  )
})

test('a file that is no YAML or no list of keys is an error with its line', async (t) => {
  t.regex((await problems('model: base\nsteps: [1\n'))[0]!, /^\.\/run\.yaml:\d: /)
  t.regex((await problems('model: a\nmodel: b\n'))[0]!, /^\.\/run\.yaml:2: .*unique/)
  t.deepEqual(await problems('- a\n- b\n'), ["./run.yaml:1: expected keys and values, as 'steps: 60'"])
  t.regex((await problems(minimal, ['steps']))[0]!, /override 'steps': expected key=value/)
  await t.throwsAsync(loadTrainConfig({ file: '/nowhere.yaml' }), {
    message: '/nowhere.yaml: the config file cannot be read (ENOENT)',
  })
})

test('an override reaches no prototype', async (t) => {
  t.regex((await problems(minimal, ['__proto__.polluted=1']))[0]!, /unknown key '__proto__'/)
  t.is(({} as Record<string, unknown>).polluted, undefined)
})

test('every key has a sentence', (t) => {
  for (const schema of [trainSchema, sftSchema])
    for (const { path, description } of knownKeys(schema))
      t.regex(description, /^[A-Za-z][^\n]*\.$/, `${path}: ${description}`)
})

test('the nearest key is near', (t) => {
  t.is(editDistance('kitten', 'sitting'), 3)
  t.is(editDistance('', 'abc'), 3)
  t.is(nearestKey('stepz', ['steps', 'seed']), 'steps')
  t.is(nearestKey('zzzzzz', ['steps', 'seed']), undefined)
})

test('a recipe in code is checked alike', (t) => {
  t.is(parseRecipe({ steps: 3 }).steps, 3)
  const error = t.throws(() => parseRecipe({ lerningRate: 1 } as object), { instanceOf: ConfigError })
  t.is(error.message, "config: unknown key 'lerningRate'; did you mean 'learningRate'?")
})

test('the examples are configs, but for their folders', async (t) => {
  const { readFile } = await import('node:fs/promises')
  for (const name of ['smollm2-arithmetic', 'gsm8k']) {
    const text = await readFile(new URL(`../../examples/${name}.yaml`, import.meta.url), 'utf8')
    t.true(trainSchema.safeParse(parse(text)).success, name)
  }
})

test('LoRA is off unless it is asked for, and its errors name the key', async (t) => {
  const { file } = await workspace(minimal)
  const config = async (...overrides: string[]) => (await loadTrainConfig({ file, overrides })).lora
  t.is(await config(), undefined)
  t.deepEqual(await config('lora={}'), { rank: 16, alpha: 32, targetModules: 'all-linear' })
  t.deepEqual(await config('lora.rank=4', 'lora.targetModules=[q_proj, v_proj]'), {
    ...{ rank: 4, alpha: 32, targetModules: ['q_proj', 'v_proj'] },
  })
  t.regex((await problems(minimal, ['lora.rank=0']))[0]!, /'lora\.rank': expected number to be >=1; got 0/)
  t.regex((await problems(minimal, ['lora.rnak=4']))[0]!, /unknown key 'lora\.rnak'; did you mean 'lora\.rank'\?/)
  t.regex(
    (await problems(minimal, ['lora.targetModules=[qkv_proj]']))[0]!,
    /'lora\.targetModules': expected 'all-linear' or a list of q_proj, .*; got \["qkv_proj"\]/,
  )
})
