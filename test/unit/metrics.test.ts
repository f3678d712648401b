import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { writeAtomic } from '../../src/metrics/atomic-write.ts'
import { niceTicks } from '../../src/metrics/chart.ts'
import { JsonLines } from '../../src/metrics/json-lines.ts'
import { ModelFlops } from '../../src/metrics/model-flops.ts'
import { performanceMetrics } from '../../src/metrics/performance-metrics.ts'
import { drawCurves } from '../../src/metrics/picture.ts'
import { duration, ProgressLine } from '../../src/metrics/progress.ts'
import { rolloutLines } from '../../src/metrics/rollout-records.ts'
import { printable, samplesTable } from '../../src/metrics/samples-table.ts'
import { mean, share, spread, standardDeviation } from '../../src/metrics/statistics.ts'
import { estimateEntropy, type Metrics, stepMetrics, timingMetrics } from '../../src/metrics/step-metrics.ts'
import { Stopwatch } from '../../src/metrics/stopwatch.ts'
import { terminalText } from '../../src/metrics/terminal-text.ts'
import { modelShape } from '../../src/policy/model-config.ts'
import type { StepStats } from '../../src/policy/policy.ts'
import { RolloutCounts } from '../../src/rollout/rollout-counts.ts'
import type { Verdict } from '../../src/verify/verifier.ts'
import { group, stats } from './fixtures.ts'

const groups = [
  group({ prompt: [1], responses: [[1, 2], [3]], advantages: [0.7, -0.7], truncated: [false, true] }),
  group({ prompt: [2], responses: [[4], [5]], advantages: [0, 0], rewards: [1, 1] }),
  group({ prompt: [3], responses: [[6], [7, 8, 9]], advantages: [0, 0], rewards: [0, 0] }),
]
const record = {
  ...{ step: 4, stage: 2, updatesPerStep: 2 },
  groups,
  updates: [
    stats({ loss: 1, tokens: 1, gradNorm: 2, logprobDifferenceMax: 0.5 }),
    stats({ loss: 4, tokens: 2, gradNorm: 4 }),
  ],
  entropy: { full: 0.3, sampled: 0.4 },
  rates: { coefficient: 0.01, entropyCoefficient: 0.005, learningRate: 1e-6 },
}

const shape = modelShape(
  {
    ...{ model_type: 'llama', vocab_size: 10, hidden_size: 8, intermediate_size: 16, num_hidden_layers: 2 },
    ...{ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 4, rms_norm_eps: 1e-6, rope_theta: 10000 },
    ...{ tie_word_embeddings: true, max_position_embeddings: 64 },
  },
  'config',
)
const performanceOf = (updates: readonly StepStats[]) =>
  performanceMetrics(new Stopwatch(), {
    ...{ groups, updates, trained: [], flops: new ModelFlops(shape), peakFlops: 1 },
    counts: new RolloutCounts(),
  })

test('the names are those that the field uses', (t) => {
  const names = Object.keys({
    ...stepMetrics(record),
    ...timingMetrics(new Stopwatch(), groups),
    ...performanceOf(record.updates),
  })
  const area = (prefix: string, members: string) => members.split(' ').map((member) => `${prefix}/${member}`)
  for (const name of [
    ...area('actor', 'loss policy_loss entropy entropy_sampled entropy_coefficient entropy_coefficient_applied'),
    ...area('actor', 'clip_fraction clip_fraction_low clip_fraction_high approx_kl grad_norm learning_rate'),
    ...area('reward', 'mean std'),
    ...area('advantage', 'mean min max'),
    ...area('group', 'solve_all solve_none kept'),
    ...area('response_length', 'mean min max'),
    ...['response/truncated', 'accuracy', 'accuracy_untruncated', 'step', 'stage'],
    ...area('rollout', 'logprob_difference_mean logprob_difference_max'),
    ...area('rollout', 'prompt_tokens_computed prompt_tokens_shared preemptions cache_tokens_peak'),
    ...area('timing_s', 'step rollout verify update evaluate checkpoint'),
    ...area('timing_per_token_ms', 'rollout verify update'),
    ...area('perf', 'tokens_per_second tokens_per_second_rollout tokens_per_second_update mfu mfu_rollout'),
    ...area('perf', 'peak_flops peak_memory_bytes'),
  ])
    t.true(names.includes(name), name)
})

test('the metrics of a step, by hand', (t) => {
  const metrics = stepMetrics(record)
  t.is(metrics['actor/loss'], 3)
  t.is(metrics['actor/grad_norm'], 3)
  t.is(metrics['rollout/logprob_difference_max'], 0.5)
  t.is(metrics['reward/mean'], 0.5)
  t.is(metrics['reward/std'], Math.sqrt(6 / 4 / 5))
  t.deepEqual([metrics['group/solve_all'], metrics['group/solve_none'], metrics['group/kept']], [1 / 3, 1 / 3, 1 / 3])
  t.deepEqual([metrics['response_length/mean'], metrics['response_length/max']], [9 / 6, 3])
  t.is(metrics['response/truncated'], 1 / 6)
  t.is(metrics.accuracy, 0.5)
  t.is(metrics.accuracy_untruncated, 3 / 5)
  t.is(metrics['advantage/max'], 0.7)
})

test('verdicts are counted by how they ended, those of one process with the tests beside them', (t) => {
  const ends: Verdict[] = [
    { reward: 1, correct: true, isolation: 'shared' },
    { reward: 0, correct: false, isolation: 'shared' },
    { reward: 0, correct: false, outcome: 'no answer' },
  ]
  const metrics = stepMetrics({
    ...record,
    groups: [{ ...group({ prompt: [1], responses: [[1], [2], [3]], advantages: [1, -1, -1] }), verdicts: ends }],
  })
  t.like(metrics, {
    ...{ 'verify/correct': 1, 'verify/wrong': 1, 'verify/no_answer': 1, 'verify/shared': 2 },
  })
  t.false('verify/shared' in stepMetrics(record))
})

test('a step without an update has numbers everywhere', (t) => {
  const metrics = {
    ...stepMetrics({ ...record, updates: [] }),
    ...timingMetrics(new Stopwatch(), groups),
    ...performanceOf([]),
  }
  for (const [name, value] of Object.entries(metrics)) t.true(Number.isFinite(value), name)
  t.is(metrics['actor/loss'], 0)
  t.is(metrics['actor/updates'], 0)
  // The host's memory would stand for that of a device.
  t.false('perf/peak_memory_bytes' in metrics)
})

test('a skipped update is counted and in no mean', (t) => {
  const nan = Number.NaN
  const skipped = stats({ loss: nan, gradNorm: nan, logprobDifferenceMax: nan, tokens: 9, skipped: true })
  const metrics = stepMetrics({ ...record, updates: [...record.updates, skipped] })
  t.deepEqual(metrics, { ...stepMetrics(record), 'actor/updates': 3, 'actor/updates_skipped': 1 })
  const alone = stepMetrics({ ...record, updates: [skipped] })
  for (const [name, value] of Object.entries(alone)) t.true(Number.isFinite(value), name)
})

test('the entropy of a step counts each token once', (t) => {
  const { full, sampled } = estimateEntropy(groups[0]!.rollouts)
  t.is(full, (1 + 2 + 1) / 3)
  t.true(Math.abs(sampled - (0.1 + 0.2 + 0.1) / 3) < 1e-7)
  t.deepEqual(estimateEntropy([]), { full: 0, sampled: 0 })
})

test('statistics', (t) => {
  t.is(mean([1, 2, 6]), 3)
  t.is(standardDeviation([1, 3]), Math.SQRT2)
  t.is(standardDeviation([1]), 0)
  t.deepEqual(spread([]), { mean: 0, min: 0, max: 0 })
  t.is(
    share([1, 2, 3, 4], (value) => value > 1),
    0.75,
  )
})

test('a rollout record says what was asked, answered, earned and how sure the policy was', (t) => {
  const [line] = rolloutLines(4, groups)
  t.deepEqual(line, {
    ...{ step: 4, promptId: '1', sample: 0, source: 'test', prompt: [{ role: 'user', content: 'prompt 1' }] },
    ...{
      response: '1 2',
      answer: '1',
      reward: 1,
      verdict: { reward: 1, correct: true },
      advantage: 0.7,
      rejected: false,
    },
    ...{ finishReason: 'stop', promptLength: 1, responseLength: 2 },
    ...{ logprobMean: line!.logprobMean, entropyMean: 1.5 },
  })
  t.true(Math.abs(line!.logprobMean + 0.15) < 1e-7)
  t.is(rolloutLines(4, groups).length, 6)
})

test('the picture has a line for each metric, also for one step and for none', (t) => {
  const lines = Array.from({ length: 5 }, (_, index) => ({ ...stepMetrics({ ...record, step: index + 1 }) }))
  const drawn = drawCurves(lines, { title: '<script>"&' })
  t.false(drawn.includes('<script>'))
  for (const metric of ['reward/mean', 'actor/entropy', 'actor/entropy_coefficient'])
    t.true(drawn.includes(`data-metric="${metric}"`))
  t.is(drawn.match(/<polyline/g)!.length, 4)
  t.is(drawn.match(/points="[^"]+"/g)![0]!.split(' ').length, 5)
  for (const few of [[], lines.slice(0, 1)]) t.notRegex(drawCurves(few, { title: 'few' }), /NaN|Infinity|undefined/)
  t.notRegex(drawn, /NaN|Infinity|undefined/)
})

test('ticks are round and cover the data', (t) => {
  t.deepEqual(niceTicks(0, 1, 4), [0, 0.5, 1])
  t.deepEqual(niceTicks(0, 0.28, 4), [0, 0.1, 0.2, 0.3])
  t.deepEqual(niceTicks(-0.3, 0.9, 4), [-0.5, 0, 0.5, 1])
})

test('a line that a killed process left behind is not read, and truncation drops what is past a step', async (t) => {
  const path = join(await mkdtemp(join(tmpdir(), 'magic-lines-')), 'metrics.jsonl')
  const log = new JsonLines<Metrics>(path)
  t.deepEqual(await log.read(), [])
  for (const step of [1, 2, 3]) await log.append({ step })
  await appendFile(path, '{"step":4,"rew')
  t.deepEqual(await log.read(), [{ step: 1 }, { step: 2 }, { step: 3 }])
  await log.truncateAfter(2)
  t.is(await readFile(path, 'utf8'), '{"step":1}\n{"step":2}\n')
  await writeFile(path, '{"step":1}\nnonsense\n')
  await t.throwsAsync(log.read(), { message: /metrics\.jsonl:2: not a JSON line/ })
})

test('an atomic write leaves the old file where the new one fails', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'magic-atomic-'))
  const path = join(folder, 'file')
  await writeAtomic(path, 'old')
  await t.throwsAsync(writeAtomic(path, { not: 'text' } as unknown as string))
  t.is(await readFile(path, 'utf8'), 'old')
  const { readdir } = await import('node:fs/promises')
  t.deepEqual(await readdir(folder), ['file'])
})

test('what a model wrote steers no terminal', (t) => {
  t.is(printable('a\u001b[31mb\u0007\r\nc\u202e'), 'a[31mb c')
  t.is(terminalText('a\u001b]0;title\u0007\n\tb\u009b2Jc\rd\u202ee\u2066f\u007f क्‍ष'), 'a]0;title\n\tb2Jcdef क्‍ष')
  const table = samplesTable([{ prompt: 'p\n\u001b[2J', response: 'r'.repeat(500), answer: '8', reward: 1 }], 80)
  t.false(table.includes('\u001b'))
  for (const line of table.split('\n')) t.true(line.length <= 80, line)
})

test('progress is one line a step, and on a terminal the step under way is rewritten', (t) => {
  const written: string[] = []
  const metrics = { ...stepMetrics(record), 'timing_s/step': 2 }
  const report = { step: 4, metrics, groups, evaluations: [] }
  const plain = new ProgressLine({ write: (text) => written.push(text) }, 10)
  plain.progress({ step: 4, phase: 'rollout', tokens: 5 })
  plain.step(report)
  t.is(written.length, 1)
  t.regex(written[0]!, /^step {2}4\/10 {2}reward 0\.500 .* 2\.0 s {2}12 s left\n$/)

  written.length = 0
  const terminal = new ProgressLine({ write: (text) => written.push(text), isTTY: true, columns: 40 }, 10)
  terminal.progress({ step: 4, phase: 'rollout', tokens: 5 })
  terminal.step(report)
  t.is(written[0], '\r\u001b[2Kstep 4/10 rollout 5 tokens')
  t.true(written[1]!.startsWith('\r\u001b[2Kstep  4/10'))
  t.deepEqual([45, 600, 12000].map(duration), ['45 s', '10 min', '3 h 20 min'])
})

test('what several rollouts of a step shared and computed again adds up; of their caches the largest counts', (t) => {
  const counts = new RolloutCounts()
  counts.add({ computedPromptTokens: 10, sharedPromptTokens: 70, preemptions: 2, peakCacheTokens: 320 })
  counts.add({ computedPromptTokens: 5, sharedPromptTokens: 35, preemptions: 0, peakCacheTokens: 160 })
  t.deepEqual(counts.metrics(), {
    'rollout/prompt_tokens_computed': 15,
    'rollout/prompt_tokens_shared': 105,
    'rollout/preemptions': 2,
    'rollout/cache_tokens_peak': 320,
  })
})
