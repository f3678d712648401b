/** One line of a panel; points whose y is no number are left out. */
interface Series {
  label: string
  colour: string
  points: readonly { x: number; y: number }[]
  /** Thinner and dashed, for what only accompanies. */
  dashed?: boolean
}

/** One small chart on a scale of its own. */
export interface Panel {
  /** The metric, as an attribute of the picture. */
  metric: string
  label: string
  series: readonly Series[]
  /** A least upper end of the scale, so that noise near zero does not look like a change. */
  atLeast: number
  /** Said at the panel's right. */
  note?: string
}

export interface ChartOptions {
  title: string
  /** Panels side by side; default 1. */
  columns?: number
  /** Lines that mean the same in every panel, explained once. */
  legend?: readonly { label: string; colour: string }[]
}

const margin = { left: 64, right: 20, top: 34, bottom: 30, head: 40 }

/** Panels of lines over the steps as an SVG that reads on light and on dark ground. */
export function drawChart(panels: readonly Panel[], { title, columns = 1, legend = [] }: ChartOptions): string {
  const cell = { width: columns === 1 ? 760 : 480, height: 150 }
  const pitch = margin.top + cell.height + margin.bottom
  const rows = Math.ceil(panels.length / columns)
  const head = margin.head + 20 * Math.ceil(legend.length / 2)
  const [width, height] = [cell.width * columns, head + rows * pitch + 20]
  const body = panels.map((panel, index) =>
    drawPanel(panel, {
      left: (index % columns) * cell.width + margin.left,
      right: ((index % columns) + 1) * cell.width - margin.right,
      top: head + Math.floor(index / columns) * pitch + margin.top,
      height: cell.height,
      named: index + columns >= panels.length,
    }),
  )
  const key = legend.map(({ label, colour }, index) => {
    const [x, y] = [margin.left + (index % 2) * (width / 2), margin.head + 4 + 20 * Math.floor(index / 2)]
    return `<line x1="${x}" x2="${x + 24}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="3"/><text x="${x + 32}" y="${y + 4}">${escapeXml(label)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>${escapeXml(title)}</title>
<style>
  .ground { fill: #ffffff } text { fill: #333333 } .grid { stroke: #d9d9d9 } .axis { stroke: #8a8a8a }
  @media (prefers-color-scheme: dark) { .ground { fill: #16181c } text { fill: #d5d5d5 } .grid { stroke: #34383f } .axis { stroke: #7a7a7a } }
</style>
<rect class="ground" width="100%" height="100%"/>
<text x="${margin.left}" y="26" font-size="15" font-weight="600">${escapeXml(title)}</text>
${[...key, ...body].join('\n')}
</svg>
`
}

interface Frame {
  left: number
  right: number
  top: number
  height: number
  /** Whether the axis is named below. */
  named: boolean
}

function drawPanel(
  { metric, label, series, atLeast, note }: Panel,
  { left, right, top, height, named }: Frame,
): string {
  const drawn = series.map((own) => ({ ...own, points: own.points.filter(({ y }) => Number.isFinite(y)) }))
  const points = drawn.flatMap((own) => own.points)
  const first = Math.min(...points.map(({ x }) => x))
  const [from, to] = points.length > 0 ? [first, Math.max(first + 1, ...points.map(({ x }) => x))] : [0, 1]
  const heights = points.map(({ y }) => y)
  const yTicks = niceTicks(Math.min(0, ...heights), Math.max(atLeast, ...heights), 4)
  const bottom = top + height
  const across = (x: number) => (left + ((x - from) / (to - from)) * (right - left)).toFixed(1)
  const up = (y: number) => (bottom - ((y - yTicks[0]!) / (yTicks.at(-1)! - yTicks[0]!)) * height).toFixed(1)

  const grid = yTicks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${right}" y1="${up(tick)}" y2="${up(tick)}"/>` +
      `<text x="${left - 8}" y="${(Number(up(tick)) + 4).toFixed(1)}" text-anchor="end">${format(tick)}</text>`,
  )
  const stepTicks = niceTicks(from, to, right - left > 500 ? 8 : 5)
    .filter((tick) => Number.isInteger(tick) && tick >= from && tick <= to)
    .map((tick) => `<text x="${across(tick)}" y="${bottom + 17}" text-anchor="middle">${tick}</text>`)
  const lines = drawn.map(({ colour, dashed, points: own }) => {
    const style = dashed
      ? `stroke="${colour}" stroke-width="1.5" stroke-dasharray="4 3" opacity="0.7"`
      : `stroke="${colour}" stroke-width="2" stroke-linejoin="round"`
    // A line needs two points; one is a dot.
    if (own.length === 1) return `<circle cx="${across(own[0]!.x)}" cy="${up(own[0]!.y)}" r="3" fill="${colour}"/>`
    return `<polyline fill="none" ${style} points="${own.map(({ x, y }) => `${across(x)},${up(y)}`).join(' ')}"/>`
  })
  return [
    `<g data-metric="${metric}">`,
    `<text x="${left}" y="${top - 12}" font-weight="600">${escapeXml(label)}</text>`,
    ...(note ? [`<text x="${right}" y="${top - 12}" text-anchor="end" opacity="0.75">${escapeXml(note)}</text>`] : []),
    ...grid,
    `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    ...stepTicks,
    ...(named ? [`<text x="${(left + right) / 2}" y="${bottom + 36}" text-anchor="middle">step</text>`] : []),
    ...lines,
    '</g>',
  ].join('\n')
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

function format(value: number): string {
  if (value === 0) return '0'
  return Math.abs(value) < 0.001 ? value.toExponential(0) : String(Number(value.toPrecision(4)))
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)
}
