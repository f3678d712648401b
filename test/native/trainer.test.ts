import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ConfigError } from '../../src/config/config-error.ts'
import type { RecipeInput } from '../../src/config/recipe-schema.ts'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { loadPrompts } from '../../src/data/load-prompts.ts'
import type { Prompt } from '../../src/data/prompt.ts'
import type { RunEvaluation } from '../../src/evaluate/evaluator.ts'
import { Policy } from '../../src/policy/policy.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { runTraining } from '../../src/train/run.ts'
import { type StepReport, Trainer, type TrainerOptions } from '../../src/train/trainer.ts'
import type { RewardFunction } from '../../src/verify/verifier.ts'
import { comparable, tinyRun } from './tiny-run.ts'

const recipe: RecipeInput = {
  ...{ promptsPerStep: 4, groupSize: 8, maxResponseLength: 8, learningRate: 0.01, seed: 1 },
  ...{ truncation: { reward: 'graded' }, entropy: { controller: 'off' } },
}

const sevens: TrainerOptions['verifier'] = ({ response }) => {
  const found = [...response].filter((letter) => letter === '7').length
  return { reward: found / 8, correct: found > 0 }
}

async function parts(t: ExecutionContext) {
  const { folder } = await tinyRun(t)
  const tokenizer = await Tokenizer.load(join(folder, 'base'))
  const { prompts } = await loadPrompts(join(folder, 'rows.jsonl'), { tokenizer, maxPromptLength: 16 })
  const policy = await Policy.load(join(folder, 'base'))
  t.teardown(() => policy.dispose())
  return { folder, tokenizer, prompts, policy }
}

function evaluationOf(prompts: readonly Prompt[]): RunEvaluation {
  const sampling = { samples: 1, maxResponseLength: 8, temperature: 1, topP: 1, topK: 0, maxBatchSize: 64 }
  return { ...sampling, seed: 0, every: 0, sets: [{ name: 'held-out', prompts }] }
}

test('a policy learns from a plain function', async (t) => {
  const { tokenizer, prompts, policy } = await parts(t)
  const reports: StepReport[] = []
  const config = { ...recipe, steps: 25 }
  const trainer = new Trainer({
    ...{ policy, tokenizer, prompts, config, verifier: sevens },
    onStep: (report) => reports.push(report),
  })
  const result = await trainer.run()
  t.is(result.steps, 25)
  t.false(result.interrupted)
  t.is(result.accuracyBefore, null)
  t.deepEqual(
    reports.map(({ step }) => step),
    Array.from({ length: 25 }, (_, index) => index + 1),
  )
  const reward = (at: number) => reports[at]!.metrics['reward/mean']!
  t.true(reward(0) < 0.2, `reward of the first step is ${reward(0)}`)
  t.true(reward(24) > 0.6, `reward of the last step is ${reward(24)}`)
  for (const { metrics, groups } of reports) {
    t.is(groups.length, 4)
    t.true(metrics['rollout/logprob_difference_max']! < 1e-3, 'sampler and trainer agree')
    t.is(metrics['actor/clip_fraction'], 0, 'on-policy nothing is clipped')
    t.is(metrics['actor/updates_skipped'], 0)
    const promptTokens = groups.reduce((sum, { prompt, rollouts }) => sum + prompt.tokenIds.length * rollouts.length, 0)
    const { 'rollout/prompt_tokens_computed': computed, 'rollout/prompt_tokens_shared': shared } = metrics
    t.is(computed! + shared!, promptTokens)
    t.true(shared! > 0)
    t.is(metrics['rollout/preemptions'], 0)
    t.true(metrics['rollout/cache_tokens_peak']! > 0)
  }
})

test('a step whose groups are all rejected is counted and changes nothing', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const before = await policy.parameter('model.embed_tokens.weight')
  const entropy = { controller: 'adaptive', target: 100 } as const
  const trainer = new Trainer({
    ...{ policy, tokenizer, prompts, verifier: () => 1, output: join(folder, 'out') },
    config: { ...recipe, steps: 2, entropy },
  })
  await trainer.run()
  t.deepEqual(await policy.parameter('model.embed_tokens.weight'), before)
  const lines = (await readFile(join(folder, 'out/metrics.jsonl'), 'utf8')).trimEnd().split('\n')
  t.is(lines.length, 2)
  for (const line of lines.map((text) => JSON.parse(text))) {
    t.is(line['group/kept'], 0)
    t.is(line['group/solve_all'], 1)
    t.is(line['actor/updates'], 0)
    t.is(line['actor/entropy_coefficient'], 0)
    t.true(line['actor/entropy'] > 2)
  }
})

test('the controller raises the coefficient while entropy is below its target, and the loss uses it', async (t) => {
  const { tokenizer, prompts, policy } = await parts(t)
  const seen: number[][] = []
  const trainer = new Trainer({
    ...{ policy, tokenizer, prompts, verifier: sevens },
    config: { ...recipe, steps: 3, entropy: { target: 100, delta: 0.5 } },
    onStep: ({ metrics }) => {
      const names = ['actor/entropy_coefficient', 'actor/entropy_coefficient_applied'] as const
      seen.push(names.map((name) => metrics[name]!))
      const bonus = metrics['actor/policy_loss']! - metrics['actor/loss']!
      const expected = metrics['actor/entropy_coefficient_applied']! * metrics['actor/entropy']!
      t.true(Math.abs(bonus - expected) < 1e-3 * Math.max(1, expected), `${bonus} and ${expected}`)
    },
  })
  await trainer.run()
  t.deepEqual(seen, [
    [0, 0],
    [0.5, 0.5],
    [1, 1],
  ])
})

test('gradients in bfloat16 want a policy that computes in it', async (t) => {
  const { tokenizer, prompts, policy } = await parts(t)
  const config = { ...recipe, stages: [{ steps: 1 }, { steps: 1, gradientDtype: 'bfloat16' as const }] }
  t.throws(() => new Trainer({ policy, tokenizer, prompts, verifier: sevens, config }), {
    instanceOf: ConfigError,
    message: /'gradientDtype': expected 'float32', or a policy of dtype bfloat16/,
  })
})

test('with k3 the policy starts at its reference', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const config = { ...recipe, steps: 2, klCoefficient: 0.1 }
  const common = { policy, tokenizer, prompts, verifier: sevens, config }
  t.throws(() => new Trainer(common), { instanceOf: ConfigError, message: /'referencePolicy': expected a policy/ })
  const referencePolicy = await Policy.load(join(folder, 'base'))
  t.teardown(() => referencePolicy.dispose())
  const kl: number[] = []
  const onStep = ({ metrics }: StepReport) => kl.push(metrics['actor/kl']!)
  await new Trainer({ ...common, referencePolicy, onStep }).run()
  t.true(Math.abs(kl[0]!) < 1e-6)
  t.true(kl[1]! > 1e-6)
})

test('an abort gives up the step under way; a later run does it again as if nothing had been', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const other = await Policy.load(join(folder, 'base'))
  t.teardown(() => other.dispose())
  const config = { ...recipe, steps: 4 }
  const rewards: number[] = []
  const whole: number[] = []
  const controller = new AbortController()
  const trainer = new Trainer({
    ...{ policy, tokenizer, prompts, verifier: sevens, config },
    onStep: ({ metrics }) => rewards.push(metrics['reward/mean']!),
    onProgress: ({ step, phase }) => {
      if (step === 3 && phase === 'rollout') controller.abort()
    },
  })
  const stopped = await trainer.run(controller.signal)
  t.true(stopped.interrupted)
  t.true(stopped.steps < 4)
  const finished = await trainer.run()
  t.is(finished.steps, 4)
  t.false(finished.interrupted)
  const onStep = ({ metrics }: StepReport) => whole.push(metrics['reward/mean']!)
  await new Trainer({ policy: other, tokenizer, prompts, verifier: sevens, config, onStep }).run()
  t.deepEqual(rewards, whole)
})

/** Throws at the first response after `calls`. */
const failingAfter = (calls: number): TrainerOptions['verifier'] => {
  let count = 0
  return (sample) => {
    if (++count > calls) throw new Error('no such answer')
    return (sevens as RewardFunction)(sample)
  }
}

async function checkpointsOf(output: string): Promise<string[]> {
  return readdir(join(output, 'checkpoints')).catch(() => [])
}

test('a reward that throws loses no completed step', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const output = join(folder, 'out')
  const config = { ...recipe, steps: 4, checkpointEvery: 0 }
  const common = { policy, tokenizer, prompts, config, output }
  await t.throwsAsync(new Trainer({ ...common, verifier: failingAfter(2 * 4 * 8) }).run(), {
    message: /no such answer/,
  })
  t.deepEqual(await checkpointsOf(output), ['step-000002'])
  const resumed = new Trainer({ ...common, verifier: sevens })
  const checkpoint = await resumed.folder!.newestCheckpoint()
  const refused = (options: Partial<TrainerOptions>, message: RegExp) =>
    t.throwsAsync(new Trainer({ ...common, verifier: sevens, ...options }).resume(checkpoint), { message })
  await refused({ config: { ...config, seed: 2 } }, /'seed': 2, but the run that is resumed had 1.*; give seed=1/)
  await refused({ prompts: prompts.toReversed() }, /'data.train': other prompts, or in another order/)
  await resumed.resume(checkpoint)
  await resumed.run()
  const other = await Policy.load(join(folder, 'base'))
  t.teardown(() => other.dispose())
  const whole = join(folder, 'whole')
  await new Trainer({ ...common, policy: other, verifier: sevens, output: whole }).run()
  t.deepEqual(await comparable(join(output, 'metrics.jsonl')), await comparable(join(whole, 'metrics.jsonl')))
})

test('a step that fails between its updates is not saved', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const output = join(folder, 'out')
  let updates = 0
  const trainStep: Policy['trainStep'] = async (...call) => {
    if (++updates === 4) throw new Error('out of memory')
    return policy.trainStep(...call)
  }
  const failing = new Proxy(policy, {
    get: (target, key) => {
      if (key === 'trainStep') return trainStep
      const value = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const config = { ...recipe, steps: 4, checkpointEvery: 0, promptsPerUpdate: 4, reuse: 2 }
  const trainer = new Trainer({ policy: failing, tokenizer, prompts, config, output, verifier: sevens })
  await t.throwsAsync(trainer.run(), { message: 'out of memory' })
  t.is(updates, 4, 'in the second update of the second step')
  t.deepEqual(await checkpointsOf(output), [])
})

test('a step whose evaluation fails keeps its updates and its records', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const output = join(folder, 'out')
  const config = { ...recipe, steps: 2, checkpointEvery: 0 }
  const common = { policy, tokenizer, prompts, config, output, evaluation: evaluationOf(prompts) }
  const verifier = failingAfter(2 * 4 * 8 + 10)
  await t.throwsAsync(new Trainer({ ...common, verifier }).run(), { message: /no such answer/ })
  t.deepEqual(await checkpointsOf(output), ['step-000002'])
  t.is((await comparable(join(output, 'metrics.jsonl'))).length, 2)
})

test('an abort in the last evaluation interrupts the run, which then goes on with it', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const output = join(folder, 'out')
  const controller = new AbortController()
  const config = { ...recipe, steps: 2 }
  const common = { policy, tokenizer, prompts, config, output, verifier: sevens, evaluation: evaluationOf(prompts) }
  const trainer = new Trainer({
    ...common,
    onProgress: ({ step, phase }) => {
      if (step === 2 && phase === 'evaluate') controller.abort()
    },
  })
  const stopped = await trainer.run(controller.signal)
  t.deepEqual([stopped.steps, stopped.interrupted, stopped.accuracyAfter], [2, true, null])
  const resumed = new Trainer(common)
  await resumed.resume(await resumed.folder!.newestCheckpoint())
  const before = performance.now()
  const finished = await resumed.run()
  // What `run` did here is the evaluation alone.
  const own = finished.seconds - (await resumed.folder!.newestCheckpoint())!.state.seconds
  t.true(own > 0 && own <= (performance.now() - before) / 1000, `${own} s`)
  t.false(finished.interrupted)
  t.is(finished.accuracyBefore, stopped.accuracyBefore)
  t.is(typeof finished.accuracyAfter, 'number')
})

test('a failure after an abort is a failure, and a step without its records is not saved', async (t) => {
  const { folder, tokenizer, prompts, policy } = await parts(t)
  const output = join(folder, 'out')
  const controller = new AbortController()
  const config = { ...recipe, steps: 2 }
  const trainer = new Trainer({ policy, tokenizer, prompts, config, output, verifier: sevens })
  trainer.folder!.writeRollouts = async () => {
    controller.abort()
    throw new Error('disk full')
  }
  await t.throwsAsync(trainer.run(controller.signal), { message: 'disk full' })
  t.deepEqual(await checkpointsOf(output), [])
})

test('what stops a run is told, and where', async (t) => {
  const { tokenizer, prompts, policy } = await parts(t)
  const common = { policy, tokenizer, prompts, config: { ...recipe, steps: 1 } }
  t.throws(() => new Trainer({ ...common, prompts: [], verifier: sevens }), {
    message: /'prompts': expected at least one/,
  })
  t.throws(() => new Trainer({ ...common, verifier: sevens, config: { tau: 1 } as object }), {
    message: /unknown key 'tau'/,
  })
  const verifier = function broken(): number {
    throw new Error('no such answer')
  }
  await t.throwsAsync(new Trainer({ ...common, verifier }).run(), {
    message: /reward function broken threw .*no such answer/,
  })
  await t.throwsAsync(new Trainer({ ...common, verifier: () => Number.NaN }).run(), { message: /finite number/ })
})

test('two files of problems that the metrics could not tell apart are refused', async (t) => {
  const { folder, config: file } = await tinyRun(t)
  await mkdir(join(folder, 'other'))
  const paths = ['rows.jsonl', 'other/rows.jsonl'].map((name) => join(folder, name))
  await copyFile(paths[0]!, paths[1]!)
  const config = await loadTrainConfig({ file, overrides: [`evaluation.data=${JSON.stringify(paths)}`, 'steps=1'] })
  await t.throwsAsync(runTraining(config), {
    instanceOf: ConfigError,
    message: /'evaluation.data': .*rows.jsonl and .*other\/rows.jsonl would both be eval\/rows/,
  })
})
