/** A run that is stopped, by a signal or by what fails, loses no whole step and can go on. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Prompt } from '../../src/data/prompt.ts'
import type { RunEvaluation } from '../../src/evaluate/evaluator.ts'
import { Policy } from '../../src/policy/policy.ts'
import { type StepReport, Trainer, type TrainerOptions } from '../../src/train/trainer.ts'
import type { RewardFunction } from '../../src/verify/verifier.ts'
import { comparable } from './tiny-run.ts'
import { parts, recipe, sevens } from './trainer-parts.ts'

function evaluationOf(prompts: readonly Prompt[]): RunEvaluation {
  const sampling = { samples: 1, maxResponseLength: 8, temperature: 1, topP: 1, topK: 0, maxBatchSize: 64 }
  return { ...sampling, seed: 0, every: 0, sets: [{ name: 'held-out', prompts }] }
}

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
