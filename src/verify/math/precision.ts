import { type Expression, some } from './expression.ts'
import { realValue } from './identity.ts'
import { absolute, bitLength, compare, floor, multiply, power, type Rational, rational, subtract } from './rational.ts'

const HALF = rational(1n, 2n)
/** A decimal that is a fraction with so small a denominator is taken as exact: 2.25 and 0.125, not 7.78 and 0.333. */
const EXACT_DENOMINATOR = 20n

/**
 * Whether two numbers that are not the same agree to the digits after the decimal point that are asked for. Without
 * `places`, to those of the gold, where it is a decimal of at least two places and three digits that is evidently rounded, and
 * the answer states more than it.
 */
export function agreeToPrecision(gold: Expression, given: Expression, places: number | undefined): boolean {
  const stated = places === undefined ? statedPlaces(gold) : places
  if (stated === null) return false
  if (places === undefined && (decimalPlaces(given) ?? Number.POSITIVE_INFINITY) <= stated) return false
  if (places !== undefined && !hasDecimal(gold) && !hasDecimal(given)) return false
  const [expected, found] = [realValue(gold), realValue(given)]
  if (!expected || !found) return false
  const scale = power(rational(10n), BigInt(stated))
  if (places === undefined) return compare(absolute(multiply(subtract(expected, found), scale)), HALF) <= 0
  const [a, b] = [rounded(multiply(expected, scale)), rounded(multiply(found, scale))]
  // what rounds to 0 says nothing
  return a === b && a !== 0n
}

function hasDecimal(node: Expression): boolean {
  return some(node, (part) => part.kind === 'number' && part.places !== null)
}

function decimalPlaces(node: Expression): number | null {
  return node.kind === 'number' ? (node.value.denominator === 1n ? 0 : node.places) : null
}

function statedPlaces(gold: Expression): number | null {
  if (gold.kind !== 'number' || gold.places === null || gold.places < 2) return null
  const digits = multiply(gold.value, power(rational(10n), BigInt(gold.places)))
  if (absolute(digits).numerator < 100n || gold.value.denominator <= EXACT_DENOMINATOR) return null
  return bitLength(gold.value.numerator) > 1000 ? null : gold.places
}

function rounded(value: Rational): bigint {
  return floor({ numerator: 2n * value.numerator + value.denominator, denominator: 2n * value.denominator })
}
