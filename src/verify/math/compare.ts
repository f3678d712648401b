import { assignment, equalEquations, equalInequalities, isEquation } from './equation.ts'
import { type Expression, times } from './expression.ts'
import { equalFunctions } from './function.ts'
import { identical } from './identity.ts'
import { equalRealSets, infiniteSign, realSet } from './interval.ts'
import { TooLarge, Unreadable } from './limits.ts'
import { matrixValue } from './matrix.ts'
import { expandSigns } from './plus-minus.ts'
import { equalScalars, hundredth, isShare, mayAgree, withUnit } from './quantity.ts'

export interface CompareOptions {
  /** digits after the decimal point to which numbers have to agree where one of them is a decimal; by default what the gold states */
  precision?: number
  /** whether the variables of a function may have other names: `f(t) = t^2` for `f(x) = x^2`; by default not */
  renamedVariables?: boolean
}

/**
 * Whether an answer says the same as the gold one. Not symmetric: names and units that the gold leaves out may be there
 * or not, and the gold states the precision.
 *
 * @throws TooLarge, Unreadable where it can't be told
 */
export function equalExpressions(gold: Expression, given: Expression, options: CompareOptions): boolean {
  return equal(expandSigns(gold), expandSigns(given), options)
}

function equal(gold: Expression, given: Expression, options: CompareOptions): boolean {
  return (
    equalSets(gold, given, options) ?? equalRelations(gold, given, options) ?? equalStructures(gold, given, options)
  )
}

/** Null where one of them is no set of real numbers but a list, a point or a number. */
function equalSets(gold: Expression, given: Expression, options: CompareOptions): boolean | null {
  const kinds = [gold, given].map(setKind)
  if (!kinds.includes('set') || kinds.includes('none')) return null
  try {
    return equalRealSets(realSet(gold), realSet(given), (a, b) => equalScalars(a, b, options.precision))
  } catch (error) {
    if (error instanceof Unreadable) return null
    throw error
  }
}

/** `set`: sure to be a set of real numbers; `maybe`: by its form a set, or something else. */
function setKind(node: Expression): 'set' | 'maybe' | 'none' {
  if (node.kind === 'setOperation' || node.kind === 'namedSet') return 'set'
  if (node.kind === 'tuple')
    return node.items.length === 2 ? (node.open === '[' || node.close === ']' ? 'set' : 'maybe') : 'none'
  if (node.kind === 'set') return 'maybe'
  if (node.kind === 'relation')
    return node.operators.every((operator) => operator === '=' || operator === '~') ? 'none' : 'set'
  if (node.kind === 'list') {
    const kinds = node.items.map((item) =>
      (node.joint === ',' || node.joint === ';') && item.kind !== 'relation' ? 'none' : setKind(item),
    )
    if (node.joint === 'or' || node.joint === 'and') return kinds.includes('set') ? 'set' : 'none'
    return kinds.every((kind) => kind === 'set') ? 'set' : 'none'
  }
  return 'none'
}

/** Null where neither is a relation. */
function equalRelations(gold: Expression, given: Expression, options: CompareOptions): boolean | null {
  if (gold.kind !== 'relation' && given.kind !== 'relation') return null
  if (gold.kind === 'relation' && given.kind === 'relation') return equalPair(gold, given, options)
  const [relation, other] = gold.kind === 'relation' ? [gold, given] : [given, gold]
  if (relation.kind !== 'relation') return null
  const value = assignment(relation)?.value ?? membership(relation)
  if (!value) return false
  const expanded = expandSigns(value)
  return relation === gold ? equal(expanded, other, options) : equal(other, expanded, options)
}

/** `S` of `x in S`. */
function membership({ sides, operators }: Extract<Expression, { kind: 'relation' }>): Expression | null {
  return operators.length === 1 && operators[0] === 'in' && sides[0]!.kind === 'symbol' ? sides[1]! : null
}

type Relation = Extract<Expression, { kind: 'relation' }>

function equalPair(gold: Relation, given: Relation, options: CompareOptions): boolean {
  const [expected, found] = [assignment(gold), assignment(given)]
  if (expected && found && expected.name === found.name) {
    if (equal(expandSigns(expected.value), expandSigns(found.value), options)) return true
  }
  if (options.renamedVariables && equalFunctions(gold, given)) return true
  if (isEquation(gold) && isEquation(given)) return equalEquations(gold, given)
  if (isEquation(gold) || isEquation(given)) return false
  const [left, right] = [membership(gold), membership(given)]
  if (left && right)
    return gold.sides[0]!.kind === 'symbol' && identical(gold.sides[0]!, given.sides[0]!) && equal(left, right, options)
  return equalInequalities(gold, given)
}

function equalStructures(gold: Expression, given: Expression, options: CompareOptions): boolean {
  if (isCollection(gold) || isCollection(given)) return equalCollections(gold, given, options)
  if (gold.kind === 'quantity' || given.kind === 'quantity') return equalQuantities(gold, given, options)
  if (gold.kind === 'tuple' || given.kind === 'tuple') return equalTuples(gold, given, options)
  const [expected, found] = [matrixValue(gold), matrixValue(given)]
  if (expected || found) return expected !== null && found !== null && equalMatrices(expected, found, options)
  if (gold.kind === 'ratio' || given.kind === 'ratio') return equalRatios(gold, given, options)
  if (gold.kind === 'namedSet' || given.kind === 'namedSet') {
    return gold.kind === 'namedSet' && given.kind === 'namedSet' && gold.name === given.name
  }
  if (gold.kind === 'setOperation' || given.kind === 'setOperation') return equalOperations(gold, given, options)
  return equalQuantities(gold, given, options)
}

type Collection = Extract<Expression, { kind: 'list' | 'set' }>

function isCollection(node: Expression): node is Collection {
  return node.kind === 'list' || node.kind === 'set'
}

/** Lists and sets: the same elements in any order. */
function equalCollections(gold: Expression, given: Expression, options: CompareOptions): boolean {
  if (isCollection(gold) && gold.items.every(isAssignmentLike)) {
    const answer = assignedTuple(gold, given, options)
    if (answer !== null) return answer
  }
  if (isCollection(given) && given.items.length > 1 && given.items.every(isAssignment) && gold.kind === 'tuple') {
    return sameOrder(gold.items, given.items, options)
  }
  // the parentheses of a single point go without saying
  if (
    gold.kind === 'tuple' &&
    gold.open === '(' &&
    gold.close === ')' &&
    given.kind === 'list' &&
    given.joint === ','
  ) {
    return sameOrder(gold.items, given.items, options)
  }
  // the empty set is no element of itself
  if ([gold, given].some(({ kind }) => kind === 'set') && [gold, given].some(({ kind }) => kind === 'namedSet'))
    return false
  // a set names each element once; a list may name a root twice
  const isSet = gold.kind === 'set' || given.kind === 'set'
  const [expected, found] = [items(gold, isSet), items(given, isSet)]
  return covers(expected, found, options) && expected.length === found.length
}

/** Whether both name the same elements, each of which then stands once. */
function covers(expected: Expression[], found: Expression[], options: CompareOptions): boolean {
  if (expected.length === 0 || found.length === 0) return expected.length === found.length
  const rest = [...found]
  return expected.every((element) => {
    // a set within a set is no element
    const at = rest.findIndex(
      (other) => (element.kind === 'set') === (other.kind === 'set') && equal(element, other, options),
    )
    if (at < 0) return false
    rest.splice(at, 1)
    return true
  })
}

/** The elements, each `once` or as often as it stands; those written with a plus-minus are two. */
function items(node: Expression, once: boolean): Expression[] {
  const all = isCollection(node)
    ? node.items
        .map(expandSigns)
        .flatMap((item) => (item.kind === 'list' && item.joint === 'or' && isNumbers(item) ? item.items : [item]))
    : [node]
  if (!once) return all
  const different: Expression[] = []
  for (const item of all) if (!different.some((other) => sameForm(other, item))) different.push(item)
  return different
}

function isNumbers(list: Collection): boolean {
  return list.items.every(({ kind }) => kind !== 'relation')
}

function sameForm(a: Expression, b: Expression): boolean {
  const isNumber = (node: Expression) =>
    ['number', 'sum', 'product', 'quotient', 'power', 'call', 'constant', 'symbol'].includes(node.kind)
  if (!isNumber(a) || !isNumber(b) || infiniteSign(a) !== 0 || infiniteSign(b) !== 0) return false
  try {
    return identical(a, b)
  } catch (error) {
    if (error instanceof TooLarge || error instanceof Unreadable) return false
    throw error
  }
}

function isAssignment(node: Expression): boolean {
  return node.kind === 'relation' && assignment(node) !== null
}

function isAssignmentLike(node: Expression): boolean {
  return isAssignment(node) || (node.kind === 'list' && node.items.every(isAssignment))
}

/** `x = 1, y = 2` against `(1, 2)` or `1, 2`, in that order, and lists of such. Null where this does not apply. */
function assignedTuple(gold: Collection, given: Expression, options: CompareOptions): boolean | null {
  if (gold.items.every((item) => item.kind === 'list')) {
    if (!isCollection(given) || given.items.some((item) => item.kind !== 'tuple')) return null
    const rest = [...given.items]
    if (rest.length !== gold.items.length) return false
    return gold.items.every((item) => {
      const at = rest.findIndex(
        (other) => item.kind === 'list' && other.kind === 'tuple' && sameOrder(item.items, other.items, options),
      )
      if (at >= 0) rest.splice(at, 1)
      return at >= 0
    })
  }
  const names = gold.items.map((item) => (item.kind === 'relation' ? assignment(item)!.name.replace(/_.*$/, '') : ''))
  // `x_1 = 1, x_2 = 2` and `x = 1, x = 2` are in any order
  if (new Set(names).size !== names.length || names.length < 2) return null
  if (given.kind === 'tuple') return sameOrder(gold.items, given.items, options)
  if (given.kind === 'list' && !given.items.some(isAssignment)) return sameOrder(gold.items, given.items, options)
  return null
}

function sameOrder(gold: Expression[], given: Expression[], options: CompareOptions): boolean {
  return (
    gold.length === given.length && gold.every((item, i) => equal(expandSigns(item), expandSigns(given[i]!), options))
  )
}

function equalTuples(gold: Expression, given: Expression, options: CompareOptions): boolean {
  const [expected, found] = [vector(gold), vector(given)]
  if (!expected || !found || expected.brackets !== found.brackets) return false
  return sameOrder(expected.items, found.items, options)
}

/** A tuple, or a matrix of one row or column, which may stand for the same vector. */
function vector(node: Expression): { brackets: string; items: Expression[] } | null {
  // `P(1, 2)` is the point that it names
  if (node.kind === 'apply' && /^[A-Z]$/.test(node.name) && node.args.length > 1)
    return { brackets: '()', items: node.args }
  if (node.kind === 'tuple') {
    const brackets = node.open + node.close
    return { brackets: brackets === '<>' ? '()' : brackets, items: node.items }
  }
  if (node.kind !== 'matrix') return null
  if (node.rows.length === 1) return { brackets: '()', items: node.rows[0]! }
  return node.rows[0]!.length === 1 ? { brackets: '()', items: node.rows.flat() } : null
}

function equalMatrices(gold: Expression[][], given: Expression[][], options: CompareOptions): boolean {
  return gold.length === given.length && gold.every((row, i) => sameOrder(row, given[i]!, options))
}

/** `6:4` is `3:2`, and 3/2; `12:30` may be a time, which is no `2:5`. */
function equalRatios(gold: Expression, given: Expression, options: CompareOptions): boolean {
  if (gold.kind === 'ratio' && given.kind === 'ratio') {
    if (gold.parts.length !== given.parts.length) return false
    if (gold.parts.every((part, i) => equal(part, given.parts[i]!, options))) return true
    if (isTime(gold) || isTime(given)) return false
    return gold.parts
      .slice(1)
      .every((part, i) => identical(times(gold.parts[0]!, given.parts[i + 1]!), times(part, given.parts[0]!)))
  }
  const [ratio, other] = gold.kind === 'ratio' ? [gold, given] : [given, gold]
  if (ratio.kind !== 'ratio' || ratio.parts.length !== 2 || isTime(ratio)) return false
  const [numerator, denominator] = ratio.parts as [Expression, Expression]
  return other.kind === 'quotient' && identical({ kind: 'quotient', numerator, denominator }, other)
}

function isTime({ parts }: Extract<Expression, { kind: 'ratio' }>): boolean {
  return parts
    .slice(1)
    .every(
      (part) =>
        part.kind === 'number' &&
        part.value.numerator < 60n &&
        (part.value.numerator > 9n || part.value.numerator === 0n),
    )
}

function equalOperations(gold: Expression, given: Expression, options: CompareOptions): boolean {
  if (gold.kind !== 'setOperation' || given.kind !== 'setOperation' || gold.operator !== given.operator) return false
  const pair = (left: Expression, right: Expression) =>
    equal(gold.left, left, options) && equal(gold.right, right, options)
  return pair(given.left, given.right) || (gold.operator !== 'difference' && pair(given.right, given.left))
}

/**
 * Units are set aside where one side has none; a percentage is its number or its hundredth. A percentage is not the
 * number of a gold below 1, which is a share.
 */
function equalQuantities(gold: Expression, given: Expression, options: CompareOptions): boolean {
  const [expected, found] = [withUnit(gold), withUnit(given)]
  if (!mayAgree(expected, found)) return false
  if (expected.unit === null && found.unit === '%' && isShare(expected.value))
    return equalScalars(expected.value, hundredth(found.value), options.precision)
  if (gold.kind === 'quantity' || given.kind === 'quantity') {
    if (equal(expected.value, found.value, options)) return true
  } else if (equalScalars(expected.value, found.value, options.precision)) return true
  if (expected.unit === found.unit) return false
  if (expected.unit === '%') return equalScalars(hundredth(expected.value), found.value, options.precision)
  return found.unit === '%' && equalScalars(expected.value, hundredth(found.value), options.precision)
}
