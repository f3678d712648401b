import { children, type Expression, number, some, withChildren } from './expression.ts'
import { rational } from './rational.ts'

/** A value with a plus-minus as the list of its two values. */
export function expandSigns(node: Expression): Expression {
  if (node.kind === 'list' || node.kind === 'set' || !some(node, ({ kind }) => kind === 'plusMinus')) return node
  if (node.kind === 'relation') return { ...node, sides: node.sides.map(expandSigns) }
  return { kind: 'list', joint: 'or', items: [withSign(node, 1n), withSign(node, -1n)] }
}

function withSign(node: Expression, sign: bigint): Expression {
  if (node.kind === 'plusMinus') {
    const factor = number(rational(node.flipped ? -sign : sign))
    return { kind: 'product', factors: [factor, withSign(node.operand, sign)] }
  }
  const parts = children(node)
  return parts.length === 0
    ? node
    : withChildren(
        node,
        parts.map((part) => withSign(part, sign)),
      )
}
