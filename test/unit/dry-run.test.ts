import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { dryRun, memoryComment } from '../../src/cli/dry-run.ts'
import { stageTable } from '../../src/cli/stage-table.ts'
import { formatAnnotated } from '../../src/config/format.ts'
import { loadTrainConfig, resolveTrainConfig } from '../../src/config/train-config.ts'
import { NativeError } from '../../src/native/errors.ts'
import { minimal, workspace } from './config-fixtures.ts'

/** The lines of a dry run of `text`, with `run.yaml` for the file. */
async function lines(t: Parameters<typeof workspace>[0], text: string, overrides: string[] = []): Promise<string[]> {
  const { folder, file } = await workspace(t, text)
  const shown = dryRun(await resolveTrainConfig({ file, overrides, cwd: folder }))
  return shown
    .replaceAll(`${folder}/`, '')
    .split('\n')
    .map((line) => line.replace(/ +#/, ' #'))
}

test('each value says where it came from', async (t) => {
  const text = `preset: or1-7b-paper\n${minimal}entropy:\n  target: 0.3\nbetas:\n  - 0.9\n  - 0.98\n`
  const shown = await lines(t, text, ['steps=8', 'stages.1.groupSize=4', 'data.promptSuffix="\\n# 1"'])
  for (const line of [
    'preset: or1-7b-paper # run.yaml:1',
    'model: base # run.yaml:2',
    '  train: rows.jsonl # run.yaml:5',
    `  promptSuffix: |- # override 'data.promptSuffix="\\n# 1"'`,
    "steps: 8 # override 'steps=8'",
    'seed: 0 # default',
    '  - 0.98 # run.yaml:10',
    '  - steps: 660 # preset or1-7b-paper',
    "    groupSize: 4 # override 'stages.1.groupSize=4'",
    '    promptsPerUpdate: 160 # follows from promptsPerStep',
    'promptsPerUpdate: 256 # follows from promptsPerStep',
    '  target: 0.3 # run.yaml:7',
    '  variant: or1-paper # preset or1-7b-paper',
    '  delta: 0.005 # follows from entropy.variant',
    '  maximum: null # follows from entropy.variant',
    '  maxResponseLength: 32768 # preset or1-7b-paper',
  ])
    t.true(shown.includes(line), `${line}\nin\n${shown.join('\n')}`)
})

test('an override of a whole map leaves nothing of the file below it', async (t) => {
  const shown = await lines(t, `${minimal}entropy: { target: 0.5, delta: 0.1 }\n`, ['entropy={target: 0.3}'])
  t.true(shown.includes("  target: 0.3 # override 'entropy={target: 0.3}'"))
  t.true(shown.includes('  delta: 0.005 # follows from entropy.variant'))
})

test('what is printed resolves to itself, whatever the stages set anew', async (t) => {
  for (const text of [
    '',
    'preset: or1-math-7b-release\n',
    'stages: [{}, { promptsPerStep: 48, entropy: { variant: or1-release } }, { entropy: { controller: "off" } }]\n',
    'entropy: { controller: "off" }\nstages: [{ entropy: { controller: adaptive, target: 0.1 } }]\n',
    'aggregation: sequence-mean-token-sum\nstages: [{ maxResponseLength: 7 }, { aggregation: token-mean }]\n',
    'rejection: { refill: true }\nstages: [{ promptsPerStep: 999 }, { promptsPerStep: 999, rejection: { refill: false } }]\n',
    'stages: [{ rejection: { refill: true }, until: { window: 3 } }]\n',
    'verifier: "./a # b.ts#c"\ndata: { train: rows.jsonl, systemPrompt: "one\\ntwo # three #\\u0001\\n", promptSuffix: "  x\\n\\n" }\n',
  ]) {
    const { folder, file } = await workspace(
      t,
      text.includes('data:') ? text + minimal.split('data:')[0] : text + minimal,
    )
    const resolved = await resolveTrainConfig({ file })
    const printed = join(folder, 'printed.yaml')
    const shown = dryRun(resolved)
    await writeFile(printed, shown)
    const again = await resolveTrainConfig({ file: printed })
    t.deepEqual(again.config, resolved.config, text)
    t.deepEqual(parse(dryRun(again)), parse(shown), text)
  }
})

test('a stage has what follows from what it sets, and only that', async (t) => {
  const text = `${minimal}rejection: { refill: true }\nstages: [{ steps: 1 }, { promptsPerStep: 32, entropy: { variant: or1-release, delta: 0.5 } }]\n`
  const { file } = await workspace(t, text)
  const { stages, rejection } = await loadTrainConfig({ file })
  t.is(rejection.maxPrompts, 256)
  t.deepEqual(stages![0], { steps: 1, dropSolved: true, resetOptimizer: false, resetController: false })
  t.like(stages![1], { promptsPerUpdate: 32, rejection: { maxPrompts: 128 } })
  t.deepEqual(stages![1]!.entropy, {
    ...{ variant: 'or1-release', delta: 0.5, maximum: 0.005, gate: 'strict', atTarget: 'decrease' },
    ...{ timing: 'next-step', estimator: 'sampled' },
  })
})

test('comments stand in one column, but for long lines', (t) => {
  const long = 'x'.repeat(100)
  const shown = formatAnnotated({ a: 1, bcd: { e: {} }, f: long, g: [[1], { h: 2 }] }, (path) => path.join('/'))
  t.is(
    shown,
    ['a: 1     # a', 'bcd:', '  e: {}', `f: ${long} # f`, 'g:', '  - - 1  # g/0/0', '  - h: 2 # g/1/h', ''].join('\n'),
  )
})

test('the stages are summed up: sizes, optimizer steps a step, responses', async (t) => {
  const { file } = await workspace(t, `preset: or1-math-7b-paper\n${minimal}`)
  const rows = stageTable(await loadTrainConfig({ file }))
    .split('\n')
    .map((line) => line.slice(1).trim().split(/ +/))
  t.deepEqual(rows, [
    ['stage', 'steps', 'maxResponseLength', 'promptsPerStep', 'promptsPerUpdate', 'groupSize', 'N_SGD', 'responses'],
    ['1', '740', '8192', '256', '128', '16', '2', '3031040'],
    ['2', '1000', '16384', '256', '128', '16', '2', '4096000'],
    ['3', '340', '32768', '256', '128', '16', '2', '1392640'],
    ['4', '80', '32768', '128', '64', '64', '2', '655360'],
    ['total', '2160', '9175040'],
  ])
})

test('a run without stages is one', async (t) => {
  const { file } = await workspace(t, minimal)
  const rows = stageTable(await loadTrainConfig({ file, overrides: ['reuse=3', 'steps=2'] })).split('\n')
  t.is(rows.length, 3)
  t.deepEqual(rows[1]!.slice(1).trim().split(/ +/), ['1', '2', '1024', '64', '64', '16', '3', '2048'])
})

test('the memory of a run is told in comments, or why it is not', async (t) => {
  const memory = {
    ...{
      peak: 3 * 2 ** 30,
      process: 2 ** 29,
      weights: 2 ** 30,
      reference: 0,
      optimizer: 2 ** 28,
      gradients: 2 ** 28,
      activations: 2 ** 30,
    },
    ...{ recomputedLayers: 5, kvCache: 2 ** 28, sampling: 2 ** 28, snapshot: 2 ** 29, free: 2 ** 34 },
    ...{ leastActivations: 2 ** 28, activationBudget: 2 ** 30 },
  }
  t.is(
    await memoryComment(async () => memory),
    '# memory: at most 3.00 GiB (process 0.50, weights 1.00, optimizer 0.25, gradients 0.25, activations 1.00 with 5 layers computed again, or, while sampling, 0.50), 0.50 more while a checkpoint is written; 16.00 GiB free',
  )
  const short = await memoryComment(async () => ({ ...memory, free: 2 ** 30 }))
  t.regex(short, /\n# memory: that is more than is free; lower maxTokensPerMicroBatch or kvCacheBytes$/)
  const tight = await memoryComment(async () => ({ ...memory, activationBudget: 2 ** 27 }))
  t.regex(
    tight,
    /\n# memory: the longest sequence does not fit: it takes 0.25 GiB .*, there are 0.13; lower maxResponse/,
  )
  const smallCache = { where: 'stage 2', kvCacheBytes: 1000, needed: 4096 }
  t.regex(
    await memoryComment(async () => ({ ...memory, smallCache })),
    /\n# memory: kvCacheBytes is 1000: the longest sequence of stage 2 takes 4096; give at least that, or 0 for half/,
  )
  const failure = new NativeError('LIBTORCH_MISSING', 'there is no libtorch\nrun: magic-grpo libtorch')
  t.is(await memoryComment(() => Promise.reject(failure)), '# memory: not predicted: there is no libtorch')
  await t.throwsAsync(
    memoryComment(() => Promise.reject(new TypeError('x'))),
    { instanceOf: TypeError },
  )
})
