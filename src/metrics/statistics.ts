/** 0 for an empty list. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += values[index]!
  return values.length === 0 ? 0 : sum / values.length
}

/** Sample standard deviation (n - 1); 0 for fewer than two values. */
export function standardDeviation(values: ArrayLike<number>): number {
  if (values.length < 2) return 0
  const centre = mean(values)
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += (values[index]! - centre) ** 2
  return Math.sqrt(sum / (values.length - 1))
}

/** Mean, least and greatest; zeros for an empty list. */
export function spread(values: readonly number[]): { mean: number; min: number; max: number } {
  if (values.length === 0) return { mean: 0, min: 0, max: 0 }
  return {
    mean: mean(values),
    min: values.reduce((a, b) => Math.min(a, b)),
    max: values.reduce((a, b) => Math.max(a, b)),
  }
}

/** Share of the values that satisfy `test`; 0 for an empty list. */
export function share<T>(values: readonly T[], test: (value: T) => boolean): number {
  return values.length === 0 ? 0 : values.filter(test).length / values.length
}
