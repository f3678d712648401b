import { negate, type Rational, rational } from './rational.ts'

/** An answer as it was read. */
export type Expression =
  | Scalar
  /** in any order */
  | { kind: 'list'; joint: Joint; items: Expression[] }
  | { kind: 'set'; items: Expression[] }
  /** `(1,2)`, `[1,2)`, `<1,2>`: a point or an interval */
  | { kind: 'tuple'; open: Bracket; close: Bracket; items: Expression[] }
  | { kind: 'matrix'; rows: Expression[][] }
  /** `a < b <= c`: one operator less than sides */
  | { kind: 'relation'; sides: Expression[]; operators: RelationOperator[] }
  | { kind: 'setOperation'; operator: 'union' | 'intersection' | 'difference'; left: Expression; right: Expression }
  | { kind: 'namedSet'; name: string }
  /** `7:32`, `12:30` */
  | { kind: 'ratio'; parts: Expression[] }
  | { kind: 'quantity'; value: Expression; unit: string }

/** What a number or a matrix can be computed from. */
type Scalar =
  /** `places`: digits after the decimal point, null where there is no point */
  | { kind: 'number'; value: Rational; places: number | null }
  | { kind: 'symbol'; name: string }
  | { kind: 'constant'; name: 'pi' | 'e' | 'i' | 'infinity' }
  | { kind: 'sum'; terms: Expression[] }
  | { kind: 'product'; factors: Expression[] }
  | { kind: 'quotient'; numerator: Expression; denominator: Expression }
  | { kind: 'power'; base: Expression; exponent: Expression }
  | { kind: 'call'; name: string; args: Expression[] }
  /** `f(x)`: a function's value, or a product */
  | { kind: 'apply'; name: string; args: Expression[] }
  /** plus-minus (`flipped`: minus-plus) before its operand */
  | { kind: 'plusMinus'; flipped: boolean; operand: Expression }

/** What joins the items of a list. */
export type Joint = ';' | ',' | 'and' | 'or'
export type Bracket = '(' | ')' | '[' | ']' | '<' | '>'
export type RelationOperator = '=' | '<' | '>' | '<=' | '>=' | '!=' | '~' | 'in' | 'notin' | 'congruent'

export function number(value: Rational, places: number | null = null): Expression {
  return { kind: 'number', value, places }
}

export function times(left: Expression, right: Expression): Expression {
  return { kind: 'product', factors: left.kind === 'product' ? [...left.factors, right] : [left, right] }
}

export function negated(node: Expression): Expression {
  if (node.kind === 'number') return { ...node, value: negate(node.value) }
  if (node.kind === 'quantity') return { ...node, value: negated(node.value) }
  return { kind: 'product', factors: [number(rational(-1n)), node] }
}

export function listItems(node: Expression): Expression[] {
  return node.kind === 'list' ? node.items : [node]
}

export function children(node: Expression): Expression[] {
  switch (node.kind) {
    case 'list':
    case 'set':
    case 'tuple':
      return node.items
    case 'matrix':
      return node.rows.flat()
    case 'relation':
      return node.sides
    case 'setOperation':
      return [node.left, node.right]
    case 'ratio':
      return node.parts
    case 'quantity':
      return [node.value]
    case 'sum':
      return node.terms
    case 'product':
      return node.factors
    case 'quotient':
      return [node.numerator, node.denominator]
    case 'power':
      return [node.base, node.exponent]
    case 'call':
    case 'apply':
      return node.args
    case 'plusMinus':
      return [node.operand]
    default:
      return []
  }
}

/** The same node with other children, in the order of `children`. */
export function withChildren(node: Expression, parts: Expression[]): Expression {
  switch (node.kind) {
    case 'list':
    case 'set':
    case 'tuple':
      return { ...node, items: parts }
    case 'matrix': {
      let at = 0
      return { ...node, rows: node.rows.map((row) => row.map(() => parts[at++]!)) }
    }
    case 'relation':
      return { ...node, sides: parts }
    case 'setOperation':
      return { ...node, left: parts[0]!, right: parts[1]! }
    case 'ratio':
      return { ...node, parts }
    case 'quantity':
      return { ...node, value: parts[0]! }
    case 'sum':
      return { ...node, terms: parts }
    case 'product':
      return { ...node, factors: parts }
    case 'quotient':
      return { ...node, numerator: parts[0]!, denominator: parts[1]! }
    case 'power':
      return { ...node, base: parts[0]!, exponent: parts[1]! }
    case 'call':
    case 'apply':
      return { ...node, args: parts }
    case 'plusMinus':
      return { ...node, operand: parts[0]! }
    default:
      return node
  }
}

export function some(node: Expression, test: (node: Expression) => boolean): boolean {
  return test(node) || children(node).some((child) => some(child, test))
}

/** The variables of an expression; `f` of `f(x)` is one. */
export function symbols(node: Expression, found = new Set<string>()): Set<string> {
  if (node.kind === 'symbol' || node.kind === 'apply') found.add(node.name)
  for (const child of children(node)) symbols(child, found)
  return found
}
