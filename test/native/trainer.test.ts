import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ConfigError } from '../../src/config/config-error.ts'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { Policy } from '../../src/policy/policy.ts'
import { runTraining } from '../../src/train/run.ts'
import { type StepReport, Trainer } from '../../src/train/trainer.ts'
import { tinyRun } from './tiny-run.ts'
import { parts, recipe, sevens } from './trainer-parts.ts'

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
