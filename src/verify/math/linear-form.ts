import { exactValue, type Point } from './exact.ts'
import { children, type Expression } from './expression.ts'
import { TooLarge } from './limits.ts'
import { add, divide, multiply, ONE, type Rational, ZERO } from './rational.ts'

/** A sum of products: their factors that are not rational, in order, each with its rational coefficient. */
type LinearForm = Map<string, { factors: string[]; coefficient: Rational }>

const NOWHERE: Point = new Map()
const MAX_TERMS = 64
/** Characters of a product's factors: what is distributed within each other would grow without bound. */
const MAX_KEY = 10_000

/**
 * Whether two expressions are the same by the order of their terms and factors, by distribution and by rational
 * arithmetic alone, without values for variables and roots. False says nothing.
 */
export function sameForm(a: Expression, b: Expression): boolean {
  try {
    return text(linearForm(a)) === text(linearForm(b))
  } catch (error) {
    if (error instanceof RangeError || error instanceof TooLarge) return false
    throw error
  }
}

function linearForm(node: Expression): LinearForm {
  const exact = exactValue(node, NOWHERE)
  if (exact) return collected([{ factors: [], coefficient: exact }])
  if (node.kind === 'sum') return collected(node.terms.flatMap((term) => [...linearForm(term).values()]))
  if (node.kind === 'product') return node.factors.map(linearForm).reduce(product)
  if (node.kind === 'quotient') {
    const divisor = exactValue(node.denominator, NOWHERE)
    const inverse = divisor
      ? { factors: [], coefficient: divide(ONE, divisor) }
      : { factors: [`["inverse",${text(linearForm(node.denominator))}]`], coefficient: ONE }
    return product(linearForm(node.numerator), collected([inverse]))
  }
  const name = opaqueName(node)
  const parts = children(node).map((part) => text(linearForm(part)))
  return collected([{ factors: [`["${node.kind}",${JSON.stringify(name)},${parts}]`], coefficient: ONE }])
}

/** Of what is taken as it is. @throws RangeError for what is no number */
function opaqueName(node: Expression): string {
  if (node.kind === 'power') return ''
  const named = node.kind === 'symbol' || node.kind === 'constant' || node.kind === 'call' || node.kind === 'apply'
  if (!named || node.name === 'infinity') throw new RangeError('no number')
  return node.name
}

function product(a: LinearForm, b: LinearForm): LinearForm {
  if (a.size * b.size > MAX_TERMS) throw new TooLarge('number of terms')
  const pairs = [...a.values()].flatMap((left) => [...b.values()].map((right) => ({ left, right })))
  return collected(
    pairs.map(({ left, right }) => ({
      factors: [...left.factors, ...right.factors].sort(),
      coefficient: multiply(left.coefficient, right.coefficient),
    })),
  )
}

function collected(terms: { factors: string[]; coefficient: Rational }[]): LinearForm {
  if (terms.length > MAX_TERMS) throw new TooLarge('number of terms')
  const form: LinearForm = new Map()
  for (const { factors, coefficient } of terms) {
    const key = `[${factors}]`
    if (key.length > MAX_KEY) throw new TooLarge('product')
    const sum = add(form.get(key)?.coefficient ?? ZERO, coefficient)
    if (sum.numerator === 0n) form.delete(key)
    else form.set(key, { factors, coefficient: sum })
  }
  return form
}

/** As JSON, but not by JSON.stringify, which would escape what is nested again and again. */
function text(form: LinearForm): string {
  const terms = [...form].map(([key, { coefficient: c }]) => `["${c.numerator}/${c.denominator}",${key}]`)
  return `[${terms.sort()}]`
}
