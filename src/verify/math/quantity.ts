import { isSameUnit } from './compound-quantity.ts'
import { exactValue } from './exact.ts'
import { type Expression, negated, number, some } from './expression.ts'
import { identical } from './identity.ts'
import { infiniteSign } from './interval.ts'
import { agreeToPrecision } from './precision.ts'
import { rational } from './rational.ts'

export function hundredth(node: Expression): Expression {
  return { kind: 'quotient', numerator: node, denominator: number(rational(100n)) }
}

interface Measured {
  value: Expression
  unit: string | null
}

export function withUnit(node: Expression): Measured {
  if (node.kind === 'quantity') return { value: node.value, unit: node.unit }
  if (node.kind === 'call' && node.name === 'percent') return { value: node.args[0]!, unit: '%' }
  if (node.kind === 'call' && node.name === 'degree') return { value: node.args[0]!, unit: 'degree' }
  const sign = node.kind === 'product' && node.factors.length === 2 ? node.factors[0]! : null
  if (node.kind === 'product' && sign?.kind === 'number' && sign.value.numerator === -1n) {
    const inner = withUnit(node.factors[1]!)
    if (inner.unit !== null) return { value: negated(inner.value), unit: inner.unit }
  }
  return { value: node, unit: null }
}

/** Never two different units; and no degrees in place of a multiple of pi, which is an angle too. */
export function mayAgree(gold: Measured, given: Measured): boolean {
  if (gold.unit !== null && given.unit !== null) return isSameUnit(gold.unit, given.unit)
  const angle = gold.unit === 'degree' || given.unit === 'degree'
  return !angle || !some(gold.unit === null ? gold.value : given.value, isPi)
}

const isPi = (node: Expression) => node.kind === 'constant' && node.name === 'pi'

/** @throws TooLarge, Unreadable */
export function equalScalars(gold: Expression, given: Expression, precision: number | undefined): boolean {
  const [a, b] = [infiniteSign(gold), infiniteSign(given)]
  if (a !== 0 || b !== 0) return a === b
  return identical(gold, given) || agreeToPrecision(gold, given, precision)
}

/** Strictly between 0 and 1. */
export function isShare(value: Expression): boolean {
  const exact = exactValue(value, new Map())
  return exact !== null && exact.numerator > 0n && exact.numerator < exact.denominator
}
