import type { Metrics } from '../metrics/step-metrics.ts'
import type { RunSummary } from '../train/run.ts'
import type { Variant } from './studies.ts'

/** A variant that is done. */
export interface VariantRun {
  variant: Variant
  lines: Metrics[]
  summary: RunSummary
}
