import type { Expression } from './expression.ts'
import { MAX_FACTORIAL, TooLarge } from './limits.ts'
import {
  absolute,
  add,
  compare,
  divide,
  equalRationals,
  floor,
  isInteger,
  multiply,
  negate,
  ONE,
  power,
  type Rational,
  rational,
  root,
  ZERO,
} from './rational.ts'

/** A value for each variable. */
export type Point = ReadonlyMap<string, Rational>

/**
 * The exact value of an expression where it is rational by arithmetic, integer powers, exact roots, factorials and
 * rounding; null where it is not, or has a variable that the point does not give.
 *
 * @throws RangeError where it is undefined (division by zero), TooLarge
 */
export function exactValue(node: Expression, point: Point): Rational | null {
  switch (node.kind) {
    case 'number':
      return node.value
    case 'symbol':
      return point.get(node.name) ?? null
    case 'apply': {
      const name = point.get(node.name)
      const argument = node.args.length === 1 ? exactValue(node.args[0]!, point) : null
      return name && argument ? multiply(name, argument) : null
    }
    case 'sum':
      return fold(node.terms, ZERO, add, point)
    case 'product':
      return fold(node.factors, ONE, multiply, point)
    case 'quotient': {
      const [top, bottom] = [exactValue(node.numerator, point), exactValue(node.denominator, point)]
      if (bottom && bottom.numerator === 0n) throw new RangeError('division by zero')
      return top && bottom ? divide(top, bottom) : null
    }
    case 'power':
      return exactPower(node.base, node.exponent, point)
    case 'call':
      return exactCall(node.name, node.args, point)
    default:
      return null
  }
}

function fold(
  nodes: Expression[],
  start: Rational,
  join: (a: Rational, b: Rational) => Rational,
  point: Point,
): Rational | null {
  let result: Rational | null = start
  for (const node of nodes) {
    // every part is looked at, for one that is undefined
    const value = exactValue(node, point)
    result = result && value ? join(result, value) : null
  }
  return result
}

function exactPower(baseNode: Expression, exponentNode: Expression, point: Point): Rational | null {
  const [base, exponent] = [exactValue(baseNode, point), exactValue(exponentNode, point)]
  if (!base || !exponent) return null
  if (isInteger(exponent)) return power(base, exponent.numerator)
  if (exponent.denominator > 64n) return null
  const radical = root(base, Number(exponent.denominator))
  return radical && power(radical, exponent.numerator)
}

function exactCall(name: string, args: Expression[], point: Point): Rational | null {
  const values = args.map((arg) => exactValue(arg, point))
  const [x, y] = values
  if (!x) return null
  switch (name) {
    case 'percent':
      return divide(x, rational(100n))
    case 'abs':
      return absolute(x)
    case 'floor':
      return rational(floor(x))
    case 'ceil':
      return rational(-floor(negate(x)))
    case 'root':
      if (!y || !isInteger(y) || y.numerator < 1n || y.numerator > 64n) return null
      return root(x, Number(y.numerator))
    case 'factorial':
      return factorial(x)
    case 'binomial':
      return y ? binomial(x, y) : null
    case 'ln':
      return equalRationals(x, ONE) ? ZERO : null
    case 'log':
    case 'lg':
      return args.length > 1 && !y ? null : logarithm(x, y ?? (name === 'lg' ? rational(10n) : null))
    default:
      return null
  }
}

/** Where a power of the base is met exactly. */
function logarithm(x: Rational, base: Rational | null): Rational | null {
  if (compare(x, ZERO) <= 0) throw new RangeError('logarithm of a number that is not above 0')
  if (equalRationals(x, ONE)) return ZERO
  if (!base || compare(base, ONE) <= 0 || !isInteger(base)) return null
  const inverse = x.numerator === 1n
  let rest = inverse ? x.denominator : x.denominator === 1n ? x.numerator : 0n
  if (rest === 0n) return null
  let exponent = 0n
  while (rest % base.numerator === 0n) {
    rest /= base.numerator
    exponent++
  }
  return rest === 1n ? rational(inverse ? -exponent : exponent) : null
}

function factorial(x: Rational): Rational {
  if (!isInteger(x) || x.numerator < 0n) throw new RangeError('factorial of a number that is no natural one')
  if (x.numerator > MAX_FACTORIAL) throw new TooLarge('factorial')
  let result = 1n
  for (let n = 2n; n <= x.numerator; n++) result *= n
  return rational(result)
}

function binomial(n: Rational, k: Rational): Rational {
  if (!isInteger(n) || !isInteger(k) || k.numerator < 0n) throw new RangeError('binomial of numbers that are not whole')
  if (n.numerator > MAX_FACTORIAL * 10n || k.numerator > MAX_FACTORIAL) throw new TooLarge('binomial')
  let result = ONE
  for (let i = 0n; i < k.numerator; i++) result = multiply(result, rational(n.numerator - i, i + 1n))
  return result
}
