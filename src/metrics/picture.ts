import { drawChart, type Panel } from './chart.ts'
import type { Metrics } from './step-metrics.ts'

/** Reward, entropy and entropy coefficient over the steps of a run, one panel below the other, as an SVG. */
export function drawCurves(lines: readonly Metrics[], { title }: { title: string }): string {
  const points = (metric: string) => lines.map((line) => ({ x: line.step, y: line[metric] ?? Number.NaN }))
  const panel = (metric: string, label: string, atLeast: number, colour: string): Panel => ({
    ...{ metric, label, atLeast },
    series: [{ label, colour, points: points(metric) }],
  })
  const green = '#3a9b5c'
  const coefficient = panel('actor/entropy_coefficient', 'entropy coefficient', 0.0001, green)
  const applied = {
    ...{ label: 'applied', colour: green, dashed: true },
    points: points('actor/entropy_coefficient_applied'),
  }
  return drawChart(
    [
      panel('reward/mean', 'reward', 1, '#2f7ed8'),
      panel('actor/entropy', 'entropy, nats a token', 0.05, '#d9822b'),
      { ...coefficient, series: [applied, ...coefficient.series], note: 'dashed: applied' },
    ],
    { title },
  )
}
