import { drawChart, type Panel } from '../metrics/chart.ts'
import { mean } from '../metrics/statistics.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
import type { Study } from './studies.ts'
import type { VariantRun } from './variant-run.ts'

// Okabe and Ito's, told apart by the colour-blind as well.
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00']

interface Curve {
  metric: string
  label: string
  atLeast: number
  value: (line: Metrics) => number
}

const curve = (metric: string, label: string, atLeast: number): Curve => ({
  ...{ metric, label, atLeast },
  value: (line) => line[metric] ?? Number.NaN,
})

const learning: Curve[] = [
  curve('actor/entropy', 'entropy, nats a token', 0.05),
  curve('accuracy', 'accuracy', 1),
  curve('accuracy_untruncated', 'accuracy of the untruncated', 1),
  curve('response/truncated', 'truncated share', 0.1),
  curve('response_length/mean', 'length, tokens', 1),
]

const time: Curve[] = ['rollout', 'verify', 'update'].map((phase) => ({
  ...{ metric: `timing_s/${phase}`, label: `${phase}, share of the step`, atLeast: 1 },
  value: (line) => line[`timing_s/${phase}`]! / line['timing_s/step']!,
}))

/** One line a variant in each panel, smoothed over a twentieth of the steps. */
export function comparisonPicture(study: Study, runs: readonly VariantRun[]): string {
  const colour = (index: number) => colours[index % colours.length]!
  const panels = (study.name === 'resources' ? time : learning).map(
    ({ value, ...panel }): Panel => ({
      ...panel,
      series: runs.map(({ variant, lines }, index) => ({
        ...{ label: variant.label, colour: colour(index) },
        points: smoothed(lines, value),
      })),
    }),
  )
  const legend = runs.map(({ variant }, index) => ({ label: variant.label, colour: colour(index) }))
  return drawChart(panels, { title: study.title, columns: 2, legend })
}

/** Means over the last few steps: one step is few prompts. */
function smoothed(lines: readonly Metrics[], value: (line: Metrics) => number) {
  const window = Math.max(1, Math.round(lines.length / 20))
  return lines.map(({ step }, index) => {
    const values = lines.slice(Math.max(0, index + 1 - window), index + 1).map(value)
    return { x: step, y: mean(values.filter(Number.isFinite)) }
  })
}
