/** Levenshtein distance: the fewest insertions, deletions and substitutions from `a` to `b`. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}

/**
 * The known key that a mistyped one most likely meant.
 *
 * @param key dotted path as written, `entropy.targt`
 * @param known every valid dotted path
 * @returns a dotted path, or undefined where nothing is near
 */
export function nearestKey(key: string, known: readonly string[]): string | undefined {
  const parent = key.slice(0, key.lastIndexOf('.') + 1)
  const leaf = key.slice(parent.length)
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const sameLevel = candidate.startsWith(parent) && !candidate.slice(parent.length).includes('.')
    const candidateLeaf = candidate.slice(candidate.lastIndexOf('.') + 1)
    // Elsewhere only the same name counts, the shallowest first: `target` at the top level meant `entropy.target`.
    const elsewhere = sameLevel ? 0 : 1.5 + 0.01 * candidate.split('.').length
    const distance = editDistance(leaf.toLowerCase(), candidateLeaf.toLowerCase()) + elsewhere
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return bestDistance <= Math.max(2, leaf.length / 3) ? best : undefined
}
