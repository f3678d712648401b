import { compound, hasParts, isCompound, isQuantity, type Quantity } from './compound-quantity.ts'
import type { Bracket, Expression, Joint, RelationOperator } from './expression.ts'
import { listItems, symbols } from './expression.ts'
import { MAX_ITEMS, TooLarge, Unreadable } from './limits.ts'
import { determinant } from './matrix.ts'
import { ScalarParser } from './scalar-parser.ts'
import { SHORT_UNITS, VALUE_WORDS } from './symbols.ts'
import { isEnd, isOperator, RELATIONS, type Token } from './token.ts'

const MAX_UNIT_WORDS = 4

/**
 * Reads tokens as an answer: a list of relations of set expressions of ratios of sums.
 *
 * @throws Unreadable where they are none, TooLarge
 */
export function parse(tokens: readonly Token[]): Expression {
  const parser = new Parser(withoutWholeNumber(tokens))
  const answer = parser.list()
  parser.expectEnd()
  return answer
}

/** Without `, k in Z` or `(k in Z)` at the end: that the k of a family of solutions is whole goes without saying. */
function withoutWholeNumber(tokens: readonly Token[]): readonly Token[] {
  const closed = isOperator(tokens.at(-1), ')')
  const start = tokens.length - (closed ? 5 : 4)
  const [open, variable, relation, set] = tokens.slice(Math.max(0, start))
  const isCondition =
    isOperator(open, closed ? '(' : ',') &&
    variable?.type === 'symbol' &&
    isOperator(relation, 'in') &&
    set?.type === 'namedSet' &&
    set.text === 'integers'
  const family = tokens.slice(0, Math.max(0, start))
  const isNamed =
    variable?.type === 'symbol' &&
    family.some(({ type, ...token }) => 'text' in token && type === 'symbol' && token.text === variable.text)
  return isCondition && isNamed ? family : tokens
}

class Parser extends ScalarParser {
  /** `a, b; c and d`: lists of lists, where `;` separates more than words, and those more than commas. */
  list(): Expression {
    return this.joined([';'], () => this.joined(['and', 'or'], () => this.joined([','], () => this.relation())))
  }

  protected joined(joints: Joint[], read: () => Expression): Expression {
    const items = [read()]
    let joint: Joint | undefined
    for (;;) {
      const found = joints.find((text) => this.is(text))
      // `1, 2, and 3`: the comma is none
      if (
        !found ||
        (found === ',' &&
          this.tokens[this.at + 1] &&
          ['and', 'or'].some((word) => isOperator(this.tokens[this.at + 1], word)))
      )
        break
      this.at++
      if (joint && joint !== found) throw new Unreadable('`and` and `or` together')
      joint = found
      items.push(read())
      if (items.length > MAX_ITEMS) throw new TooLarge('list')
    }
    if (!joint) {
      if (joints[0] === ',' && this.is(',')) this.at++
      return items[0]!
    }
    if (joints[0] === ',' && this.is(',')) this.at++
    // `1, 2 and 3` is one list
    if (joint === 'and' && items.every(isQuantity) && isCompound(items)) return compound(items)
    return {
      kind: 'list',
      joint,
      items:
        joint === 'and' || joint === 'or'
          ? items.flatMap((item) => (item.kind === 'list' && item.joint === ',' ? item.items : [item]))
          : items,
    }
  }

  protected relation(): Expression {
    const sides = [this.quantity()]
    const operators: RelationOperator[] = []
    while (this.next?.type === 'operator' && RELATIONS.has(this.next.text)) {
      operators.push(this.next.text as RelationOperator)
      this.at++
      // `x < = 5` and `x =`
      sides.push(this.quantity())
    }
    return operators.length === 0 ? sides[0]! : { kind: 'relation', sides, operators }
  }

  /** A set expression, with a unit after it. */
  protected quantity(): Expression {
    const value = this.setExpression()
    const unit = this.unit()
    if (unit === null) return value
    const parts: Quantity[] = [{ kind: 'quantity', value, unit }]
    while (this.next?.type === 'number') {
      const smaller = this.setExpression()
      parts.push({ kind: 'quantity', value: smaller, unit: this.unit() ?? '' })
    }
    return parts.length === 1 ? parts[0]! : compound(parts)
  }

  protected setExpression(): Expression {
    let left = this.ratio()
    for (;;) {
      const operator = (['union', 'intersection', 'difference'] as const).find((name) => this.take(name))
      if (!operator) return left
      left = { kind: 'setOperation', operator, left, right: this.ratio() }
    }
  }

  protected ratio(): Expression {
    const parts = [this.sum()]
    while (this.take(':')) parts.push(this.sum())
    return parts.length === 1 ? parts[0]! : { kind: 'ratio', parts }
  }

  protected tuple(open: Bracket): Expression {
    const start = this.at
    const bars = this.bars
    this.bars = 0
    const inner = this.list()
    this.bars = bars
    const close = this.next
    const text = close?.type === 'operator' ? close.text : ''
    if (text !== ')' && text !== ']' && text !== '>>') throw new Unreadable(`${open} is not closed`)
    this.at++
    if (inner.kind === 'list') return { kind: 'tuple', open, close: text === '>>' ? '>' : text, items: inner.items }
    if (open === '(' && text === ')') return inner
    if (open === '[' && text === ']') {
      // all of an answer in brackets may be its whole part
      const whole = start === 1 && this.next === undefined && inner.kind !== 'matrix'
      return whole ? { kind: 'tuple', open, close: text, items: [inner] } : inner
    }
    throw new Unreadable(`${open} is closed by ${text}`)
  }

  protected set(): Expression {
    if (this.take('set}')) return { kind: 'namedSet', name: 'empty' }
    const variable = this.builderVariable()
    if (variable !== null) return condition(this.closing('set}'), variable)
    const inner = this.closing('set}')
    return { kind: 'set', items: listItems(inner) }
  }

  /** `x` of `{x | ...}`, `{x : ...}` and `{x in R | ...}`. */
  protected builderVariable(): string | null {
    const [variable, ...rest] = this.tokens.slice(this.at, this.at + 4)
    if (variable?.type !== 'symbol') return null
    const overReals = isOperator(rest[0], 'in') && rest[1]?.type === 'namedSet' && rest[1].text === 'reals'
    const bar = rest[overReals ? 2 : 0]
    if (!isOperator(bar, '|') && !isOperator(bar, ':')) return null
    this.at += overReals ? 4 : 2
    return variable.text
  }

  protected matrix(environment: string): Expression {
    const rows: Expression[][] = []
    let row: Expression[] = []
    let items = 0
    while (this.next && this.next.type !== 'end') {
      if (this.take('&')) continue
      if (this.take('\\\\')) {
        if (row.length > 0) rows.push(row)
        row = []
        continue
      }
      row.push(this.relation())
      if (++items > MAX_ITEMS) throw new TooLarge('matrix')
    }
    if (row.length > 0) rows.push(row)
    this.at++
    if (rows.length === 0 || rows.some(({ length }) => length !== rows[0]!.length)) {
      throw new Unreadable('a matrix with rows of different lengths')
    }
    if (environment === 'Vmatrix') throw new Unreadable('a norm')
    return environment === 'vmatrix' ? determinant(rows) : { kind: 'matrix', rows }
  }

  /** The words after a value that are its unit: `square meters`, `km/h`, `cm^2`. */
  protected unit(): string | null {
    const start = this.at
    const words: string[] = []
    while (this.next && !isEnd(this.next)) {
      const token = this.next
      if (token.type === 'word' || (token.type === 'symbol' && SHORT_UNITS.has(token.text))) {
        words.push(singular(token.text))
        this.at++
      } else if (words.length > 0 && this.take('^')) {
        words[words.length - 1] += `^${this.subscript()}`
      } else if (words.length > 0 && this.take('/')) words.push('/')
      else break
    }
    const isUnit = words.every((word) => !VALUE_WORDS.has(word.toLowerCase()) && !VALUE_WORDS.has(`${word}s`))
    const goesOn = this.next?.type === 'number' && words.length === 1 && hasParts(words[0]!)
    if (words.length > 0 && words.length <= MAX_UNIT_WORDS && isUnit && (!this.next || isEnd(this.next) || goesOn))
      return words.join(' ').replace(/^([ap]) ?m$/i, (time) => time.replace(' ', '').toLowerCase())
    if (words.length > 0) throw new Unreadable('words that are no unit')
    this.at = start
    return null
  }
}

/** What the variable of a set has to meet: inequalities in it alone, all of them where commas join them. */
function condition(node: Expression, variable: string): Expression {
  const met: Expression = node.kind === 'list' && node.joint === ',' ? { ...node, joint: 'and' } : node
  const relations = listItems(met).every((item) => item.kind === 'relation' && !item.operators.includes('='))
  const names = symbols(met)
  if (!relations || names.size !== 1 || !names.has(variable)) throw new Unreadable('a set by a condition like that')
  return met
}

function singular(word: string): string {
  return word.length > 3 && word.endsWith('s')
    ? word.slice(0, -1).toLowerCase()
    : word.length > 3
      ? word.toLowerCase()
      : word
}
