import { mean } from '../metrics/statistics.ts'
import type { Study } from './studies.ts'
import type { VariantRun } from './variant-run.ts'

/**
 * A Markdown table with a row a variant: means over the last quarter of the steps, the least entropy, accuracy on the
 * held-out problems before and after, and where the time went.
 */
export function comparisonTable({ title, finding }: Study, runs: readonly VariantRun[]): string {
  const columns = [
    ...['variant', 'steps', 'entropy', 'least entropy', 'accuracy', 'untruncated', 'truncated', 'length'],
    ...['held-out before', 'held-out after', 'seconds', 'rollout', 'update', 'other'],
  ]
  const rows = runs.map(({ variant, lines, summary }) => {
    const last = lines.slice(-Math.max(1, Math.round(lines.length / 4)))
    const average = (metric: string) => mean(last.map((line) => line[metric] ?? 0))
    const { rollout, verify, update, other } = summary.resources.phases
    const seconds = Object.values(summary.resources.phases).reduce((sum, phase) => sum + phase.seconds, 0)
    const held = (accuracy: number | null) => (accuracy === null ? '' : accuracy.toFixed(3))
    return [
      variant.label,
      String(lines.length),
      average('actor/entropy').toFixed(3),
      Math.min(...lines.map((line) => line['actor/entropy']!)).toFixed(3),
      average('accuracy').toFixed(3),
      average('accuracy_untruncated').toFixed(3),
      percent(average('response/truncated')),
      average('response_length/mean').toFixed(1),
      held(summary.accuracyBefore),
      held(summary.accuracyAfter),
      seconds.toFixed(0),
      percent(rollout.share),
      percent(update.share),
      percent(verify.share + other.share),
    ]
  })
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    `## ${title}`,
    '',
    `The paper: ${finding}`,
    '',
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map(line),
    '',
  ].join('\n')
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
