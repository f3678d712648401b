import test from 'ava'
import { ConfigError } from '../../src/config/config-error.ts'
import { knownKeys } from '../../src/config/known-keys.ts'
import { parseRecipe } from '../../src/config/recipe.ts'
import { trainSchema } from '../../src/config/schema.ts'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { minimal, workspace } from './config-fixtures.ts'

const stages = 'stages:\n  - steps: 3\n  - steps: 4\n    entropy: { target: 0.1 }\n'

async function problems(
  t: Parameters<typeof workspace>[0],
  text: string,
  overrides: string[] = [],
): Promise<readonly string[]> {
  const { folder, file } = await workspace(t, minimal + text)
  const error = await t.throwsAsync(loadTrainConfig({ file, overrides, cwd: folder }), { instanceOf: ConfigError })
  return error!.problems.map((line) => line.replaceAll(`${folder}/`, ''))
}

test('overrides reach into lists by index', async (t) => {
  const { file } = await workspace(t, minimal + stages)
  const overrides = [
    'stages.0.steps=9',
    'stages.1.entropy.target=0.3',
    'stages.0.truncation.reward=graded',
    'betas.1=0.95',
  ]
  const config = await loadTrainConfig({ file, overrides: ['betas=[0.8, 0.9]', ...overrides] })
  t.is(config.stages![0]!.steps, 9)
  t.is(config.stages![1]!.steps, 4)
  t.is(config.stages![1]!.entropy?.target, 0.3)
  t.is(config.stages![0]!.truncation?.reward, 'graded')
  t.deepEqual(config.betas, [0.8, 0.95])
})

test('an item that a list does not have is an error', async (t) => {
  t.deepEqual(await problems(t, stages, ['stages.2.steps=1']), [
    "override 'stages.2.steps=1': 'stages' is a list without an item '2'; its last is stages.1",
  ])
  t.deepEqual(await problems(t, stages, ['stages.first=1']), [
    "override 'stages.first=1': 'stages' is a list without an item 'first'; its last is stages.1",
  ])
  t.deepEqual(await problems(t, '', ['stages.0.steps=1']), [
    "override 'stages.0.steps=1': 'stages' is not set, so it has no item 0",
  ])
  t.deepEqual(await problems(t, stages, ['stages=[]', 'stages.0=1']), [
    "override 'stages.0=1': 'stages' is a list without an item '0'; it is empty",
  ])
  t.deepEqual(await problems(t, '', ['steps.0=1']), ["override 'steps.0=1': 'steps' is not set, so it has no item 0"])
  t.deepEqual(await problems(t, 'steps: 3\n', ['steps.sub=1']), [
    "override 'steps.sub=1': 'steps' has no keys below it",
  ])
})

test('gradients in bfloat16 want a run that computes in it', async (t) => {
  const text = 'gradientDtype: bfloat16\nstages:\n  - steps: 3\n  - { steps: 2, gradientDtype: bfloat16 }\n'
  const found = (await problems(t, text)).map((line) => line.split('; got')[0])
  t.deepEqual(found, [
    "run.yaml:5: 'gradientDtype': expected 'float32', or dtype bfloat16 as well",
    "run.yaml:8: 'stages.1.gradientDtype': expected 'float32', or dtype bfloat16 as well",
  ])
  const { file } = await workspace(t, `${minimal}dtype: bfloat16\n${text}`)
  t.is((await loadTrainConfig({ file })).gradientDtype, 'bfloat16')
})

test('an unknown key of a stage is an error at its line, with the nearest key', async (t) => {
  t.deepEqual(await problems(t, 'stages:\n  - steps: 3\n  - groupsize: 4\n    steps: 2\n'), [
    "run.yaml:7: unknown key 'stages.1.groupsize'; did you mean 'stages.1.groupSize'?",
  ])
  t.deepEqual(await problems(t, 'stages:\n  - entropy:\n      targt: 4\n'), [
    "run.yaml:7: unknown key 'stages.0.entropy.targt'; did you mean 'stages.0.entropy.target'?",
  ])
  t.deepEqual(await problems(t, 'dropSolved: true\n'), [
    "run.yaml:5: unknown key 'dropSolved'; did you mean 'stages[].dropSolved'?",
  ])
  t.deepEqual(
    await problems(t, stages, ['stages.1.xyzzyxyzzy=3']).then(([line]) => line!.slice(0, 111)),
    "override 'stages.1.xyzzyxyzzy=3': unknown key 'stages.1.xyzzyxyzzy'; known keys: stages.1.steps, stages.1.until",
  )
})

test('a wrong value of a stage is an error at its line, with what the key means', async (t) => {
  t.deepEqual(await problems(t, 'stages:\n  - steps: 3\n  - groupSize: 1\n'), [
    "run.yaml:7: 'stages.1.groupSize': expected number to be >=2; got 1. M: responses sampled for each prompt.",
  ])
  t.regex(
    (await problems(t, 'stages: []\n'))[0]!,
    /^run.yaml:5: 'stages': expected array to have >=1 items; got \[\]\./,
  )
})

test('what does not fit together is an error at the key that the stage sets', async (t) => {
  const cases: [text: string, problem: RegExp][] = [
    [
      'promptsPerStep: 6\npromptsPerUpdate: 4\n',
      /^run.yaml:6: 'promptsPerUpdate': expected a divisor of promptsPerStep \(6\); got 4/,
    ],
    [
      'promptsPerUpdate: 64\nstages: [{ promptsPerStep: 100 }]\n',
      /^run.yaml:6: 'stages.0.promptsPerStep': expected a multiple of promptsPerUpdate \(64\); got 100/,
    ],
    [
      'stages: [{}, { promptsPerUpdate: 48 }]\n',
      /^run.yaml:5: 'stages.1.promptsPerUpdate': expected a divisor of promptsPerStep \(64\); got 48/,
    ],
    [
      'promptsPerUpdate: 48\nstages: [{ promptsPerStep: 48 }, {}]\n',
      /^run.yaml:5: 'promptsPerUpdate': expected a divisor of promptsPerStep \(64\) in stage 1; got 48/,
    ],
    [
      'truncation: { overlongBuffer: 2000 }\n',
      /'truncation.overlongBuffer': expected at most maxResponseLength \(1024\); got 2000/,
    ],
    [
      'truncation: { overlongBuffer: 500 }\nstages: [{ maxResponseLength: 400 }]\n',
      /'stages.0.maxResponseLength': expected at least truncation.overlongBuffer \(500\); got 400/,
    ],
    [
      'rejection: { refill: true, maxPrompts: 60 }\n',
      /'rejection.maxPrompts': expected at least promptsPerStep \(64\); got 60/,
    ],
    [
      'stages: [{ rejection: { refill: true, maxPrompts: 60 } }]\n',
      /'stages.0.rejection.maxPrompts': expected at least promptsPerStep \(64\); got 60/,
    ],
    [
      'importanceSamplingCap: 2\nreuse: 3\n',
      /'importanceSamplingCap': expected 0 \(with oldLogprobs sampled and 3 updates a step its weight is always 1\); got 2/,
    ],
  ]
  for (const [text, problem] of cases) {
    const found = await problems(t, text)
    t.is(found.length, 1, found.join('\n'))
    t.regex(found[0]!, problem)
  }
})

test('what fits together only in its stages is none', async (t) => {
  const text = 'promptsPerUpdate: 128\nstages: [{ promptsPerStep: 256 }, { promptsPerStep: 128 }]\n'
  const { file } = await workspace(t, `${minimal}${text}importanceSamplingCap: 2\noldLogprobs: recomputed\n`)
  t.is((await loadTrainConfig({ file })).promptsPerUpdate, 128)
})

test('a recipe in code has the same checks', (t) => {
  t.throws(() => parseRecipe({ stages: [{ promptsPerUpdate: 7 }] }), {
    instanceOf: ConfigError,
    message: /^config: 'stages.0.promptsPerUpdate': expected a divisor of promptsPerStep \(64\); got 7/,
  })
})

test('the keys of stages are known keys', (t) => {
  const paths = knownKeys(trainSchema).map(({ path }) => path)
  for (const path of ['stages[].steps', 'stages[].until.window', 'stages[].entropy.target'])
    t.true(paths.includes(path), path)
})
