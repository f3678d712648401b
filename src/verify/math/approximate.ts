import { BigFloat, magnitude, type Real, ZERO_REAL } from './big-float.ts'
import { exactValue, type Point } from './exact.ts'
import type { Expression } from './expression.ts'
import { Unreadable } from './limits.ts'
import { bitLength, isInteger, type Rational, rational } from './rational.ts'

export interface Complex {
  re: Real
  im: Real
}

/**
 * The natural logarithm of the base of a `log` without one: 10 at school, e in analysis. It is a number that is neither, so
 * that `log` keeps its laws, and equals itself alone.
 */
const UNSAID_BASE = rational(1_908_473_127n, 1_000_000_000n)

/** A divisor that may be 0 but for rounding, which would make anything of the quotient. More bits may tell. */
export class DivisorLost extends RangeError {
  constructor() {
    super('division by zero')
  }
}

/**
 * Evaluates expressions as complex numbers of many bits, by principal values; odd roots of negative numbers are real.
 * Keeps an account of what rounding may have done.
 */
export class Approximation {
  readonly #float: BigFloat
  readonly #point: Point
  /** log2 of the largest number that was added to another: errors are relative to it */
  largest = 0
  /** a term was so small beside another that rounding may hide it */
  hidden = false

  constructor(bits: number, point: Point) {
    this.#float = new BigFloat(bits)
    this.#point = point
  }

  /** @throws RangeError where it is undefined, TooLarge, Unreadable for what is no number */
  value(node: Expression): Complex {
    const exact = exactValue(node, this.#point)
    return exact ? this.#real(exact) : this.#inexact(node)
  }

  subtract(a: Complex, b: Complex): Complex {
    return { re: this.#float.subtract(a.re, b.re), im: this.#float.subtract(a.im, b.im) }
  }

  #real(value: Rational): Complex {
    const re = this.#float.of(value)
    this.largest = Math.max(this.largest, magnitude(re))
    return { re, im: ZERO_REAL }
  }

  #inexact(node: Expression): Complex {
    switch (node.kind) {
      case 'constant':
        return this.#constant(node.name)
      case 'sum':
        return node.terms.map((term) => this.value(term)).reduce((a, b) => this.#add(a, b))
      case 'product':
        return node.factors.map((factor) => this.value(factor)).reduce((a, b) => this.#multiply(a, b))
      case 'quotient':
        return this.#divide(this.value(node.numerator), this.value(node.denominator))
      case 'power':
        return this.#power(node.base, node.exponent)
      case 'call':
        return this.#call(node.name, node.args)
      case 'apply':
        if (node.args.length !== 1) throw new Unreadable('a function of several arguments')
        return this.#multiply(this.value({ kind: 'symbol', name: node.name }), this.value(node.args[0]!))
      default:
        throw new Unreadable(`a ${node.kind} is no number`)
    }
  }

  #constant(name: string): Complex {
    const one = this.#float.of(rational(1n))
    if (name === 'pi') return { re: this.#float.pi(), im: ZERO_REAL }
    if (name === 'e') return { re: this.#float.exp(one), im: ZERO_REAL }
    if (name === 'i') return { re: ZERO_REAL, im: one }
    throw new Unreadable(`${name} is no number`)
  }

  #add(a: Complex, b: Complex): Complex {
    const [small, large] = [size(a), size(b)].sort((x, y) => x - y) as [number, number]
    if (small > Number.NEGATIVE_INFINITY && large - small > this.#float.bits / 2) this.hidden = true
    this.largest = Math.max(this.largest, large)
    return { re: this.#float.add(a.re, b.re), im: this.#float.add(a.im, b.im) }
  }

  #multiply(a: Complex, b: Complex): Complex {
    const f = this.#float
    if (a.im.mantissa === 0n && b.im.mantissa === 0n) return { re: this.#noted(f.multiply(a.re, b.re)), im: ZERO_REAL }
    return {
      re: this.#noted(f.subtract(f.multiply(a.re, b.re), f.multiply(a.im, b.im))),
      im: this.#noted(f.add(f.multiply(a.re, b.im), f.multiply(a.im, b.re))),
    }
  }

  #noted(value: Real): Real {
    this.largest = Math.max(this.largest, magnitude(value))
    return value
  }

  #divide(a: Complex, b: Complex): Complex {
    const f = this.#float
    if (size(b) < this.largest - f.bits / 2) throw new DivisorLost()
    if (b.im.mantissa === 0n) {
      return { re: this.#noted(f.divide(a.re, b.re)), im: a.im.mantissa === 0n ? ZERO_REAL : f.divide(a.im, b.re) }
    }
    const square = f.add(f.multiply(b.re, b.re), f.multiply(b.im, b.im))
    const product = this.#multiply(a, { re: b.re, im: f.negate(b.im) })
    return { re: this.#noted(f.divide(product.re, square)), im: this.#noted(f.divide(product.im, square)) }
  }

  #power(baseNode: Expression, exponentNode: Expression): Complex {
    const exponent = exactValue(exponentNode, this.#point)
    if (exponent) return this.#rationalPower(baseNode, exponent)
    const power = this.value(exponentNode)
    if (baseNode.kind === 'constant' && baseNode.name === 'e') return this.#exp(power)
    return this.#exp(this.#multiply(this.#ln(this.value(baseNode)), power))
  }

  #rationalPower(baseNode: Expression, exponent: Rational): Complex {
    if (isInteger(exponent) && bitLength(exponent.numerator) <= 10)
      return this.#integerPower(this.value(baseNode), Number(exponent.numerator))
    if (baseNode.kind === 'constant' && baseNode.name === 'e') return this.#exp(this.#real(exponent))
    return this.#rootPower(this.value(baseNode), exponent)
  }

  #integerPower(base: Complex, exponent: number): Complex {
    let result: Complex = { re: this.#float.of(rational(1n)), im: ZERO_REAL }
    let square = base
    for (let rest = Math.abs(exponent); rest > 0; rest >>= 1) {
      if (rest & 1) result = this.#multiply(result, square)
      if (rest > 1) square = this.#multiply(square, square)
    }
    return exponent < 0 ? this.#divide({ re: this.#float.of(rational(1n)), im: ZERO_REAL }, result) : result
  }

  /** base^(p/q): the real root of a negative number where q is odd, else the principal value. */
  #rootPower(base: Complex, exponent: Rational): Complex {
    if (size(base) === Number.NEGATIVE_INFINITY) {
      if (exponent.numerator <= 0n) throw new RangeError('0 to a negative power')
      return base
    }
    const negative = base.im.mantissa === 0n && base.re.mantissa < 0n
    if (negative && exponent.denominator % 2n === 1n && exponent.denominator > 1n) {
      const positive = this.#rootPower({ re: this.#float.negate(base.re), im: ZERO_REAL }, exponent)
      return exponent.numerator % 2n === 0n ? positive : this.#negate(positive)
    }
    if (base.im.mantissa === 0n && exponent.denominator === 2n && bitLength(exponent.numerator) <= 10) {
      const radical = this.#float.sqrt(negative ? this.#float.negate(base.re) : base.re)
      const principal = negative ? { re: ZERO_REAL, im: radical } : { re: radical, im: ZERO_REAL }
      return this.#integerPower(principal, Number(exponent.numerator))
    }
    return this.#exp(this.#multiply(this.#ln(base), { re: this.#float.of(exponent), im: ZERO_REAL }))
  }

  #negate({ re, im }: Complex): Complex {
    return { re: this.#float.negate(re), im: this.#float.negate(im) }
  }

  #exp({ re, im }: Complex): Complex {
    const scale = this.#float.exp(re)
    if (im.mantissa === 0n) return { re: this.#noted(scale), im: ZERO_REAL }
    const [sine, cosine] = this.#float.sinCos(im)
    return { re: this.#noted(this.#float.multiply(scale, cosine)), im: this.#noted(this.#float.multiply(scale, sine)) }
  }

  #ln(a: Complex): Complex {
    const f = this.#float
    if (size(a) === Number.NEGATIVE_INFINITY) throw new RangeError('logarithm of 0')
    if (a.im.mantissa === 0n) {
      return a.re.mantissa > 0n ? { re: f.ln(a.re), im: ZERO_REAL } : { re: f.ln(f.negate(a.re)), im: f.pi() }
    }
    return { re: f.ln(this.#modulus(a)), im: this.#angle(a) }
  }

  #modulus({ re, im }: Complex): Real {
    const f = this.#float
    return f.sqrt(f.add(f.multiply(re, re), f.multiply(im, im)))
  }

  #angle({ re, im }: Complex): Real {
    const f = this.#float
    const half = { mantissa: f.pi().mantissa, exponent: f.pi().exponent - 1 }
    if (re.mantissa === 0n) return im.mantissa > 0n ? half : f.negate(half)
    const angle = f.atan(f.divide(im, re))
    if (re.mantissa > 0n) return angle
    return im.mantissa >= 0n ? f.add(angle, f.pi()) : f.subtract(angle, f.pi())
  }

  #call(name: string, args: Expression[]): Complex {
    const f = this.#float
    const one: Complex = { re: f.of(rational(1n)), im: ZERO_REAL }
    if (name === 'root') {
      const degree = exactValue(args[1]!, this.#point)
      if (!degree || !isInteger(degree) || degree.numerator < 1n) throw new Unreadable('a root of that degree')
      return this.#rootPower(this.value(args[0]!), { numerator: 1n, denominator: degree.numerator })
    }
    const x = this.value(args[0]!)
    switch (name) {
      case 'abs':
        return { re: this.#modulus(x), im: ZERO_REAL }
      case 'percent':
        return this.#divide(x, this.#real(rational(100n)))
      case 'degree':
        return this.#divide(this.#multiply(x, { re: f.pi(), im: ZERO_REAL }), this.#real(rational(180n)))
      case 'exp':
        return this.#exp(x)
      case 'ln':
        return this.#ln(x)
      case 'lg':
        return this.#divide(this.#ln(x), this.#ln(this.#real(rational(10n))))
      case 'log':
        return this.#divide(this.#ln(x), args[1] ? this.#ln(this.value(args[1])) : this.#real(UNSAID_BASE))
      case 'sinh':
      case 'cosh':
      case 'tanh': {
        const [grow, shrink] = [this.#exp(x), this.#exp(this.#negate(x))]
        const [sum, difference] = [this.#add(grow, shrink), this.#add(grow, this.#negate(shrink))]
        if (name === 'tanh') return this.#divide(difference, sum)
        return this.#divide(name === 'sinh' ? difference : sum, this.#real(rational(2n)))
      }
    }
    if (x.im.mantissa !== 0n) throw new Unreadable(`${name} of a complex number`)
    if (name === 'arctan') return { re: f.atan(x.re), im: ZERO_REAL }
    if (name === 'arcsin' || name === 'arccos') return { re: this.#arc(name, x.re), im: ZERO_REAL }
    if (name === 'floor' || name === 'ceil') throw new Unreadable(`${name} of a number that is not rational`)
    const [sine, cosine] = f.sinCos(x.re).map((re) => ({ re, im: ZERO_REAL })) as [Complex, Complex]
    if (name === 'sin') return sine
    if (name === 'cos') return cosine
    if (name === 'tan') return this.#divide(sine, cosine)
    if (name === 'cot') return this.#divide(cosine, sine)
    if (name === 'sec') return this.#divide(one, cosine)
    if (name === 'csc') return this.#divide(one, sine)
    throw new Unreadable(`${name} is not evaluated`)
  }

  #arc(name: 'arcsin' | 'arccos', x: Real): Real {
    const f = this.#float
    const rest = f.subtract(f.of(rational(1n)), f.multiply(x, x))
    if (rest.mantissa < 0n) throw new RangeError(`${name} of a number outside of -1 to 1`)
    const sine = this.#angle({ re: f.sqrt(rest), im: x })
    if (name === 'arcsin') return sine
    return f.subtract({ mantissa: f.pi().mantissa, exponent: f.pi().exponent - 1 }, sine)
  }
}

/** log2 of the larger part's size. */
export function size({ re, im }: Complex): number {
  return Math.max(magnitude(re), magnitude(im))
}
