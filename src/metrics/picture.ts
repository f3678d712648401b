import type { Metrics } from './step-metrics.ts'

/** One small chart: a metric of each step, on its own scale. */
interface Panel {
  metric: string
  label: string
  /** Drawn lighter, behind the line of `metric`. */
  companion?: { metric: string; label: string }
  /** A least upper end of the scale, so that noise near zero does not look like a change. */
  atLeast: number
  colour: string
}

const panels: Panel[] = [
  { metric: 'reward/mean', label: 'reward', atLeast: 1, colour: '#2f7ed8' },
  { metric: 'actor/entropy', label: 'entropy, nats a token', atLeast: 0.05, colour: '#d9822b' },
  {
    metric: 'actor/entropy_coefficient',
    label: 'entropy coefficient',
    companion: { metric: 'actor/entropy_coefficient_applied', label: 'applied' },
    atLeast: 0.0001,
    colour: '#3a9b5c',
  },
]

const width = 760
const plot = { left: 64, right: 20, height: 150, top: 34, gap: 30 }

/**
 * Reward, entropy and entropy coefficient over the steps, one chart below the other, as an SVG that reads on light
 * and on dark ground.
 */
export function drawCurves(lines: readonly Metrics[], { title }: { title: string }): string {
  const pitch = plot.top + plot.height + plot.gap
  const height = 40 + panels.length * pitch + 20
  const body = panels.map((panel, index) => drawPanel(panel, lines, 40 + index * pitch, index === panels.length - 1))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>${escapeXml(title)}</title>
<style>
  .ground { fill: #ffffff } text { fill: #333333 } .grid { stroke: #d9d9d9 } .axis { stroke: #8a8a8a }
  @media (prefers-color-scheme: dark) { .ground { fill: #16181c } text { fill: #d5d5d5 } .grid { stroke: #34383f } .axis { stroke: #7a7a7a } }
</style>
<rect class="ground" width="100%" height="100%"/>
<text x="${plot.left}" y="26" font-size="15" font-weight="600">${escapeXml(title)}</text>
${body.join('\n')}
</svg>
`
}

function drawPanel(panel: Panel, lines: readonly Metrics[], top: number, last: boolean): string {
  const steps = lines.map(({ step }) => step)
  const values = lines.map((line) => line[panel.metric] ?? Number.NaN)
  const others = panel.companion ? lines.map((line) => line[panel.companion!.metric] ?? Number.NaN) : []
  const finite = [...values, ...others].filter(Number.isFinite)
  const x = scale(niceTicks(steps[0] ?? 0, Math.max(steps.at(-1) ?? 1, (steps[0] ?? 0) + 1), 8), steps, [
    plot.left,
    width - plot.right,
  ])
  const low = Math.min(0, ...finite)
  const ticks = niceTicks(low, Math.max(panel.atLeast, ...finite), 4)
  const y = scale(ticks, [], [top + plot.top + plot.height, top + plot.top])
  const line = (series: readonly number[]) =>
    series
      .map((value, index) => [x.at(steps[index]!), y.at(value)] as const)
      .filter(([, height]) => Number.isFinite(height))
      .map(([across, height]) => `${across.toFixed(1)},${height.toFixed(1)}`)
      .join(' ')

  const grid = y.ticks.map(
    (tick) =>
      `<line class="grid" x1="${plot.left}" x2="${width - plot.right}" y1="${y.at(tick).toFixed(1)}" y2="${y.at(tick).toFixed(1)}"/>` +
      `<text x="${plot.left - 8}" y="${(y.at(tick) + 4).toFixed(1)}" text-anchor="end">${format(tick)}</text>`,
  )
  const bottom = top + plot.top + plot.height
  const stepTicks = x.ticks
    .filter((tick) => Number.isInteger(tick) && x.at(tick) >= plot.left && x.at(tick) <= width - plot.right)
    .map((tick) => `<text x="${x.at(tick).toFixed(1)}" y="${bottom + 17}" text-anchor="middle">${tick}</text>`)
  const companion = panel.companion
  return [
    `<g data-metric="${panel.metric}">`,
    `<text x="${plot.left}" y="${top + plot.top - 12}" font-weight="600">${panel.label}</text>`,
    companion
      ? `<text x="${width - plot.right}" y="${top + plot.top - 12}" text-anchor="end" opacity="0.75">dashed: ${companion.label}</text>`
      : '',
    ...grid,
    `<line class="axis" x1="${plot.left}" x2="${width - plot.right}" y1="${bottom}" y2="${bottom}"/>`,
    ...stepTicks,
    last ? `<text x="${(plot.left + width - plot.right) / 2}" y="${bottom + 36}" text-anchor="middle">step</text>` : '',
    companion
      ? `<polyline fill="none" stroke="${panel.colour}" stroke-width="1.5" stroke-dasharray="4 3" opacity="0.7" points="${line(others)}"/>`
      : '',
    `<polyline fill="none" stroke="${panel.colour}" stroke-width="2" stroke-linejoin="round" points="${line(values)}"/>`,
    // A line needs two points; a run of one step is a dot.
    values.length === 1 && finite.length > 0
      ? `<circle cx="${x.at(steps[0]!).toFixed(1)}" cy="${y.at(values[0]!).toFixed(1)}" r="3" fill="${panel.colour}"/>`
      : '',
    `</g>`,
  ]
    .filter((part) => part !== '')
    .join('\n')
}

/** Round numbers that cover [low, high], about `count` of them. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const unit = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!
  const first = Math.floor(low / unit + 1e-9)
  const last = Math.ceil(high / unit - 1e-9)
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * unit).toPrecision(12)))
}

/** Maps data to pixels: over the data's own range where there is some, else over that of the ticks. */
function scale(ticks: number[], data: readonly number[], [from, to]: readonly [number, number]) {
  const low = data[0] ?? ticks[0]!
  const high = Math.max(data.at(-1) ?? ticks.at(-1)!, low + 1e-12)
  const span = data.length === 1 ? 1 : high - low
  return { ticks, at: (value: number) => from + ((value - low) / span) * (to - from) }
}

function format(value: number): string {
  if (value === 0) return '0'
  return Math.abs(value) < 0.001 ? value.toExponential(0) : String(Number(value.toPrecision(4)))
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)
}
