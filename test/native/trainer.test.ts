import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ConfigError } from '../../src/config/config-error.ts'
import type { RecipeInput } from '../../src/config/schema.ts'
import { loadPrompts } from '../../src/data/load-prompts.ts'
import { Policy } from '../../src/policy/policy.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { type StepReport, Trainer, type TrainerOptions } from '../../src/train/trainer.ts'
import { tinyRun } from './tiny-run.ts'

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
