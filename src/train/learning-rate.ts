/** Linear warm-up over `warmupSteps`, then constant. `step` counts from 1. */
export function learningRateAt(step: number, config: { learningRate: number; warmupSteps: number }): number {
  return config.warmupSteps === 0 ? config.learningRate : config.learningRate * Math.min(1, step / config.warmupSteps)
}
