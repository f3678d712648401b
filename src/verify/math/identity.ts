import { Approximation, DivisorLost, size } from './approximate.ts'
import { constantSpread } from './constant-spread.ts'
import { exactValue, type Point } from './exact.ts'
import { children, type Expression, number, some, symbols, withChildren } from './expression.ts'
import { TooLarge } from './limits.ts'
import { sameForm } from './linear-form.ts'
import { equalRationals, type Rational, rational } from './rational.ts'

const MAX_SYMBOLS = 16
const POINTS = 4
const NOWHERE: Point = new Map()
/** Bits of the evaluation; more of them where fewer leave it open. */
const PRECISIONS = [192, 448, 1600]
/** Where the constants lie so far apart that fewer would miss the small ones, and without variables, where it is done once. */
const MOST_BITS = 6400
/** Bits that rounding may have spoiled. */
const SPOILED = 60

/**
 * Whether two expressions have the same value wherever both are defined: tested at points drawn by a fixed generator,
 * exactly where their values are rational (a polynomial identity fails at a random point almost surely), else to at least 130 bits,
 * and to more where their constants ask for it.
 *
 * @throws TooLarge, Unreadable
 */
export function identical(a: Expression, b: Expression): boolean {
  const names = [...symbols(b, symbols(a))].sort()
  if (names.length > MAX_SYMBOLS) throw new TooLarge('number of variables')
  if (names.length === 0) return agreeAt(a, b, NOWHERE) === true
  const whole = some(a, isDiscrete) || some(b, isDiscrete) ? SMALL : isRational(a) && isRational(b) ? LARGE : null
  let agreed = 0
  for (let round = 0; round < 6 * POINTS && agreed < POINTS; round++) {
    const agrees = agreeAt(a, b, point(names, round, whole))
    if (agrees === false) return false
    if (agrees) agreed++
  }
  return agreed === POINTS
}

/** Variables of factorials and binomials are whole numbers. */
function isDiscrete(node: Expression): boolean {
  return node.kind === 'call' && (node.name === 'factorial' || node.name === 'binomial') && symbols(node).size > 0
}

/** Made by arithmetic and whole powers alone: as telling at whole numbers, and cheaper. */
function isRational(node: Expression): boolean {
  if (node.kind === 'power')
    return node.exponent.kind === 'number' && node.exponent.value.denominator === 1n && isRational(node.base)
  return node.kind !== 'call' && node.kind !== 'constant' && children(node).every(isRational)
}

/** Whole numbers from 2 to 40, or to 2^24. */
const SMALL = 39
const LARGE = 2 ** 24

/** Values of either sign between 0.2 and 3, or `whole` numbers from 2 to so much more. */
export function point(names: readonly string[], round: number, whole: number | null = null): Point {
  let state = 0x9e3779b9 ^ (round * 0x85ebca6b)
  const next = () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  return new Map(
    names.map((name) => {
      next()
      if (whole !== null) return [name, rational(BigInt(2 + Math.floor(next() * whole)))]
      const value = (0.2 + 2.8 * next()) * (next() < 0.4 ? -1 : 1)
      return [name, rational(BigInt(Math.round(value * 2 ** 24)), 2n ** 24n)]
    }),
  )
}

/** Null where one of them is undefined there. */
function agreeAt(a: Expression, b: Expression, at: Point): boolean | null {
  try {
    const [x, y] = [exactValue(a, at), exactValue(b, at)]
    if (x && y) return equalRationals(x, y)
    const needed = 2 * Math.max(constantSpread(a), constantSpread(b)) + SPOILED
    let lost: DivisorLost | undefined
    for (const bits of precisions(needed, at.size === 0)) {
      try {
        lost = undefined
        const agrees = agreeTo(bits, a, b, at, isZero(x) || isZero(y))
        if (agrees === false || (agrees && bits >= needed)) return agrees
      } catch (error) {
        if (!(error instanceof DivisorLost)) throw error
        lost = error
      }
    }
    if (sameForm(a, b)) return true
    if (lost) throw lost
    return false
  } catch (error) {
    if (error instanceof RangeError) return null
    if (error instanceof TooLarge && sameForm(a, b)) return true
    throw error
  }
}

function precisions(needed: number, constant: boolean): number[] {
  return constant || needed > PRECISIONS.at(-1)! ? [...PRECISIONS, MOST_BITS] : PRECISIONS
}

/** Null where so many bits leave it open. */
function agreeTo(bits: number, a: Expression, b: Expression, at: Point, zero: boolean): boolean | null {
  const approximation = new Approximation(bits, at)
  const [x, y] = [approximation.value(a), approximation.value(b)]
  const difference = size(approximation.subtract(x, y))
  const tolerance = approximation.largest - bits + SPOILED
  if (difference > tolerance) {
    // ln(x/y) and ln x - ln y, or roots: principal values part where neither is real
    const real = [x, y].some(({ im }) => size({ re: im, im }) <= tolerance)
    if (!real && [a, b].some(hasBranches) && ![a, b].some(isComplex)) throw new RangeError('not real')
    return false
  }
  if (approximation.hidden) return null
  if (tolerance < Math.max(size(x), size(y)) - 64) return true
  return tolerance < (zero ? -100 : -1000) ? true : null
}

/** A logarithm or root of a variable. */
function hasBranches(node: Expression): boolean {
  return some(
    node,
    (part) => part.kind === 'call' && ['ln', 'log', 'lg', 'root'].includes(part.name) && symbols(part).size > 0,
  )
}

function isComplex(node: Expression): boolean {
  return some(node, (part) => part.kind === 'constant' && part.name === 'i')
}

function isZero(value: Rational | null): boolean {
  return value?.numerator === 0n
}

/** The value of an expression without variables, as a fraction; null where it is not real. To 190 bits where irrational. */
export function realValue(node: Expression): Rational | null {
  if (symbols(node).size > 0) return null
  const exact = exactValue(node, NOWHERE)
  if (exact) return exact
  const approximation = new Approximation(PRECISIONS[0]!, NOWHERE)
  const { re, im } = approximation.value(node)
  if (im.mantissa !== 0n && size({ re: im, im }) > approximation.largest - 130) return null
  return re.exponent >= 0
    ? rational(re.mantissa << BigInt(re.exponent))
    : rational(re.mantissa, 1n << BigInt(-re.exponent))
}

/** The expression with numbers for its variables. */
export function substitute(node: Expression, values: Point): Expression {
  if (node.kind === 'symbol' && values.has(node.name)) return number(values.get(node.name)!)
  if (node.kind === 'apply' && values.has(node.name) && node.args.length === 1) {
    return { kind: 'product', factors: [number(values.get(node.name)!), substitute(node.args[0]!, values)] }
  }
  const parts = children(node)
  return parts.length === 0
    ? node
    : withChildren(
        node,
        parts.map((part) => substitute(part, values)),
      )
}
