import { TooLarge } from './limits.ts'
import { bitLength, floorRoot, type Rational } from './rational.ts'

/** A real number `mantissa * 2^exponent`, rounded to the bits of its arithmetic. */
export interface Real {
  mantissa: bigint
  exponent: number
}

export const ZERO_REAL: Real = { mantissa: 0n, exponent: 0 }
/** Beyond 2^100000 nothing is evaluated. */
const MAX_EXPONENT = 100_000
const GUARD = 32

/** log2 of the size, to one; minus infinity for 0. */
export function magnitude({ mantissa, exponent }: Real): number {
  return mantissa === 0n ? Number.NEGATIVE_INFINITY : bitLength(mantissa) + exponent
}

/** Real arithmetic with results of `bits` bits; a few of the last may be wrong. */
export class BigFloat {
  readonly bits: number
  readonly #constants = new Map<string, bigint>()

  constructor(bits: number) {
    this.bits = bits
  }

  round({ mantissa, exponent }: Real): Real {
    const excess = bitLength(mantissa) - this.bits
    if (mantissa === 0n) return ZERO_REAL
    if (Math.abs(exponent + this.bits) > MAX_EXPONENT) throw new TooLarge('value')
    return excess <= 0 ? { mantissa, exponent } : { mantissa: mantissa >> BigInt(excess), exponent: exponent + excess }
  }

  of({ numerator, denominator }: Rational): Real {
    if (denominator === 1n) return this.round({ mantissa: numerator, exponent: 0 })
    const shift = Math.max(0, this.bits + GUARD + bitLength(denominator) - bitLength(numerator))
    return this.round({ mantissa: (numerator << BigInt(shift)) / denominator, exponent: -shift })
  }

  add(a: Real, b: Real): Real {
    if (a.mantissa === 0n) return b
    if (b.mantissa === 0n) return a
    const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a]
    const shift = high.exponent - low.exponent
    if (magnitude(high) - magnitude(low) > 2 * this.bits) return high
    return this.round({ mantissa: (high.mantissa << BigInt(shift)) + low.mantissa, exponent: low.exponent })
  }

  negate({ mantissa, exponent }: Real): Real {
    return { mantissa: -mantissa, exponent }
  }

  subtract(a: Real, b: Real): Real {
    return this.add(a, this.negate(b))
  }

  multiply(a: Real, b: Real): Real {
    return this.round({ mantissa: a.mantissa * b.mantissa, exponent: a.exponent + b.exponent })
  }

  divide(a: Real, b: Real): Real {
    if (b.mantissa === 0n) throw new RangeError('division by zero')
    const shift = this.bits + GUARD + bitLength(b.mantissa)
    return this.round({
      mantissa: (a.mantissa << BigInt(shift)) / b.mantissa,
      exponent: a.exponent - b.exponent - shift,
    })
  }

  /** Of a number at least 0. */
  sqrt(a: Real): Real {
    if (a.mantissa === 0n) return ZERO_REAL
    let shift = Math.max(0, 2 * this.bits + GUARD - bitLength(a.mantissa))
    if ((a.exponent - shift) % 2 !== 0) shift++
    return this.round({ mantissa: floorRoot(a.mantissa << BigInt(shift), 2), exponent: (a.exponent - shift) / 2 })
  }

  get #fraction(): number {
    return this.bits + GUARD
  }

  /** As an integer times 2^-(bits + 32). */
  #fixed({ mantissa, exponent }: Real, fraction = this.#fraction): bigint {
    const shift = exponent + fraction
    return shift >= 0 ? mantissa << BigInt(shift) : mantissa >> BigInt(-shift)
  }

  #constant(name: string, compute: (fraction: number) => bigint): bigint {
    let value = this.#constants.get(name)
    if (value === undefined) {
      value = compute(this.#fraction)
      this.#constants.set(name, value)
    }
    return value
  }

  get #ln2(): bigint {
    return this.#constant('ln2', (fraction) => 2n * inverseSeries(3n, fraction, 1n))
  }

  get #pi(): bigint {
    return this.#constant(
      'pi',
      (fraction) => 16n * inverseSeries(5n, fraction, -1n) - 4n * inverseSeries(239n, fraction, -1n),
    )
  }

  pi(): Real {
    return this.round({ mantissa: this.#pi, exponent: -this.#fraction })
  }

  exp(a: Real): Real {
    if (magnitude(a) > 16) throw new TooLarge('exponential')
    const fraction = this.#fraction
    const x = this.#fixed(a)
    const twos = x / this.#ln2
    const halvings = 12
    // exp(r) - 1 by its series for a small r, then squared up again.
    let term = (x - twos * this.#ln2) >> BigInt(halvings)
    const r = term
    let sum = term
    for (let n = 2n; term !== 0n && term !== -1n; n++) {
      term = ((term * r) >> BigInt(fraction)) / n
      sum += term
    }
    for (let i = 0; i < halvings; i++) sum = 2n * sum + ((sum * sum) >> BigInt(fraction))
    return this.round({ mantissa: sum + (1n << BigInt(fraction)), exponent: Number(twos) - fraction })
  }

  /** Of a number above 0. */
  ln(a: Real): Real {
    const fraction = this.#fraction
    const twos = magnitude(a)
    let m = this.#fixed({ mantissa: a.mantissa, exponent: a.exponent - twos })
    const one = 1n << BigInt(fraction)
    const roots = 6
    for (let i = 0; i < roots; i++) m = floorRoot(m << BigInt(fraction), 2)
    const t = ((m - one) << BigInt(fraction)) / (m + one)
    const logarithm = series(t, fraction, 1n) << BigInt(roots + 1)
    return this.round({ mantissa: logarithm + BigInt(twos) * this.#ln2, exponent: -fraction })
  }

  /** Sine and cosine of an angle in radians. */
  sinCos(a: Real): [Real, Real] {
    if (magnitude(a) > 64) throw new TooLarge('angle')
    const fraction = this.#fraction
    const turn = 2n * this.#pi
    const halvings = 8
    let x = (this.#fixed(a) % turn) >> BigInt(halvings)
    // cos(x) - 1 by its series, doubled up: cos 2x - 1 = 2 (c + 1)^2 - 2 = 2c(c + 2).
    const square = (x * x) >> BigInt(fraction)
    let [cosine, cosineTerm] = [0n, 1n << BigInt(fraction)]
    let [sine, sineTerm] = [x, x]
    for (let n = 1n; cosineTerm !== 0n && n < 2000n; n++) {
      cosineTerm = -(((cosineTerm * square) >> BigInt(fraction)) / ((2n * n - 1n) * (2n * n)))
      cosine += cosineTerm
      sineTerm = -(((sineTerm * square) >> BigInt(fraction)) / (2n * n * (2n * n + 1n)))
      sine += sineTerm
      if (cosineTerm === 1n || cosineTerm === -1n) break
    }
    const one = 1n << BigInt(fraction)
    for (let i = 0; i < halvings; i++) {
      sine = (2n * sine * (cosine + one)) >> BigInt(fraction)
      cosine = (2n * cosine * (cosine + 2n * one)) >> BigInt(fraction)
      x *= 2n
    }
    return [
      this.round({ mantissa: sine, exponent: -fraction }),
      this.round({ mantissa: cosine + one, exponent: -fraction }),
    ]
  }

  atan(a: Real): Real {
    if (a.mantissa < 0n) return this.negate(this.atan(this.negate(a)))
    const fraction = this.#fraction
    const one = 1n << BigInt(fraction)
    if (magnitude(a) > 1) {
      const rest = this.#fixed(this.atan(this.divide({ mantissa: 1n, exponent: 0 }, a)))
      return this.round({ mantissa: this.#pi / 2n - rest, exponent: -fraction })
    }
    let x = this.#fixed(a)
    const halvings = 6
    for (let i = 0; i < halvings; i++) {
      const hypotenuse = floorRoot((one * one + x * x) | 1n, 2)
      x = (x << BigInt(fraction)) / (one + hypotenuse)
    }
    return this.round({ mantissa: series(x, fraction, -1n) << BigInt(halvings), exponent: -fraction })
  }
}

/** atanh(t) for sign 1, atan(t) for sign -1, in fixed point. */
function series(t: bigint, fraction: number, sign: bigint): bigint {
  const square = (sign * (t * t)) >> BigInt(fraction)
  let [sum, term] = [t, t]
  for (let n = 3n; term !== 0n && term !== -1n; n += 2n) {
    term = (term * square) >> BigInt(fraction)
    sum += term / n
  }
  return sum
}

/** atanh(1/n) for sign 1, atan(1/n) for sign -1, in fixed point. */
function inverseSeries(n: bigint, fraction: number, sign: bigint): bigint {
  let term = (1n << BigInt(fraction)) / n
  let sum = term
  for (let k = 3n; term !== 0n; k += 2n) {
    term = (term / (n * n)) * sign
    sum += term / k
    if (term === -1n) break
  }
  return sum
}
