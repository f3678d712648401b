import type { Expression } from './expression.ts'
import { Unreadable } from './limits.ts'

type NumberNode = Extract<Expression, { kind: 'number' }>

/** A fraction of two numbers. */
export function isNumericFraction(
  node: Expression,
): node is { kind: 'quotient'; numerator: NumberNode; denominator: NumberNode } {
  return node.kind === 'quotient' && node.numerator.kind === 'number' && node.denominator.kind === 'number'
}

/** `33\frac{1}{3}\%`: the sign is that of all of it. */
export function unmarked(node: Expression): { inner: Expression; mark: 'percent' | 'degree' | null } {
  const marked = node.kind === 'call' && (node.name === 'percent' || node.name === 'degree') ? node : null
  return marked ? { inner: marked.args[0]!, mark: marked.name as 'percent' | 'degree' } : { inner: node, mark: null }
}

/** The fraction part of a mixed number: of whole numbers, less than 1. */
export function properFraction(node: Expression): Expression {
  if (isNumericFraction(node)) {
    const [top, bottom] = [node.numerator.value, node.denominator.value]
    const whole = top.denominator === 1n && bottom.denominator === 1n
    if (whole && top.numerator >= 0n && top.numerator < bottom.numerator) return node
  }
  throw new Unreadable('a whole number before a fraction that is not proper')
}
