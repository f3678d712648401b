import { exactValue } from './exact.ts'
import { type Expression, negated, number } from './expression.ts'
import { identical } from './identity.ts'
import { infiniteSign } from './interval.ts'
import { agreeToPrecision } from './precision.ts'
import { rational } from './rational.ts'

export function hundredth(node: Expression): Expression {
  return { kind: 'quotient', numerator: node, denominator: number(rational(100n)) }
}

export function withUnit(node: Expression): { value: Expression; unit: string | null } {
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
