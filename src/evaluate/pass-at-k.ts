/**
 * pass@k: the chance that at least one of k samples is correct, estimated without bias from n samples of which c are
 * correct: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, eq 1), as a product, so that no binomial overflows.
 *
 * @throws RangeError unless 0 <= c <= n and 1 <= k <= n, all whole
 */
export function passAtK(n: number, c: number, k: number): number {
  if (![n, c, k].every(Number.isSafeInteger) || c < 0 || c > n || k < 1 || k > n)
    throw new RangeError(`passAtK(${n}, ${c}, ${k}): expected whole numbers 0 <= c <= n and 1 <= k <= n`)
  if (n - c < k) return 1
  let noneCorrect = 1
  for (let i = n - c + 1; i <= n; i++) noneCorrect *= 1 - k / i
  return 1 - noneCorrect
}

/** The k that n samples are reported for: 1, 2, 4, ... and n. */
export function reportedKs(n: number): number[] {
  const ks: number[] = []
  for (let k = 1; k < n; k *= 2) ks.push(k)
  return [...ks, n]
}
