import test from 'ava'
import { showPresets } from '../../src/cli/presets.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { merged } from '../../src/config/merge.ts'
import { type PresetName, presetNames, presets } from '../../src/config/presets/presets.ts'
import { recipeSchema } from '../../src/config/recipe-schema.ts'
import { trainSchema } from '../../src/config/schema.ts'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { minimal, workspace } from './config-fixtures.ts'

/** Steps, T, D_R, D_T and M of each stage: the table of runs of Skywork-OR1. */
const tables: Record<string, number[][]> = {
  'or1-math-7b': [
    [740, 8192, 256, 128, 16],
    [1000, 16384, 256, 128, 16],
    [340, 32768, 256, 128, 16],
    [80, 32768, 128, 64, 64],
  ],
  'or1-7b': [
    [660, 16384, 256, 256, 16],
    [660, 32768, 160, 160, 32],
  ],
  'or1-32b': [
    [760, 16384, 256, 256, 16],
    [370, 24576, 160, 160, 32],
  ],
}

test('every number of the published runs resolves, in both variants', async (t) => {
  t.deepEqual(presetNames, [
    'or1-math-7b-paper',
    'or1-math-7b-release',
    'or1-7b-paper',
    'or1-7b-release',
    'or1-32b-paper',
    'or1-32b-release',
  ])
  for (const name of presetNames) {
    const { file } = await workspace(t, `preset: ${name}\n${minimal}`)
    const config = await loadTrainConfig({ file })
    const rows = config.stages!.map((stage) => {
      const step = merged<Omit<typeof config, 'stages'>>(config, stage)
      t.is(step.learningRate, 1e-6)
      t.is(step.warmupSteps, 0)
      t.deepEqual(step.betas, [0.9, 0.999])
      t.is(step.weightDecay, 0.01)
      t.is(step.maxGradNorm, 1)
      t.is(step.temperature, 1)
      t.is(step.topP, 1)
      t.is(step.topK, 0)
      t.is(step.clipLow, 0.2)
      t.is(step.clipHigh, 0.2)
      t.is(step.klCoefficient, 0)
      t.is(step.reuse, 1)
      t.is(step.entropy.target, 0.2)
      t.is(step.truncation.advantageMask, 'none')
      t.is(step.advantage.divideByStd, true)
      t.is(step.aggregation, 'token-mean')
      return [step.steps, step.maxResponseLength, step.promptsPerStep, step.promptsPerUpdate, step.groupSize]
    })
    t.deepEqual(rows, tables[name.replace(/-(paper|release)$/, '')], name)
    t.is(config.maxPromptLength, 2048)
    t.is(config.dtype, 'bfloat16')
    t.is(config.evaluation.samples, 32)
    t.is(config.evaluation.maxResponseLength, 32768)
  }
})

test('paper and release differ in the controller, the truncated reward and what a stage carries over', async (t) => {
  for (const [variant, expected] of [
    [
      'paper',
      {
        reward: 'zero',
        controller: {
          delta: 0.005,
          maximum: null,
          gate: 'inclusive',
          atTarget: 'hold',
          timing: 'same-step',
          estimator: 'full',
        },
        stage: { dropSolved: true, resetOptimizer: false, resetController: false },
      },
    ],
    [
      'release',
      {
        reward: 'graded',
        controller: {
          delta: 0.0001,
          maximum: 0.005,
          gate: 'strict',
          atTarget: 'decrease',
          timing: 'next-step',
          estimator: 'sampled',
        },
        stage: { dropSolved: false, resetOptimizer: true, resetController: true },
      },
    ],
  ] as const)
    for (const run of Object.keys(tables)) {
      const { file } = await workspace(t, `preset: ${run}-${variant}\n${minimal}`)
      const { truncation, entropy, stages } = await loadTrainConfig({ file })
      t.is(truncation.reward, expected.reward)
      t.like(entropy, { controller: 'adaptive', ...expected.controller })
      for (const stage of stages!) t.like(stage, expected.stage)
    }
})

test('a preset has no key that the recipe does not have', (t) => {
  for (const name of presetNames) {
    const parsed = trainSchema.safeParse({ ...presets[name].settings, model: 'm', output: 'o', data: { train: 'd' } })
    t.true(parsed.success, `${name}: ${parsed.error?.message}`)
    const { device, dtype, evaluation, verifier, ...recipe } = presets[name].settings
    t.true(recipeSchema.safeParse(recipe).success)
  }
})

test('the keys of the file go over the preset: maps go together, stages as a whole', async (t) => {
  const own = 'learningRate: 2.0e-6\nentropy: { target: 0.3 }\nstages: [{ steps: 5 }]\nbetas: [0.8, 0.9]\n'
  const { file } = await workspace(t, `preset: or1-7b-release\n${minimal}${own}`)
  const config = await loadTrainConfig({ file })
  t.is(config.learningRate, 2e-6)
  t.is(config.entropy.target, 0.3)
  t.is(config.entropy.variant, 'or1-release')
  t.deepEqual(config.betas, [0.8, 0.9])
  t.is(config.stages!.length, 1)
  t.is(config.stages![0]!.steps, 5)
  t.is(config.preset, 'or1-7b-release')
})

test('a preset on the command line goes before that of the file, below the keys of the file', async (t) => {
  const { file } = await workspace(t, `preset: or1-7b-release\nclipHigh: 0.28\n${minimal}`)
  const config = await loadTrainConfig({ file, overrides: ['preset=or1-32b-paper', 'stages.1.steps=7'] })
  t.deepEqual(
    config.stages!.map(({ steps }) => steps),
    [760, 7],
  )
  t.is(config.clipHigh, 0.28)
  t.is(config.truncation.reward, 'zero')
  t.is(presets['or1-32b-paper'].settings.stages[1]!.steps, 370)
})

test('a preset that does not exist is an error with those that do', async (t) => {
  const { file } = await workspace(t, `preset: or1\n${minimal}`)
  await t.throwsAsync(loadTrainConfig({ file }), {
    instanceOf: ConfigError,
    message: /run\.yaml:1: 'preset': expected one of "or1-math-7b-paper"\|.*; got "or1"/,
  })
  const error = t.throws(() => showPresets('toString'), { instanceOf: ConfigError })
  t.regex(error.message, /^there is no preset 'toString'; the presets are or1-math-7b-paper, or1-math-7b-release, /)
})

test('presets are listed a line each, and one is printed as a config of its own', async (t) => {
  const lines = showPresets(undefined).trimEnd().split('\n')
  t.deepEqual(
    lines.map((line) => line.split(' ')[0] as PresetName),
    presetNames,
  )
  t.is(
    lines[2],
    'or1-7b-paper         Skywork-OR1-7B, as in the paper: 1320 steps at 16K / 32K tokens from DeepSeek-R1-Distill-Qwen-7B',
  )
  for (const name of presetNames) {
    const printed = await workspace(t, showPresets(name) + minimal)
    const named = await workspace(t, `preset: ${name}\n${minimal}`)
    const { preset, model, output, data, ...config } = await loadTrainConfig({ file: named.file })
    t.is(preset, name)
    t.like(await loadTrainConfig({ file: printed.file }), config)
  }
})
