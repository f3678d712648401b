/** One line of the benchmark's table: the same work done by this package and by a peer, on the same machine and run. */
export interface Row {
  name: string
  /** the part of the benchmark that it belongs to */
  part: string
  /** what ours and peer measured, in `unit`; the median of the repetitions */
  ours: number
  peer: number
  peerName: string
  /** how many times better ours is, from {@link ratioOf} */
  ratio: number
  unit: string
  /** peak resident memory, bytes: above what the side held before its work, unless the part says otherwise; absent where not measured */
  memoryOurs?: number
  memoryPeer?: number
  settings: Record<string, unknown>
  /** what is to be reached: the least ratio, and the most memory as a share of the peer's */
  goal?: Goal
}

export interface Goal {
  ratio?: number
  memory?: number
}

/** How many times better ours is: ours / peer for rates (`tokens/s`), peer / ours for anything else. */
export function ratioOf(ours: number, peer: number, unit: string): number {
  return unit.endsWith('/s') ? ours / peer : peer / ours
}

const columns = ['', 'ours', 'peer', 'ratio', 'memory, ours', 'memory, peer', 'goal', 'settings'] as const

/** The rows as Markdown, one table a part. */
export function markdown(rows: readonly Row[]): string {
  const parts = [...new Set(rows.map((row) => row.part))]
  return parts
    .map((part) => {
      const lines = rows.filter((row) => row.part === part).map((row) => cells(row))
      const ruler = columns.map((_, i) => (i > 0 && i < 6 ? '--:' : '---'))
      const table = [[...columns], ruler, ...lines]
      return `## ${part}\n\n${table.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`
    })
    .join('\n')
}

function cells(row: Row): string[] {
  const figure = (value: number) => `${significant(value)} ${row.unit}`
  const memory = (bytes: number | undefined) => (bytes === undefined ? '' : `${(bytes / 2 ** 20).toFixed(0)} MiB`)
  return [
    row.name,
    figure(row.ours),
    `${figure(row.peer)} (${row.peerName})`,
    `${significant(row.ratio)}x`,
    memory(row.memoryOurs),
    memory(row.memoryPeer),
    goalText(row),
    Object.entries(row.settings)
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
  ]
}

/** `2.5x: reached; memory 0.5x: 0.61x` */
function goalText({ goal, ratio, memoryOurs, memoryPeer }: Row): string {
  const said: string[] = []
  if (goal?.ratio !== undefined) said.push(`${significant(goal.ratio)}x: ${ratio >= goal.ratio ? 'reached' : 'missed'}`)
  if (goal?.memory !== undefined && memoryOurs !== undefined && memoryPeer !== undefined) {
    const share = memoryOurs / memoryPeer
    said.push(`memory ${goal.memory}x: ${share <= goal.memory ? 'reached' : 'missed'} (${share.toFixed(2)}x)`)
  }
  return said.join('; ')
}

/** Three significant digits, never as a power of ten. */
function significant(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}
