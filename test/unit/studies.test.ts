import test from 'ava'
import type { TrainConfig } from '../../src/config/schema.ts'
import type { Metrics } from '../../src/metrics/step-metrics.ts'
import { comparisonPicture } from '../../src/studies/comparison-picture.ts'
import { comparisonTable } from '../../src/studies/comparison-table.ts'
import { studies } from '../../src/studies/studies.ts'
import type { VariantRun } from '../../src/studies/variant-run.ts'
import type { RunSummary } from '../../src/train/run.ts'

const base = {
  promptsPerStep: 64,
  groupSize: 16,
  maxResponseLength: 16384,
  steps: 100,
  entropy: { target: 0.2 },
} as TrainConfig
const variants = (name: string) => studies.find((study) => study.name === name)!.variants(base)
const labels = (name: string) => variants(name).map(({ label }) => label)

test('the studies are those of the paper, with its sizes where the base has its sizes', (t) => {
  t.is(studies.length, 11)
  t.deepEqual(labels('updates'), [
    '(1, 64, 64, 1)',
    '(2, 64, 32, 1)',
    '(2, 64, 64, 2)',
    '(4, 64, 16, 1)',
    '(4, 64, 64, 4)',
  ])
  t.deepEqual(labels('batch'), ['64 prompts', '32 prompts', '16 prompts'])
  t.deepEqual(labels('group'), ['16 responses', '8 responses', '4 responses'])
  t.deepEqual(labels('stages'), ['16384 tokens', '8192 tokens, then 16384'])
  t.deepEqual(labels('clip-higher'), ['eps_high 0.2', 'eps_high 0.25', 'eps_high 0.265', 'eps_high 0.28'])
  t.true(variants('entropy-adaptive')[1]!.overrides.includes('promptsPerUpdate=16'))
})

test('variants of a study have folders and labels of their own, those of a small base as well', (t) => {
  const small = { ...base, promptsPerStep: 8, groupSize: 4 } as TrainConfig
  for (const [study, sizes] of studies.flatMap((each) => [base, small].map((sizes) => [each, sizes] as const))) {
    const own = study.variants(sizes)
    for (const key of ['name', 'label'] as const)
      t.is(new Set(own.map((each) => each[key])).size, own.length, study.name)
  }
})

function run(label: string, entropy: number[]): VariantRun {
  const phase = (seconds: number) => ({ seconds, share: seconds / 10, msPerToken: 1 })
  const lines = entropy.map((value, index) => ({
    ...{ step: index + 1, 'actor/entropy': value, accuracy: 0.5, accuracy_untruncated: 0.75 },
    ...{ 'response/truncated': 0.25, 'response_length/mean': 40 },
    ...{ 'timing_s/step': 10, 'timing_s/rollout': 6, 'timing_s/verify': 1, 'timing_s/update': 2 },
  })) as Metrics[]
  const resources = { phases: { rollout: phase(6), verify: phase(1), update: phase(2), other: phase(1) } }
  const summary = { accuracyBefore: 0.25, accuracyAfter: null, resources } as RunSummary
  return { variant: { name: label, label, overrides: [] }, lines, summary }
}

test('the table has means over the last quarter, the least entropy and the shares of time', (t) => {
  const table = comparisonTable(studies[1]!, [run('one', [0.1, 0.4, 0.4, 0.2, 0.3, 0.3, 0.3, 0.5]), run('two', [0.2])])
  t.regex(
    table,
    /\| one \| 8 \| 0\.400 \| 0\.100 \| 0\.500 \| 0\.750 \| 25\.0 % \| 40\.0 \| 0\.250 \| {2}\| 10 \| 60\.0 % \| 20\.0 % \| 20\.0 % \|/,
  )
  t.regex(table, /\| two \| 1 \| 0\.200 \|/)
  t.regex(table, /The paper: No gain from masks/)
})

test('the picture has a line a variant in each panel and explains its colours', (t) => {
  const runs = [run('<one>', [0.1, 0.2, 0.3]), run('two', [0.3, 0.2, 0.1])]
  const picture = comparisonPicture(studies[1]!, runs)
  t.is(picture.match(/<g data-metric/g)!.length, 5)
  t.is(picture.match(/<polyline/g)!.length, 10)
  t.true(picture.includes('&#60;one&#62;'))
  t.notRegex(picture, /NaN|Infinity|undefined/)
  const time = comparisonPicture(studies.at(-1)!, runs.slice(0, 1))
  t.is(time.match(/data-metric="timing_s/g)!.length, 3)
})
