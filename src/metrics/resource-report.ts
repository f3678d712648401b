import type { Metrics } from './step-metrics.ts'

const phases = ['rollout', 'verify', 'update', 'other'] as const

/** What a phase took over all steps of a run. */
interface PhaseUse {
  seconds: number
  /** of the seconds of all steps, in [0, 1] */
  share: number
  /** milliseconds a sampled token */
  msPerToken: number
}

/** Where the time of a run went (Skywork-OR1, section 4). */
export interface ResourceReport {
  steps: number
  /** Tokens sampled in all steps. */
  tokens: number
  /** Steps whose groups were all rejected, which changed nothing. */
  allRejected: number
  memory: {
    /** resident (CPU) or allocated (CUDA), at its highest; null: no step had an update, which measures it */
    peakBytes: number | null
    /** what was predicted before the run; null: nothing was */
    predictedBytes: number | null
  }
  /** `other` is evaluation, checkpoints, records and what lies between. */
  phases: Record<(typeof phases)[number], PhaseUse>
}

/** Adds up the lines of metrics.jsonl. */
export function resourceReport(lines: readonly Metrics[], predictedBytes: number | null = null): ResourceReport {
  const sum = (name: string) => lines.reduce((total, line) => total + (line[name] ?? 0), 0)
  const whole = sum('timing_s/step')
  const tokens = sum('rollout/tokens')
  const named = phases.slice(0, -1).map((phase) => sum(`timing_s/${phase}`))
  const seconds = [...named, Math.max(0, whole - named.reduce((total, value) => total + value, 0))]
  const use = (value: number): PhaseUse => ({
    seconds: value,
    share: whole === 0 ? 0 : value / whole,
    msPerToken: tokens === 0 ? 0 : (1000 * value) / tokens,
  })
  const peaks = lines.flatMap((line) => line['perf/peak_memory_bytes'] ?? [])
  return {
    ...{ steps: lines.length, tokens, allRejected: sum('group/all_rejected') },
    memory: { peakBytes: peaks.length > 0 ? Math.max(...peaks) : null, predictedBytes },
    phases: Object.fromEntries(phases.map((phase, index) => [phase, use(seconds[index]!)])) as ResourceReport['phases'],
  }
}

/** The report as a table. */
export function resourceTable({ steps, tokens, allRejected, memory, phases: used }: ResourceReport): string {
  const rows = Object.entries(used).map(([phase, { seconds, share, msPerToken }]) =>
    [
      phase.padEnd(10),
      seconds.toFixed(1).padStart(9),
      `${(share * 100).toFixed(1)} %`.padStart(8),
      msPerToken.toFixed(3).padStart(12),
    ].join(''),
  )
  const rejected = allRejected > 0 ? `, ${allRejected} of them with every group rejected` : ''
  return [
    `${'phase'.padEnd(10)}  seconds   share   ms a token`,
    ...rows,
    `${tokens} tokens sampled in ${steps} steps${rejected}`,
    `memory: ${memory.peakBytes === null ? 'not measured' : `${gibibytes(memory.peakBytes)} GiB at its peak`}${memory.predictedBytes === null ? '' : `, at most ${gibibytes(memory.predictedBytes)} predicted`}`,
  ].join('\n')
}

/** Bytes as GiB, two digits. */
export function gibibytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(2)
}
