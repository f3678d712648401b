import { exactValue } from './exact.ts'
import type { Expression, RelationOperator } from './expression.ts'
import { number, symbols } from './expression.ts'
import { identical, realValue } from './identity.ts'
import { Unreadable } from './limits.ts'
import { compare, divide, negate, rational, subtract } from './rational.ts'

/** An end of an interval. Infinite ends are never closed. */
interface End {
  value: Expression | 'infinity' | '-infinity'
  closed: boolean
}

interface Interval {
  low: End
  high: End
}

/** Real numbers as disjoint intervals from low to high, and the variable that ranges over them where it is named. */
export interface RealSet {
  variable: string | null
  intervals: Interval[]
}

const ALL: Interval = { low: { value: '-infinity', closed: false }, high: { value: 'infinity', closed: false } }

/**
 * Reads intervals, unions, sets of numbers, and inequalities in one variable as a set of real numbers.
 *
 * @throws Unreadable for anything else
 */
export function realSet(node: Expression): RealSet {
  switch (node.kind) {
    case 'namedSet':
      if (node.name === 'empty') return { variable: null, intervals: [] }
      if (node.name === 'reals') return { variable: null, intervals: [ALL] }
      break
    case 'set':
      return { variable: null, intervals: union(node.items.map(pointInterval)) }
    case 'tuple':
      if (node.items.length === 2 && node.open !== '<') return { variable: null, intervals: [bracketInterval(node)] }
      break
    case 'setOperation': {
      const [left, right] = [realSet(node.left), realSet(node.right)]
      const variable = left.variable ?? right.variable
      if (node.operator === 'union') return { variable, intervals: union([...left.intervals, ...right.intervals]) }
      const other = node.operator === 'difference' ? complement(right.intervals) : right.intervals
      return { variable, intervals: intersection(left.intervals, other) }
    }
    case 'list': {
      const sets = node.items.map(relationSet)
      if (sets.some(({ variable }) => variable !== sets[0]!.variable)) break
      const intervals = sets.map((set) => set.intervals)
      const [all, any] = [intervals.reduce(intersection), union(intervals.flat())]
      const { variable } = sets[0]!
      if (node.joint === 'or') return { variable, intervals: any }
      if (node.joint === 'and') return { variable, intervals: all }
      // Commas may mean either: the one that says something.
      if (all.length === 0) return { variable, intervals: any }
      if (isAll(any)) return { variable, intervals: all }
      break
    }
    case 'relation':
      return relationSet(node)
  }
  throw new Unreadable('no set of real numbers')
}

/** `same` compares two finite ends, the first of `a`. */
export function equalRealSets(a: RealSet, b: RealSet, same: (a: Expression, b: Expression) => boolean): boolean {
  if (a.variable !== null && b.variable !== null && a.variable !== b.variable) return false
  if (a.intervals.length !== b.intervals.length) return false
  const sameEnd = ({ value }: End, other: End) =>
    typeof value === 'string' || typeof other.value === 'string' ? value === other.value : same(value, other.value)
  return a.intervals.every(({ low, high }, i) => {
    const other = b.intervals[i]!
    return (
      sameEnd(low, other.low) &&
      sameEnd(high, other.high) &&
      low.closed === other.low.closed &&
      high.closed === other.high.closed
    )
  })
}

function relationSet(node: Expression): RealSet {
  if (node.kind !== 'relation') throw new Unreadable('no relation')
  const { sides, operators } = node
  if (operators.length === 1 && (operators[0] === 'in' || operators[0] === 'notin')) {
    if (sides[0]!.kind !== 'symbol') throw new Unreadable('no variable')
    const { intervals } = realSet(sides[1]!)
    return { variable: sides[0]!.name, intervals: operators[0] === 'in' ? intervals : complement(intervals) }
  }
  const [variable, ...others] = symbols(node)
  if (variable === undefined || others.length > 0) throw new Unreadable('not one variable')
  const bounds = operators.map((operator, i) => solve(sides[i]!, operator, sides[i + 1]!, variable))
  return { variable, intervals: bounds.reduce(intersection) }
}

const MIRRORED: Partial<Record<RelationOperator, RelationOperator>> = {
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
  '=': '=',
  '!=': '!=',
}

/** One linear relation in one variable. */
function solve(left: Expression, operator: RelationOperator, right: Expression, variable: string): Interval[] {
  const mirrored = MIRRORED[operator]
  if (!mirrored) throw new Unreadable('no inequality')
  if (left.kind === 'symbol' && symbols(right).size === 0) return bound(operator, right)
  if (right.kind === 'symbol' && symbols(left).size === 0) return bound(mirrored, left)
  const minus = (node: Expression): Expression => ({ kind: 'product', factors: [number(rational(-1n)), node] })
  const difference: Expression = { kind: 'sum', terms: [left, minus(right)] }
  const [atZero, atOne] = [0n, 1n].map((value) => exactValue(difference, new Map([[variable, rational(value)]])))
  if (!atZero || !atOne) throw new Unreadable('not linear')
  const slope = subtract(atOne, atZero)
  const line: Expression = {
    kind: 'sum',
    terms: [{ kind: 'product', factors: [number(slope), { kind: 'symbol', name: variable }] }, number(atZero)],
  }
  if (slope.numerator === 0n || !identical(difference, line)) throw new Unreadable('not linear')
  return bound(slope.numerator > 0n ? operator : mirrored, number(divide(negate(atZero), slope)))
}

function bound(operator: RelationOperator, value: Expression): Interval[] {
  const closed = operator !== '<' && operator !== '>'
  const end = finiteEnd(value, closed)
  if (operator === '=') return [pointInterval(value)]
  if (operator === '!=') return complement([pointInterval(value)])
  return operator === '<' || operator === '<=' ? [{ ...ALL, high: end }] : [{ ...ALL, low: end }]
}

function bracketInterval(node: Extract<Expression, { kind: 'tuple' }>): Interval {
  const [low, high] = node.items as [Expression, Expression]
  const [lowClosed, highClosed] = [node.open === '[', node.close === ']']
  // `(1, \infty]` holds infinity, which is no real number: a set of the extended reals, or a slip. Computer algebra opens the
  // bracket silently; a teacher marks it. It equals only what is written like it.
  if ((lowClosed && infiniteSign(low) !== 0) || (highClosed && infiniteSign(high) !== 0))
    throw new Unreadable('an interval that is closed at infinity')
  const interval = { low: finiteEnd(low, lowClosed), high: finiteEnd(high, highClosed) }
  const direction = order(interval.low, interval.high)
  if (direction > 0 || (direction === 0 && !(interval.low.closed && interval.high.closed))) {
    throw new Unreadable('an interval whose ends are not in order')
  }
  return interval
}

function pointInterval(value: Expression): Interval {
  return { low: finiteEnd(value, true), high: finiteEnd(value, true) }
}

function finiteEnd(value: Expression, closed: boolean): End {
  const sign = infiniteSign(value)
  if (sign !== 0) return { value: sign > 0 ? 'infinity' : '-infinity', closed: false }
  if (realValue(value) === null) throw new Unreadable('an end that is no number')
  return { value, closed }
}

/** 1 and -1 for the infinities, else 0. */
export function infiniteSign(node: Expression): number {
  if (node.kind === 'constant') return node.name === 'infinity' ? 1 : 0
  if (node.kind !== 'product' || node.factors.length !== 2) return 0
  const [sign, rest] = node.factors as [Expression, Expression]
  const negative = sign.kind === 'number' && sign.value.numerator === -1n && sign.value.denominator === 1n
  return negative && rest.kind === 'constant' && rest.name === 'infinity' ? -1 : 0
}

function order({ value: a }: End, { value: b }: End): number {
  if (a === b) return 0
  if (a === '-infinity' || b === 'infinity') return -1
  if (a === 'infinity' || b === '-infinity') return 1
  return identical(a, b) ? 0 : compare(realValue(a)!, realValue(b)!)
}

/** Joins what overlaps or touches. */
function union(intervals: Interval[]): Interval[] {
  const sorted = [...intervals].sort(
    (a, b) => order(a.low, b.low) || Number(b.low.closed) - Number(a.low.closed) || order(a.high, b.high),
  )
  const joined: Interval[] = []
  for (const interval of sorted) {
    const last = joined.at(-1)
    const gap = last ? order(last.high, interval.low) : -1
    if (!last || gap < 0 || (gap === 0 && !last.high.closed && !interval.low.closed)) joined.push(interval)
    else joined[joined.length - 1] = { low: last.low, high: later(last.high, interval.high, true) }
  }
  return joined
}

function isAll(intervals: Interval[]): boolean {
  const [only] = intervals
  return intervals.length === 1 && only!.low.value === '-infinity' && only!.high.value === 'infinity'
}

/** The higher of two ends; of equal ones the closed one, or the open one. */
function later(a: End, b: End, closed: boolean): End {
  const direction = order(a, b)
  if (direction !== 0) return direction > 0 ? a : b
  return a.closed === closed ? a : b
}

function intersection(left: Interval[], right: Interval[]): Interval[] {
  const common: Interval[] = []
  for (const a of left) {
    for (const b of right) {
      const low = later(a.low, b.low, false)
      const direction = order(a.high, b.high)
      const high = direction === 0 ? (a.high.closed ? b.high : a.high) : direction < 0 ? a.high : b.high
      const width = order(low, high)
      if (width < 0 || (width === 0 && low.closed && high.closed)) common.push({ low, high })
    }
  }
  return union(common)
}

function complement(intervals: Interval[]): Interval[] {
  const gaps: Interval[] = []
  let low: End = ALL.low
  for (const interval of union(intervals)) {
    const high = { value: interval.low.value, closed: !interval.low.closed }
    const width = order(low, high)
    if (high.value !== '-infinity' && (width < 0 || (width === 0 && low.closed && high.closed)))
      gaps.push({ low, high })
    low = { value: interval.high.value, closed: !interval.high.closed }
  }
  if (low.value !== 'infinity') gaps.push({ low, high: ALL.high })
  return gaps
}
