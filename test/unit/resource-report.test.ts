import test from 'ava'
import { resourceReport, resourceTable } from '../../src/metrics/resource-report.ts'

const line = (step: number, rejected: number) => ({
  ...{ step, 'timing_s/step': 10, 'timing_s/rollout': 6, 'timing_s/verify': 1, 'timing_s/update': 2 },
  ...{ 'rollout/tokens': 500, 'group/all_rejected': rejected, 'perf/peak_memory_bytes': 2 ** 30 * step },
})

test('seconds, shares and milliseconds a token of each phase', (t) => {
  const report = resourceReport([line(1, 0), line(2, 1)])
  t.deepEqual(report.phases.rollout, { seconds: 12, share: 0.6, msPerToken: 12 })
  t.deepEqual(report.phases.other, { seconds: 2, share: 0.1, msPerToken: 2 })
  t.is(report.allRejected, 1)
  const text = resourceTable(report)
  t.regex(text, /update +4\.0 +20\.0 % +4\.000/)
  t.regex(text, /1000 tokens sampled in 2 steps, 1 of them with every group rejected/)
})

test('a run of no steps has no shares', (t) => {
  const { phases, memory } = resourceReport([])
  t.deepEqual(memory, { peakBytes: null, predictedBytes: null })
  t.deepEqual(phases.update, { seconds: 0, share: 0, msPerToken: 0 })
})

test('the highest memory stands beside what was predicted', (t) => {
  const report = resourceReport([line(3, 0), line(2, 0)], 2 ** 32)
  t.deepEqual(report.memory, { peakBytes: 3 * 2 ** 30, predictedBytes: 2 ** 32 })
  t.regex(resourceTable(report), /memory: 3\.00 GiB at its peak, at most 4\.00 predicted/)
  t.regex(resourceTable(resourceReport([line(1, 0)])), /memory: 1\.00 GiB at its peak$/)
  // A step without an update has not measured it.
  const { 'perf/peak_memory_bytes': _, ...without } = line(2, 1)
  t.is(resourceReport([line(1, 0), without]).memory.peakBytes, 2 ** 30)
  t.regex(resourceTable(resourceReport([without], 2 ** 32)), /memory: not measured, at most 4\.00 predicted$/)
})
