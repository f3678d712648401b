/** One line of the benchmark's table: the same work done by this package and by a peer, on the same machine and run. */
export interface Row {
  name: string
  /** the part of the benchmark that it belongs to */
  part: string
  /** what ours and peer measured, in `unit`; the median of the repetitions */
  ours: number
  peer: number
  peerName: string
  /** how many times better ours is: peer / ours for times, ours / peer for rates */
  ratio: number
  unit: string
  /** bytes of peak resident memory above what was resident before the work; absent where not measured */
  memoryOurs?: number
  memoryPeer?: number
  settings: Record<string, unknown>
}

const columns = ['', 'ours', 'peer', 'ratio', 'memory, ours', 'memory, peer', 'settings'] as const

/** The rows as Markdown, one table a part. */
export function markdown(rows: readonly Row[]): string {
  const parts = [...new Set(rows.map((row) => row.part))]
  return parts
    .map((part) => {
      const lines = rows.filter((row) => row.part === part).map((row) => cells(row))
      const table = [[...columns], columns.map((_, i) => (i > 0 && i < 6 ? '--:' : '---')), ...lines]
      return `## ${part}\n\n${table.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`
    })
    .join('\n')
}

function cells(row: Row): string[] {
  const figure = (value: number) => `${value.toPrecision(3)} ${row.unit}`
  const memory = (bytes: number | undefined) => (bytes === undefined ? '' : `${(bytes / 2 ** 20).toFixed(0)} MiB`)
  return [
    row.name,
    figure(row.ours),
    `${figure(row.peer)} (${row.peerName})`,
    `${row.ratio.toPrecision(3)}x`,
    memory(row.memoryOurs),
    memory(row.memoryPeer),
    Object.entries(row.settings)
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
  ]
}
