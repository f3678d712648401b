/** softmax(logits / temperature) in float64. */
export function softmax(logits: ArrayLike<number>, temperature = 1): number[] {
  const scaled = Array.from(logits, (logit) => logit / temperature)
  const max = Math.max(...scaled)
  const powers = scaled.map((z) => Math.exp(z - max))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

/** The probabilities of what a filter keeps, renormalised; the rest 0. */
export function keepOnly(probabilities: number[], kept: ReadonlySet<number>): number[] {
  const mass = probabilities.reduce((sum, p, token) => sum + (kept.has(token) ? p : 0), 0)
  return probabilities.map((p, token) => (kept.has(token) ? p / mass : 0))
}

/** Tokens from the most to the least probable. */
export function ranked(probabilities: number[]): number[] {
  return probabilities.map((_, token) => token).sort((a, b) => probabilities[b]! - probabilities[a]!)
}

/** The k most probable tokens. */
export function topKSet(probabilities: number[], k: number): Set<number> {
  return new Set(ranked(probabilities).slice(0, k))
}

/** The smallest set of the most probable tokens whose mass reaches p. */
export function topPSet(probabilities: number[], p: number): Set<number> {
  const kept = new Set<number>()
  let mass = 0
  for (const token of ranked(probabilities)) {
    if (mass >= p) break
    kept.add(token)
    mass += probabilities[token]!
  }
  return kept
}

/**
 * Pearson's chi-square of the counts of samples against probabilities. Outcomes expected fewer than five times are one
 * bin; a sample whose probability is 0 makes it infinite.
 */
export function chiSquare(samples: ArrayLike<number>, probabilities: number[]): { statistic: number; freedom: number } {
  const counts = new Array<number>(probabilities.length).fill(0)
  for (let i = 0; i < samples.length; i++) counts[samples[i]!]!++
  let rareCount = 0
  let rareExpected = 0
  let statistic = 0
  let bins = 0
  for (const [outcome, p] of probabilities.entries()) {
    const expected = p * samples.length
    if (p === 0 && counts[outcome]! > 0)
      return { statistic: Number.POSITIVE_INFINITY, freedom: probabilities.length - 1 }
    if (expected < 5) {
      rareCount += counts[outcome]!
      rareExpected += expected
      continue
    }
    statistic += (counts[outcome]! - expected) ** 2 / expected
    bins++
  }
  if (rareExpected > 0) {
    statistic += (rareCount - rareExpected) ** 2 / rareExpected
    bins++
  }
  return { statistic, freedom: bins - 1 }
}

/** What a chi-square variable exceeds once in a thousand (Wilson and Hilferty's approximation; z of 0.999 is 3.0902). */
export function chiSquareCritical(freedom: number): number {
  const spread = 2 / (9 * freedom)
  return freedom * (1 - spread + 3.0902 * Math.sqrt(spread)) ** 3
}
