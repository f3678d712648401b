import { terminalText } from '../metrics/terminal-text.ts'
import type { EvaluationResult } from './evaluate.ts'
import type { EvaluationFigures } from './figures.ts'

/** Results as a table in plain text: a line a set, and below it a line a source where the set has several. */
export function resultsTable(results: readonly EvaluationResult[]): string {
  const lines = results.flatMap((result) => {
    const sources = Object.entries(result.bySource)
    return [
      cells(result.name, result),
      ...(sources.length > 1 ? sources.map(([source, own]) => cells(`  ${source}`, own)) : []),
    ]
  })
  const columns = [...new Set(lines.flatMap((line) => Object.keys(line)))]
  const rows = [columns, ...lines.map((line) => columns.map((column) => line[column] ?? '-'))]
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]!.length)))
  const padded = (row: string[]) =>
    row.map((cell, index) => (index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index]!))).join('  ')
  return rows.map((row) => padded(row).trimEnd()).join('\n')
}

function cells(name: string, found: EvaluationFigures): Record<string, string> {
  const passes = Object.entries(found.passAt).map(([k, value]) => [`pass@${k}`, value.toFixed(4)])
  return {
    set: terminalText(name),
    problems: String(found.problems),
    [`avg@${found.samples}`]: found.accuracy.toFixed(4),
    ...Object.fromEntries(passes),
    ...(found.majority !== null && { [`maj@${found.samples}`]: found.majority.toFixed(4) }),
    length: found.meanLength.toFixed(1),
    truncated: `${(found.truncated * 100).toFixed(1)} %`,
  }
}
