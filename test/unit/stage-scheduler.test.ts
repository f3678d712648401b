import test from 'ava'
import fc from 'fast-check'
import { ConfigError } from '../../src/config/config-error.ts'
import { parseRecipe } from '../../src/config/recipe.ts'
import type { RecipeInput } from '../../src/config/recipe-schema.ts'
import type { Prompt } from '../../src/data/prompt.ts'
import type { RolloutGroup } from '../../src/rollout/rollout.ts'
import { requireEvaluationMetrics } from '../../src/stage/convergence.ts'
import { resolveStages, totalSteps } from '../../src/stage/resolve-stages.ts'
import { StageScheduler } from '../../src/stage/stage-scheduler.ts'

const prompts: Prompt[] = Array.from({ length: 12 }, (_, index) => ({
  ...{ id: `p${index}`, messages: [], tokenIds: Int32Array.of(index), answer: '', source: '', extra: {} },
}))

function scheduler(config: RecipeInput): StageScheduler {
  return new StageScheduler(resolveStages(parseRecipe(config)), prompts, { seed: 1 })
}

/** A step in which the prompts named in `solved` got nothing wrong. */
function groups(drawn: readonly Prompt[], solved: (prompt: Prompt) => boolean): RolloutGroup[] {
  return drawn.map((prompt) => ({ prompt, verdicts: [{ correct: true }, { correct: solved(prompt) }] }) as RolloutGroup)
}

function walk(
  run: StageScheduler,
  steps: number,
  {
    accuracy = () => 0.5,
    solved = () => false,
  }: { accuracy?: (step: number) => number; solved?: (prompt: Prompt) => boolean } = {},
) {
  const transitions = []
  for (let step = 1; step <= steps && !run.done; step++) {
    const transition = run.advance(step)
    if (transition) transitions.push(transition)
    const drawn = run.stream.next(run.stage.promptsPerStep)
    run.record({ step, accuracy: accuracy(step) }, groups(drawn, solved))
  }
  return transitions
}

test('a stage is the run with its own keys on top, at any depth', (t) => {
  const [first, second] = resolveStages(
    parseRecipe({
      ...{ steps: 7, groupSize: 4, entropy: { target: 0.3, delta: 0.1 } },
      stages: [{}, { steps: 3, temperature: 0.8, entropy: { target: 0.1 }, resetOptimizer: true }],
    }),
  )
  t.is(first!.steps, 7)
  t.is(second!.steps, 3)
  t.is(second!.groupSize, 4)
  t.is(second!.temperature, 0.8)
  t.is(second!.entropy.target, 0.1)
  t.is(second!.entropy.delta, 0.1)
  t.true(second!.resetOptimizer)
  t.is(totalSteps([first!, second!]), 10)
})

test('without stages a run is one, of `steps`', (t) => {
  const run = scheduler({ steps: 3, promptsPerStep: 4 })
  t.deepEqual(walk(run, 100), [])
  t.true(run.done)
  t.is(run.state().steps, 3)
})

test('a stage begins with the step after the last of the one before, and leaves out what was always solved', (t) => {
  const run = scheduler({ promptsPerStep: 4, stages: [{ steps: 3 }, { steps: 2 }, { steps: 1, dropSolved: false }] })
  const solved = ({ id }: Prompt) => ['p0', 'p5', 'p7'].includes(id)
  const transitions = walk(run, 100, { solved })
  t.deepEqual(
    transitions.map(({ step, stage, reason, dropped, prompts: left }) => ({ step, stage, reason, dropped, left })),
    [
      { step: 4, stage: 2, reason: 'steps', dropped: 3, left: 9 },
      { step: 6, stage: 3, reason: 'steps', dropped: 0, left: 9 },
    ],
  )
  t.false(run.stream.next(9).some(solved))
  t.true(run.done)
})

test('a prompt that was missed once is not solved, and a run keeps its prompts where all are', (t) => {
  const run = scheduler({ promptsPerStep: 12, stages: [{ steps: 2 }, { steps: 1 }, { steps: 1 }] })
  for (const [step, good] of [true, false].entries())
    run.record(
      { step, accuracy: 1 },
      groups(prompts, ({ id }) => id !== 'p3' || good),
    )
  t.is(run.advance(3)?.dropped, 11)
  run.record(
    { step: 3, accuracy: 1 },
    groups([prompts[3]!], () => true),
  )
  t.deepEqual([run.advance(4)?.dropped, run.stream.next(1)[0]!.id], [0, 'p3'])
})

test('a stage converges once the mean of its window is no better than that of the window before', (t) => {
  const until = { metric: 'accuracy', window: 3, minImprovement: 0.05 }
  const run = scheduler({ promptsPerStep: 2, stages: [{ steps: 100, until }, { steps: 1 }] })
  const transitions = walk(run, 100, { accuracy: (step) => Math.min(1, step / 10) })
  // 8, 9, 10 / 10 -> 0.9; 10, 10, 10 -> 1 improves; the next windows: 9, 10, 10 -> 0.967 and 1 do not
  t.is(transitions[0]?.step, 15)
  t.is(transitions[0]?.reason, 'converged')
})

test('a metric that steps do not have is named, with the nearest', (t) => {
  t.throws(() => parseRecipe({ stages: [{}, { until: { metric: 'acuracy' } }] }), {
    message: /'stages\.1\.until\.metric': expected a name of metrics\.jsonl, as 'accuracy'; got "acuracy"/,
  })
  // Times differ from run to run: a run that is resumed would end elsewhere.
  t.throws(() => parseRecipe({ stages: [{ until: { metric: 'timing_s/step' } }] }), { message: /timing_s\/step/ })
})

test('a stage converges by an evaluation, where it was made', (t) => {
  const until = { metric: 'eval/held/avg@4', window: 1, minImprovement: 0.1 }
  const run = scheduler({ promptsPerStep: 2, stages: [{ steps: 100, until }, { steps: 1 }] })
  walk(run, 4)
  run.recordEvaluation({ 'eval/held/avg@4': 0.4, 'eval/held/pass@4': 0.9 })
  t.is(run.advance(5), undefined)
  walk(run, 4)
  run.recordEvaluation({ 'eval/held/avg@4': 0.45 })
  t.is(run.advance(9)?.reason, 'converged')
})

test('an end by an evaluation needs evaluations between steps that have the metric', (t) => {
  const stages = [{}, { until: { metric: 'eval/held/avg@8', window: 2, minImprovement: 0 } }]
  const message = (evaluation: Parameters<typeof requireEvaluationMetrics>[1]) =>
    t.throws(() => requireEvaluationMetrics(stages, evaluation), { instanceOf: ConfigError }).message
  t.regex(message(undefined), /'stages\.1\.until\.metric': eval\/held\/avg@8 .* give evaluation\.data$/)
  t.regex(message({ every: 0 }), /give evaluation\.every$/)
  t.regex(message({ every: 5, metrics: ['eval/held/avg@4'] }), /expected one of eval\/held\/avg@4$/)
  t.notThrows(() => requireEvaluationMetrics(stages, { every: 5, metrics: ['eval/held/avg@8'] }))
  t.notThrows(() => requireEvaluationMetrics([{}], undefined))
})

test('property: whatever the stages, a scheduler restored at any step goes on as the one that was saved', (t) => {
  const stage = fc.record({
    steps: fc.integer({ min: 1, max: 5 }),
    promptsPerStep: fc.integer({ min: 1, max: 5 }),
    dropSolved: fc.boolean(),
    until: fc.option(fc.record({ window: fc.integer({ min: 1, max: 2 }) }), { nil: undefined }),
  })
  const outcomes = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(4095)), {
    minLength: 30,
    maxLength: 30,
  })
  fc.assert(
    fc.property(fc.array(stage, { minLength: 1, maxLength: 3 }), outcomes, fc.nat(15), (stages, steps, savedAt) => {
      const config: RecipeInput = { stages }
      const saved = scheduler(config)
      let restored: StageScheduler | undefined
      for (const [index, [accuracy, mask]] of steps.entries()) {
        if (index === savedAt) {
          restored = scheduler(config)
          restored.restore(JSON.parse(JSON.stringify(saved.state())))
        }
        if (saved.done) break
        const solved = ({ tokenIds }: Prompt) => ((mask >> tokenIds[0]!) & 1) === 1
        const both = restored ? [saved, restored] : [saved]
        const seen = both.map((run) => {
          const transition = run.advance(index + 1)
          const drawn = run.stream.next(run.stage.promptsPerStep)
          run.record({ step: index + 1, accuracy }, groups(drawn, solved))
          return { transition, ids: drawn.map(({ id }) => id), state: run.state(), done: run.done }
        })
        if (seen[1]) t.deepEqual(seen[1], seen[0])
      }
      t.true(saved.number <= stages.length)
    }),
    { numRuns: 60 },
  )
})

test('a warm-up counts from the last reset of the optimizer', (t) => {
  const run = scheduler({
    ...{ promptsPerStep: 2, steps: 3 },
    stages: [{}, { resetOptimizer: true }, { resetOptimizer: false }],
  })
  const counted: number[] = []
  for (let step = 1; step <= 9; step++) {
    run.advance(step)
    counted.push(step - run.resetAt)
    run.record({ step, accuracy: 1 }, [])
  }
  t.deepEqual(counted, [1, 2, 3, 1, 2, 3, 4, 5, 6])
})
