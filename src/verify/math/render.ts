import type { Expression } from './expression.ts'
import type { Rational } from './rational.ts'

const INFIX = { union: ' union ', intersection: ' intersection ', difference: ' without ' }
const MAX_LENGTH = 500

/** How an answer was read, in brackets where there might be a doubt. */
export function render(node: Expression): string {
  const text = write(node)
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}...` : text
}

function write(node: Expression): string {
  const all = (nodes: Expression[], joint: string) => nodes.map(write).join(joint)
  switch (node.kind) {
    case 'number':
      return fraction(node.value)
    case 'symbol':
    case 'constant':
      return node.name
    case 'sum':
      return `(${all(node.terms, ' + ')})`
    case 'product':
      return all(node.factors, '*')
    case 'quotient':
      return `(${write(node.numerator)})/(${write(node.denominator)})`
    case 'power':
      return `(${write(node.base)})^(${write(node.exponent)})`
    case 'call':
    case 'apply':
      return `${node.name}(${all(node.args, ', ')})`
    case 'plusMinus':
      return `${node.flipped ? '-+' : '+-'}${write(node.operand)}`
    case 'list':
      return `list of ${all(node.items, `${node.joint === ',' ? '' : ' '}${node.joint} `)}`
    case 'set':
      return `set of ${all(node.items, ', ')}`
    case 'tuple':
      return `${node.open}${all(node.items, ', ')}${node.close}`
    case 'matrix':
      return `matrix of ${node.rows.map((row) => `[${all(row, ', ')}]`).join(', ')}`
    case 'relation':
      return node.sides.map((side, i) => `${i > 0 ? ` ${node.operators[i - 1]} ` : ''}${write(side)}`).join('')
    case 'setOperation':
      return `${write(node.left)}${INFIX[node.operator]}${write(node.right)}`
    case 'namedSet':
      return `the ${node.name} set`
    case 'ratio':
      return all(node.parts, ' : ')
    case 'quantity':
      return `${write(node.value)} in ${node.unit}`
  }
}

function fraction({ numerator, denominator }: Rational): string {
  return denominator === 1n ? String(numerator) : `${numerator}/${denominator}`
}
