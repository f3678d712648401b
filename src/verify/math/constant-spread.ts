import { exactValue, type Point } from './exact.ts'
import { children, type Expression, symbols } from './expression.ts'
import { TooLarge } from './limits.ts'
import { bitLength, ONE, type Rational } from './rational.ts'

/**
 * How far apart, in bits, the constants of an expression lie: within a sum from the largest term to the smallest, each
 * with 1 for its variables, within a number from its first digit to its last, and between a function's value for a tiny
 * argument and its limit. `x^3+10^{-60}` has 199: an approximation of as many bits takes it for `x^3`, and `e^{10^{-60}}` for
 * 1. A factor that is not rational counts as 1.
 */
export function constantSpread(node: Expression): number {
  return spread(node, new Map([...symbols(node)].map((name) => [name, ONE])))
}

function spread(node: Expression, ones: Point): number {
  let widest = node.kind === 'number' ? bitLength(node.value.numerator) : 0
  if (node.kind === 'sum') {
    const sizes = node.terms.map((term) => factorSize(term, ones))
    const smallest = Math.min(...sizes)
    // the logarithm of 1 + d is d but for its square
    widest = Math.max(...sizes) - smallest + Math.max(0, -smallest)
  }
  widest = Math.max(widest, ORDER * tininess(node, ones))
  for (const child of children(node)) widest = Math.max(widest, spread(child, ones))
  return widest
}

/** `sin x` is `x` but for its cube. */
const ORDER = 3
/** Those with a limit, or a line, at 0. */
const FLAT = new Set('exp sinh cosh tanh sin cos tan cot sec csc arcsin arccos arctan degree'.split(' '))

/** Bits that the argument of a power or function is below 1; for an arc tangent and a root's degree, above. */
function tininess(node: Expression, ones: Point): number {
  if (node.kind === 'power') return Math.max(0, -factorSize(node.exponent, ones))
  if (node.kind !== 'call') return 0
  if (node.name === 'root') return Math.max(0, factorSize(node.args[1]!, ones))
  if (!FLAT.has(node.name)) return 0
  const bits = factorSize(node.args[0]!, ones)
  return node.name === 'arctan' ? Math.abs(bits) : Math.max(0, -bits)
}

/** log2 of the rational factors. */
function factorSize(node: Expression, ones: Point): number {
  const value = rationalValue(node, ones)
  if (value) return value.numerator === 0n ? 0 : bitLength(value.numerator) - bitLength(value.denominator)
  const sum = (nodes: Expression[]) => nodes.reduce((bits, part) => bits + factorSize(part, ones), 0)
  if (node.kind === 'product') return sum(node.factors)
  return node.kind === 'quotient' ? factorSize(node.numerator, ones) - factorSize(node.denominator, ones) : 0
}

function rationalValue(node: Expression, point: Point): Rational | null {
  try {
    return exactValue(node, point)
  } catch (error) {
    if (error instanceof RangeError || error instanceof TooLarge) return null
    throw error
  }
}
