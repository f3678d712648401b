/** An exact number: numerator over a denominator above 0, in lowest terms. */
export interface Rational {
  numerator: bigint
  denominator: bigint
}

/** 10^1000 is beyond any answer, and cheap. */
const MAX_EXPONENT = 1000
const MAX_DEPTH = 6

const PLAIN = /^(\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d*)(?:\.(\d*))?$/
const COMMA_DECIMAL = /^(\d+),(\d+)$/
const SCIENTIFIC = /^([\d., ]+?) ?(?:[eE]|(?:\\times|\\cdot|\*|×|·) ?10 ?\^ ?)(\{ ?[+-]?\d{1,4} ?\}|[+-]?\d{1,4})$/
const POWER_OF_TEN = /^10 ?\^ ?(\{ ?[+-]?\d{1,4} ?\}|\d)$/
const MIXED = /^(\d+) (\d+) ?\/ ?(\d+)$/

export interface ParseOptions {
  /** read `3,5` as 3.5, where the number of digits after the comma is not three */
  commaDecimal?: boolean
}

/**
 * Reads a number exactly: integers, decimals, thousands in groups, fractions (`a/b`, `\frac{a}{b}`, `\frac12`), mixed
 * numbers, powers of ten and scientific notation, with a sign or in parentheses. Null for anything else. Spaces are single.
 */
export function parseRational(text: string, options: ParseOptions = {}, depth = 0): Rational | null {
  if (depth > MAX_DEPTH) return null
  const trimmed = text.trim()
  const sign = trimmed[0]
  if (sign === '-' || sign === '+') {
    const rest = trimmed.slice(1).trimStart()
    if (rest[0] === '-' || rest[0] === '+') return null
    const value = parseRational(rest, options, depth + 1)
    return value && sign === '-' ? { ...value, numerator: -value.numerator } : value
  }
  if (trimmed[0] === '(' && trimmed.at(-1) === ')') {
    // A comma within parentheses makes a point or an interval.
    return trimmed.includes(',') ? null : parseRational(trimmed.slice(1, -1), {}, depth + 1)
  }
  return (
    parsePlain(trimmed, options) ??
    parseLatexFraction(trimmed, depth) ??
    parseMixed(trimmed) ??
    parseSlash(trimmed, depth) ??
    parseScientific(trimmed)
  )
}

export function equalRationals(a: Rational, b: Rational): boolean {
  return a.numerator === b.numerator && a.denominator === b.denominator
}

/** a / b, or null where b is 0. */
export function divide(a: Rational, b: Rational): Rational | null {
  return rational(a.numerator * b.denominator, a.denominator * b.numerator)
}

function rational(numerator: bigint, denominator: bigint): Rational | null {
  if (denominator === 0n) return null
  const divisor = gcd(numerator, denominator) * (denominator < 0n ? -1n : 1n)
  return { numerator: numerator / divisor, denominator: denominator / divisor }
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b]
  while (y !== 0n) [x, y] = [y, x % y]
  return x
}

function parsePlain(text: string, { commaDecimal }: ParseOptions): Rational | null {
  const comma = commaDecimal ? COMMA_DECIMAL.exec(text) : null
  if (comma && comma[2]!.length !== 3) return decimal(comma[1]!, comma[2]!)
  const match = PLAIN.exec(text)
  if (!match) return null
  const [, whole = '', part = ''] = match
  return whole === '' && part === '' ? null : decimal(whole.replace(/[, ]/g, ''), part)
}

function decimal(whole: string, part: string): Rational | null {
  return rational(BigInt(`${whole}${part}` || '0'), 10n ** BigInt(part.length))
}

function parseLatexFraction(text: string, depth: number): Rational | null {
  const at = text.indexOf('\\frac')
  if (at < 0) return null
  const top = readArgument(text, at + 5)
  const bottom = top && readArgument(text, top.end)
  if (!bottom || bottom.end !== text.length) return null
  const numerator = parseRational(top.content, {}, depth + 1)
  const denominator = parseRational(bottom.content, {}, depth + 1)
  const value = numerator && denominator && divide(numerator, denominator)
  if (!value || at === 0) return value
  const whole = text.slice(0, at).trim()
  // A whole number before a proper fraction is a mixed number; before any other fraction it is a product.
  if (!/^\d+$/.test(whole) || value.numerator < 0n || value.numerator >= value.denominator) return null
  return addWhole(whole, value)
}

/** The argument of a LaTeX command: a group in braces or one character. */
function readArgument(text: string, from: number): { content: string; end: number } | null {
  let start = from
  while (text[start] === ' ') start++
  if (text[start] !== '{') return start < text.length ? { content: text[start]!, end: start + 1 } : null
  let open = 0
  for (let i = start; i < text.length; i++) {
    if (text[i] === '{') open++
    else if (text[i] === '}' && --open === 0) return { content: text.slice(start + 1, i), end: i + 1 }
  }
  return null
}

function parseMixed(text: string): Rational | null {
  const match = MIXED.exec(text)
  if (!match) return null
  const [, whole, top, bottom] = match
  const part = rational(BigInt(top!), BigInt(bottom!))
  return part && part.numerator < part.denominator ? addWhole(whole!, part) : null
}

function addWhole(whole: string, { numerator, denominator }: Rational): Rational | null {
  return rational(BigInt(whole) * denominator + numerator, denominator)
}

function parseSlash(text: string, depth: number): Rational | null {
  const slash = text.indexOf('/')
  if (slash <= 0 || text.indexOf('/', slash + 1) >= 0) return null
  const numerator = parseRational(text.slice(0, slash), {}, depth + 1)
  const denominator = parseRational(text.slice(slash + 1), {}, depth + 1)
  return numerator && denominator && divide(numerator, denominator)
}

function parseScientific(text: string): Rational | null {
  const power = POWER_OF_TEN.exec(text)
  const match = power ? ['', '1', power[1]!] : SCIENTIFIC.exec(text)
  if (!match) return null
  const mantissa = parsePlain(match[1]!.trim(), {})
  const exponent = Number(match[2]!.replace(/[{} ]/g, ''))
  if (!mantissa || Math.abs(exponent) > MAX_EXPONENT) return null
  const scale = 10n ** BigInt(Math.abs(exponent))
  return exponent < 0
    ? rational(mantissa.numerator, mantissa.denominator * scale)
    : rational(mantissa.numerator * scale, mantissa.denominator)
}
