import { TooLarge } from './limits.ts'

/** An exact number: numerator over a denominator above 0, in lowest terms. */
export interface Rational {
  numerator: bigint
  denominator: bigint
}

/** Largest whole number that is computed exactly, in bits: 6000 decimal digits. */
const MAX_BITS = 20_000
/** Of a fraction, whose lowest terms cost more. */
const MAX_FRACTION_BITS = 6000

export const ZERO: Rational = { numerator: 0n, denominator: 1n }
export const ONE: Rational = { numerator: 1n, denominator: 1n }

/** @throws RangeError where the denominator is 0 */
export function rational(numerator: bigint, denominator = 1n): Rational {
  if (denominator === 0n) throw new RangeError('division by zero')
  if (denominator === 1n) {
    if (bitLength(numerator) > MAX_BITS) throw new TooLarge('number')
    return { numerator, denominator }
  }
  if (numerator % denominator === 0n) return { numerator: numerator / denominator, denominator: 1n }
  if (bitLength(numerator) + bitLength(denominator) > MAX_FRACTION_BITS) throw new TooLarge('fraction')
  const divisor = gcd(numerator, denominator) * (denominator < 0n ? -1n : 1n)
  return { numerator: numerator / divisor, denominator: denominator / divisor }
}

/** Of a whole and a decimal part, as digits. */
export function decimal(whole: string, part: string): Rational {
  return rational(BigInt(`${whole}${part}` || '0'), 10n ** BigInt(part.length))
}

export function add(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator)
}

export function negate({ numerator, denominator }: Rational): Rational {
  return { numerator: -numerator, denominator }
}

export function subtract(a: Rational, b: Rational): Rational {
  return add(a, negate(b))
}

export function multiply(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator)
}

/** @throws RangeError where b is 0 */
export function divide(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator, a.denominator * b.numerator)
}

export function absolute(a: Rational): Rational {
  return a.numerator < 0n ? negate(a) : a
}

export function equalRationals(a: Rational, b: Rational): boolean {
  return a.numerator === b.numerator && a.denominator === b.denominator
}

/** Below 0, 0 or above 0 as a is less than, equal to or more than b. */
export function compare(a: Rational, b: Rational): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

export function isInteger({ denominator }: Rational): boolean {
  return denominator === 1n
}

export function floor({ numerator, denominator }: Rational): bigint {
  const quotient = numerator / denominator
  return numerator % denominator < 0n ? quotient - 1n : quotient
}

/** @throws TooLarge, or RangeError for 0 to a power that is not above 0 */
export function power(base: Rational, exponent: bigint): Rational {
  if (exponent <= 0n && base.numerator === 0n) throw new RangeError('0 to a power that is not positive')
  const size = exponent < 0n ? -exponent : exponent
  const bits = Math.max(bitLength(base.numerator), bitLength(base.denominator))
  const trivial = bits <= 1 && base.denominator === 1n
  if (!trivial && size * BigInt(bits) > BigInt(MAX_BITS)) throw new TooLarge('power')
  if (trivial) return size % 2n === 0n ? rational(base.numerator * base.numerator) : base
  const [numerator, denominator] = [base.numerator ** size, base.denominator ** size]
  return exponent < 0n ? rational(denominator, numerator) : rational(numerator, denominator)
}

/** The real root of that degree where it is rational, else null. The degree is at least 1. */
export function root({ numerator, denominator }: Rational, degree: number): Rational | null {
  const top = integerRoot(numerator, degree)
  const bottom = top === null ? null : integerRoot(denominator, degree)
  return top === null || bottom === null ? null : rational(top, bottom)
}

function integerRoot(value: bigint, degree: number): bigint | null {
  if (value < 0n) {
    if (degree % 2 === 0) return null
    const positive = integerRoot(-value, degree)
    return positive === null ? null : -positive
  }
  if (value < 2n || degree === 1) return value
  const estimate = floorRoot(value, degree)
  return estimate ** BigInt(degree) === value ? estimate : null
}

/** The largest integer whose power of that degree is at most `value`, which is at least 1. Newton's iteration from above. */
export function floorRoot(value: bigint, degree: number): bigint {
  const n = BigInt(degree)
  let guess = 1n << BigInt(Math.ceil(bitLength(value) / degree))
  for (;;) {
    const next = ((n - 1n) * guess + value / guess ** (n - 1n)) / n
    if (next >= guess) return guess
    guess = next
  }
}

export function bitLength(value: bigint): number {
  const digits = (value < 0n ? -value : value).toString(16)
  return digits.length * 4 - (digits[0]! < '2' ? 3 : digits[0]! < '4' ? 2 : digits[0]! < '8' ? 1 : 0)
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b]
  while (y !== 0n) [x, y] = [y, x % y]
  return x
}
