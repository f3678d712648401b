import { exactValue } from './exact.ts'
import { type Expression, number, type RelationOperator, some, symbols } from './expression.ts'
import { identical, point, realValue, substitute } from './identity.ts'
import { TooLarge } from './limits.ts'
import { rational } from './rational.ts'

type Relation = Extract<Expression, { kind: 'relation' }>

export function isEquation({ operators }: Relation): boolean {
  return operators.every((operator) => operator === '=' || operator === '~')
}

/**
 * What `x = 5`, `f(x) = 2x`, `(x, y) = (1, 2)`, `AB = 4`, `x = 1/3 ~ 0.33` and `1 + 1 = 2` give, and to which name ('' to none).
 * Null for an equation that gives no value, as `2x = 8`, and for a chain whose sides differ.
 */
export function assignment(relation: Relation): { name: string; value: Expression } | null {
  if (!isEquation(relation)) return null
  const sides = exactSides(relation)
  const first = nameOf(sides[0]!)
  if (first === null) {
    // `5 = x`
    const last = sides.at(-1)!
    if (sides.length === 2 && last.kind === 'symbol' && symbols(sides[0]!).size === 0)
      return { name: last.name, value: sides[0]! }
    if (some(relation, ({ kind }) => kind === 'symbol' || kind === 'apply')) return null
    // `5 = 5` says nothing
    if (sides.every((side) => side.kind === 'number' && identical(side, sides[0]!))) return null
  }
  const values = first === null ? sides : sides.slice(1)
  // `x = x + 1` is no value of x
  if (sides[0]!.kind === 'symbol' && values.some((side) => symbols(side).has(first!))) return null
  const value = values.at(-1)!
  // every further side has to say the same
  if (values.length > 1 && !values.every((side) => isScalar(side) && identical(side, value))) return null
  return { name: first ?? '', value }
}

/** The sides without the approximations that follow an exact one. */
function exactSides({ sides, operators }: Relation): Expression[] {
  const exact = sides.filter((_, i) => i === 0 || operators[i - 1] === '=')
  return exact.length > 1 ? exact : sides
}

function isScalar(node: Expression): boolean {
  return !['list', 'set', 'tuple', 'matrix', 'relation', 'setOperation', 'namedSet', 'quantity', 'ratio'].includes(
    node.kind,
  )
}

/** A variable, a function of variables, a point of variables, or what is made of capital letters, as lengths and areas are. */
function nameOf(node: Expression): string | null {
  switch (node.kind) {
    case 'symbol':
      return node.name
    case 'apply':
      return `${node.name}(${node.args.map((arg) => nameOf(arg) ?? (arg.kind === 'number' ? arg.value.numerator : '?')).join()})`
    case 'product':
    case 'tuple':
    case 'ratio':
    case 'quotient': {
      const inverse = node.kind === 'product' ? inverseName(node.factors) : null
      if (inverse !== null) return inverse
      const parts =
        node.kind === 'tuple'
          ? node.items
          : node.kind === 'ratio'
            ? node.parts
            : node.kind === 'product'
              ? node.factors
              : [node.numerator, node.denominator]
      const names = parts.map(nameOf)
      if (names.includes(null)) return null
      if (node.kind === 'tuple') return `(${names.join()})`
      return names.every((name) => /^(?:[A-Z]|\\(?:angle|overline) )/.test(name!.replace(/^(?:\w+\()+/, '')))
        ? `${node.kind}(${names.join()})`
        : null
    }
    case 'call': {
      // the length of a segment, not the size of a variable
      const [inside] = node.args
      const segment = inside?.kind === 'product' && inside.factors.length === 2
      return node.name === 'abs' && segment && nameOf(inside) !== null ? `|${nameOf(inside)}|` : null
    }
    default:
      return null
  }
}

/** `f^{-1}(x)`, of the usual names of functions. */
function inverseName([power, argument, ...more]: Expression[]): string | null {
  if (power?.kind !== 'power' || argument?.kind !== 'symbol' || more.length > 0) return null
  const { base, exponent } = power
  const isInverse = exponent.kind === 'number' && exponent.value.numerator === -1n && exponent.value.denominator === 1n
  return base.kind === 'symbol' && /^[fgh]$/.test(base.name) && isInverse ? `${base.name}^-1(${argument.name})` : null
}

function difference({ sides }: Relation, from = 0): Expression {
  return { kind: 'sum', terms: [sides[from]!, times(number(rational(-1n)), sides[from + 1]!)] }
}

function times(...factors: Expression[]): Expression {
  return { kind: 'product', factors }
}

/** Whether two equations of two sides differ by a constant factor and by what is moved across. */
export function equalEquations(a: Relation, b: Relation): boolean {
  if (a.sides.length !== 2 || b.sides.length !== 2) return sameSides(a, b)
  if (![...a.sides, ...b.sides].every(isScalar)) return false
  return factor(difference(a), difference(b)) !== null
}

/** Chains: the same sides in the same order, or all of them backwards. */
function sameSides(a: Relation, b: Relation): boolean {
  if (a.sides.length !== b.sides.length || ![...a.sides, ...b.sides].every(isScalar)) return false
  return (
    a.operators.every((operator, i) => operator === b.operators[i]) &&
    a.sides.every((side, i) => identical(side, b.sides[i]!))
  )
}

const MIRRORED: Record<RelationOperator, RelationOperator | null> = {
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
  '=': '=',
  '!=': '!=',
  '~': null,
  in: null,
  notin: null,
  congruent: null,
}

/** Whether two inequalities, or chains of them, differ by constant factors, by what is moved across and by their direction. */
export function equalInequalities(a: Relation, b: Relation): boolean {
  if (a.operators.length !== b.operators.length || ![...a.sides, ...b.sides].every(isScalar)) return false
  return links(a, b) || links(a, mirrored(b))
}

function mirrored(relation: Relation): Relation {
  const operators = relation.operators.map((operator) => MIRRORED[operator] ?? operator).reverse()
  return { kind: 'relation', sides: [...relation.sides].reverse(), operators }
}

function links(a: Relation, b: Relation): boolean {
  return a.operators.every((operator, i) => {
    if (MIRRORED[operator] === null || MIRRORED[b.operators[i]!] === null) return false
    const constant = factor(difference(a, i), difference(b, i))
    if (constant === null) return false
    if (operator === '!=') return b.operators[i] === '!='
    return b.operators[i] === (constant > 0 ? operator : MIRRORED[operator])
  })
}

/** The sign of c where a = c b with a constant c that is not 0; null where there is no such c. */
function factor(a: Expression, b: Expression): number | null {
  const names = [...symbols(b, symbols(a))].sort()
  if (names.length === 0) throw new TooLarge('relation without variables')
  for (let round = 20; round < 24; round++) {
    const at = point(names, round)
    try {
      const [atA, atB] = [substitute(a, at), substitute(b, at)]
      const [valueA, valueB] = [realValue(atA), realValue(atB)]
      if (!valueA || !valueB || isZero(atA) || isZero(atB)) continue
      if (!identical(times(a, atB), times(b, atA))) return null
      return valueA.numerator < 0n === valueB.numerator < 0n ? 1 : -1
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
  }
  return null
}

function isZero(node: Expression): boolean {
  return exactValue(node, new Map())?.numerator === 0n || identical(node, number(rational(0n)))
}
