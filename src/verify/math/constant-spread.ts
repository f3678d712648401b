import { exactValue, type Point } from './exact.ts'
import { children, type Expression, symbols } from './expression.ts'
import { TooLarge } from './limits.ts'
import { bitLength, ONE, type Rational } from './rational.ts'

/**
 * How far apart, in bits, the constants of an expression lie: within a sum from the largest term to the smallest, each
 * with 1 for its variables, and within a number from its first digit to its last. `x^3+10^{-60}` has 199: an
 * approximation of as many bits takes it for `x^3`. Terms that are not rational are not counted.
 */
export function constantSpread(node: Expression): number {
  return spread(node, new Map([...symbols(node)].map((name) => [name, ONE])))
}

function spread(node: Expression, ones: Point): number {
  let widest = node.kind === 'number' ? bitLength(node.value.numerator) : 0
  if (node.kind === 'sum') {
    const sizes = node.terms.flatMap((term) => size(rationalValue(term, ones)))
    if (sizes.length > 1) widest = Math.max(...sizes) - Math.min(...sizes)
  }
  for (const child of children(node)) widest = Math.max(widest, spread(child, ones))
  return widest
}

/** log2, to one; nothing for 0. */
function size(value: Rational | null): number[] {
  if (value === null || value.numerator === 0n) return []
  return [bitLength(value.numerator) - bitLength(value.denominator)]
}

function rationalValue(node: Expression, point: Point): Rational | null {
  try {
    return exactValue(node, point)
  } catch (error) {
    if (error instanceof RangeError || error instanceof TooLarge) return null
    throw error
  }
}
