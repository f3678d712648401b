import { type Bracket, type Expression, listItems, negated, number, times } from './expression.ts'
import { Unreadable } from './limits.ts'
import { isNumericFraction, properFraction, unmarked } from './mixed-number.ts'
import { equalRationals, rational } from './rational.ts'
import { isShortUnit } from './short-unit.ts'
import { isComposition, isEnd, isOperator, tokenText } from './token.ts'
import { TokenReader } from './token-reader.ts'

/** Reads numbers, variables, functions, products and sums. */
export abstract class ScalarParser extends TokenReader {
  /** within `|...|`: a bar closes */
  protected bars = 0

  abstract list(): Expression
  protected abstract matrix(environment: string): Expression
  protected abstract tuple(open: Bracket): Expression
  protected abstract set(): Expression

  protected sum(): Expression {
    const terms = [this.term()]
    for (;;) {
      if (this.take('+')) terms.push(this.term())
      else if (this.take('-')) terms.push(negated(this.term()))
      else if (this.is('±') || this.is('∓')) terms.push(this.term())
      else return terms.length === 1 ? terms[0]! : { kind: 'sum', terms }
    }
  }

  /** Products, explicit and implied, and quotients, from left to right; a sign before all of it. */
  protected term(): Expression {
    if (this.take('-')) return this.within(() => negated(this.unsigned('-')))
    if (this.take('+')) return this.within(() => this.unsigned('+'))
    if (this.take('±')) return this.within(() => ({ kind: 'plusMinus', flipped: false, operand: this.unsigned('±') }))
    if (this.take('∓')) return this.within(() => ({ kind: 'plusMinus', flipped: true, operand: this.unsigned('∓') }))
    let left = this.mixedNumber() ?? this.factor()
    for (;;) {
      if (this.take('*')) left = times(left, this.signedFactor())
      else if (this.take('/')) left = { kind: 'quotient', numerator: left, denominator: this.signedFactor() }
      else if (this.startsFactor()) {
        if (this.next!.type === 'number') throw new Unreadable('two numbers side by side')
        left = times(left, this.factor())
      } else return left
    }
  }

  protected unsigned(sign: string): Expression {
    if (['+', '-', '±', '∓'].some((other) => this.is(other))) throw new Unreadable(`two signs after ${sign}`)
    return this.term()
  }

  protected signedFactor(): Expression {
    return this.take('-') ? negated(this.factor()) : this.factor()
  }

  /** `1\frac{1}{2}` and `1 1/2`: a whole number and a proper fraction. */
  protected mixedNumber(): Expression | null {
    const [whole, ...rest] = this.tokens.slice(this.at, this.at + 4)
    if (whole?.type !== 'number' || whole.places !== null || whole.value.denominator !== 1n) return null
    const start = this.at
    if (isOperator(rest[0], '\\frac')) {
      this.at++
      const fraction = this.factor()
      const { inner, mark } = unmarked(fraction)
      if (!isNumericFraction(inner)) return times(number(whole.value), fraction)
      const mixed: Expression = { kind: 'sum', terms: [number(whole.value), properFraction(inner)] }
      return mark === null ? mixed : { kind: 'call', name: mark, args: [mixed] }
    }
    const [top, slash, bottom] = rest
    if (top?.type === 'number' && isOperator(slash, '/') && bottom?.type === 'number') {
      this.at = start + 4
      const fraction: Expression = {
        kind: 'quotient',
        numerator: number(top.value, top.places),
        denominator: number(bottom.value, bottom.places),
      }
      return { kind: 'sum', terms: [number(whole.value), properFraction(fraction)] }
    }
    return null
  }

  protected startsFactor(): boolean {
    const next = this.next
    if (!next) return false
    if (next.type === 'word') return false
    if (next.type !== 'operator') return next.type !== 'end' && !isShortUnit(this.tokens, this.at)
    if (next.text === '|') return this.bars === 0
    return ['(', '[', '{', '\\frac', '\\sqrt', '\\binom', 'floor(', 'ceil('].includes(next.text)
  }

  protected factor(): Expression {
    let base = this.within(() => this.primary())
    for (;;) {
      if (this.take('!')) base = { kind: 'call', name: 'factorial', args: [base] }
      else if (this.is('%') && base.kind === 'call' && base.name === 'percent') throw new Unreadable('percent twice')
      else if (this.take('%')) base = { kind: 'call', name: 'percent', args: [base] }
      else if (this.take('°')) base = this.degrees(base)
      else if (this.is('^')) {
        this.at++
        if (this.superscriptMark()) base = this.degrees(base)
        else base = { kind: 'power', base, exponent: this.within(() => this.argument()) }
      } else return base
    }
  }

  /** Of an angle, or of a temperature where a C or F ends the value. */
  protected degrees(value: Expression): Expression {
    const [scale, after] = this.tokens.slice(this.at, this.at + 2)
    const isScale = scale?.type === 'symbol' && (scale.text === 'C' || scale.text === 'F')
    if (!isScale || (after !== undefined && !isEnd(after))) return { kind: 'call', name: 'degree', args: [value] }
    this.at++
    return { kind: 'quantity', value, unit: `°${scale.text}` }
  }

  /** The degree sign as `^\circ` or `^{\circ}`. */
  protected superscriptMark(): boolean {
    if (this.take('°')) return true
    if (this.is('{') && isOperator(this.tokens[this.at + 1], '°') && isOperator(this.tokens[this.at + 2], '}')) {
      this.at += 3
      return true
    }
    return false
  }

  /** What follows `^`, `\frac` or `\sqrt`: a group in braces, else one number, letter or signed one. */
  protected argument(): Expression {
    if (this.take('{')) return this.closing('}')
    if (this.take('-')) return negated(this.within(() => this.argument()))
    if (this.take('+')) return this.within(() => this.argument())
    return this.within(() => this.primary())
  }

  protected closing(close: string): Expression {
    const bars = this.bars
    this.bars = 0
    const inner = this.list()
    this.bars = bars
    this.expect(close)
    return inner
  }

  protected primary(): Expression {
    const token = this.next
    if (!token) throw new Unreadable('the end comes too early')
    this.at++
    switch (token.type) {
      case 'number':
        return number(token.value, token.places)
      case 'constant':
        return { kind: 'constant', name: token.text as 'pi' }
      case 'symbol':
        return this.symbol(token.text)
      case 'namedSet':
        return { kind: 'namedSet', name: token.text }
      case 'function':
        return this.function(token.text)
      case 'begin':
        return this.matrix(token.text)
      case 'operator':
        return this.bracket(token.text)
      default:
        this.at--
        throw new Unreadable(`${token.text} is no mathematics`)
    }
  }

  protected bracket(text: string): Expression {
    switch (text) {
      case '(':
      case '[':
      case '<<':
        return this.tuple(text === '<<' ? '<' : text)
      case '{': {
        // `{1, 2}`: braces without a backslash around a list
        const inner = this.closing('}')
        return inner.kind === 'list' ? { kind: 'set', items: inner.items } : inner
      }
      case 'set{':
        return this.set()
      case '|': {
        const bars = this.bars
        this.bars = 1
        const inner = this.sum()
        this.bars = bars
        this.expect('|')
        return { kind: 'call', name: 'abs', args: [inner] }
      }
      case 'floor(':
      case 'ceil(': {
        const name = text.slice(0, -1)
        return { kind: 'call', name, args: [this.closing(`${name})`)] }
      }
      case '\\frac':
        return { kind: 'quotient', numerator: this.argument(), denominator: this.argument() }
      case '\\binom':
        return { kind: 'call', name: 'binomial', args: [this.argument(), this.argument()] }
      case '\\sqrt': {
        if (!this.take('[')) return { kind: 'call', name: 'root', args: [this.argument(), number(rational(2n))] }
        const degree = this.closing(']')
        return { kind: 'call', name: 'root', args: [this.argument(), degree] }
      }
      default:
        this.at--
        throw new Unreadable(`${text} stands where a value is expected`)
    }
  }

  protected symbol(text: string): Expression {
    let name = text
    while (this.take('_')) name += `_${this.subscript()}`
    while (this.take("'")) name += "'"
    if (isComposition(name, this.tokens.slice(this.at, this.at + 3))) {
      this.take('°')
      return { kind: 'apply', name: `${name}°`, args: [this.within(() => this.factor())] }
    }
    // `f(x)`: a letter before letters or numbers in parentheses
    const end = this.simpleArguments()
    if (end === null) return { kind: 'symbol', name }
    this.at++
    const args = listItems(this.list())
    this.expect(')')
    return { kind: 'apply', name, args }
  }

  protected simpleArguments(): number | null {
    if (!this.is('(') || this.next!.spaced) return null
    for (let at = this.at + 1; at < this.tokens.length; at += 2) {
      if (isOperator(this.tokens[at], '-')) at++
      const [argument, after] = [this.tokens[at], this.tokens[at + 1]]
      if (argument?.type !== 'symbol' && argument?.type !== 'number') return null
      if (isOperator(after, ')')) return at + 1
      if (!isOperator(after, ',')) return null
    }
    return null
  }

  protected subscript(): string {
    const token = this.next
    this.at++
    if (token && !isOperator(token, '{')) return tokenText(token)
    let text = ''
    for (let open = 1; this.at < this.tokens.length; this.at++) {
      const inner = this.next!
      if (isOperator(inner, '{')) open++
      if (isOperator(inner, '}') && --open === 0) {
        this.at++
        return text
      }
      text += tokenText(inner)
    }
    throw new Unreadable('a subscript is not closed')
  }

  protected function(name: string): Expression {
    let base: Expression | null = null
    let exponent: Expression | null = null
    for (;;) {
      if (this.take('_')) base = this.within(() => this.argument())
      else if (this.take('^')) exponent = this.within(() => this.argument())
      else break
    }
    const inverse = exponent?.kind === 'number' && exponent.value.numerator < 0n
    const args = [this.functionArgument()]
    if (inverse) {
      const isFirst = exponent?.kind === 'number' && equalRationals(exponent.value, rational(-1n))
      if (!isFirst || base || !['sin', 'cos', 'tan'].includes(name)) throw new Unreadable('the inverse of a function')
      return { kind: 'call', name: `arc${name}`, args }
    }
    if (base) args.push(base)
    if (base && name !== 'log') throw new Unreadable(`${name} with a base`)
    const call: Expression = { kind: 'call', name, args }
    return exponent ? { kind: 'power', base: call, exponent } : call
  }

  /** `\sin(x+1)`, `\sin{x}`, `\sin 2x`, `\sin x^2`, up to the next function. */
  protected functionArgument(): Expression {
    // a power after it is the function's: \sin(x)^2
    if (this.is('(') || this.is('{') || this.is('[') || this.is('|')) return this.within(() => this.primary())
    let argument = this.within(() => (this.next?.type === 'function' ? this.primary() : this.factor()))
    while (this.startsFactor() && this.next!.type !== 'function' && !this.is('(') && !this.is('|')) {
      argument = times(
        argument,
        this.within(() => this.factor()),
      )
    }
    return argument
  }
}
