import { type CommaReading, NUMBER, REPEATING, SCIENTIFIC } from './digits.ts'
import { MAX_TOKENS, TooLarge, Unreadable } from './limits.ts'
import { add, decimal, multiply, power, rational } from './rational.ts'
import { GROUP, simplify } from './spelling.ts'
import {
  CONSTANTS,
  FUNCTIONS,
  IGNORED,
  MATRICES,
  NAMED_SETS,
  OPERATOR_COMMANDS,
  SHORT_UNITS,
  SYMBOLS,
  TEXT,
} from './symbols.ts'
import { isOperator, type Token } from './token.ts'

const WORD_OPERATORS: Record<string, string> = {
  and: 'and',
  or: 'or',
  pct: '%',
  percent: '%',
  degrees: '°',
  degree: '°',
}

/** `\angle ABC`, `\overline{AB}`: what a figure has. */
const FIGURES: Record<string, RegExp> = {
  angle: /\s*(?:\{ ?([A-Z]{1,3}) ?\}|([A-Z]{1,3})(?![A-Za-z]))/y,
  overline: /\s*\{ ?([A-Z]{2}) ?\}/y,
}

/** @throws Unreadable for what is no mathematics, TooLarge beyond 1200 tokens */
export function tokenize(text: string, commas: CommaReading): Token[] {
  return new Lexer(simplify(text), commas).run()
}

class Lexer {
  readonly #text: string
  readonly #commas: CommaReading
  readonly #tokens: Token[] = []
  /** brackets open: a comma within separates */
  #depth = 0
  #at = 0
  #spaced = false

  constructor(text: string, commas: CommaReading) {
    this.#text = text
    this.#commas = commas
  }

  run(): Token[] {
    while (this.#at < this.#text.length) {
      if (this.#tokens.length > MAX_TOKENS) throw new TooLarge('answer')
      this.#step()
    }
    return this.#tokens
  }

  #push(type: Exclude<Token['type'], 'number'>, text: string): void {
    this.#tokens.push({ type, text, spaced: this.#spaced })
    this.#spaced = false
    if (type !== 'operator') return
    if (text === '(' || text === '[' || text === '{' || text === 'set{' || text === '<<') this.#depth++
    if (text === ')' || text === ']' || text === '}' || text === 'set}' || text === '>>') this.#depth--
  }

  #step(): void {
    const character = this.#text[this.#at]!
    if (character === ' ' || character === '~' || character === '$' || '€£¥'.includes(character)) {
      this.#at++
      this.#spaced = true
    } else if (/[\d.]/.test(character) && this.#number()) return
    else if (character === '\\') this.#command()
    else if (/[A-Za-z]/.test(character)) this.#letters()
    else this.#operator(character)
  }

  #number(): boolean {
    const pattern = NUMBER[this.#depth > 0 && this.#commas === 'thousands' ? 'list' : this.#commas]
    pattern.lastIndex = this.#at
    let digits = pattern.exec(this.#text)?.[0]
    if (digits === undefined) return false
    // `\frac12` takes one digit each; `2^10` and `\sqrt19` mean what they say
    if (this.#takesOneDigit()) digits = digits[0]!
    this.#at += digits.length
    if (this.#commas === 'decimal' && digits.includes(',')) digits = digits.replaceAll('.', '').replace(',', '.')
    const joined = !this.#spaced && isOperator(this.#tokens.at(-1), ',')
    if (joined && /^0\d/.test(digits)) throw new Unreadable('digits of a larger number')
    const [whole = '', part] = digits.replace(/[, \u201a]/g, '').split('.')
    let value = decimal(whole, part ?? '')
    REPEATING.lastIndex = this.#at
    const repeating = part === undefined ? null : REPEATING.exec(this.#text)
    if (repeating) {
      this.#at += repeating[0].length
      const period = (repeating[1] ?? repeating[2])!
      const scale = 10n ** BigInt(part!.length) * (10n ** BigInt(period.length) - 1n)
      this.#tokens.push({
        type: 'number',
        value: add(value, rational(BigInt(period), scale)),
        places: null,
        spaced: this.#spaced,
      })
      this.#spaced = false
      return true
    }
    SCIENTIFIC.lastIndex = this.#at
    const exponent = SCIENTIFIC.exec(this.#text)
    if (exponent) {
      this.#at += exponent[0].length
      value = multiply(value, power(rational(10n), BigInt(exponent[1]!)))
    }
    const places = part === undefined || part === '' ? null : part.length
    this.#tokens.push({ type: 'number', value, places: exponent ? null : places, spaced: this.#spaced })
    this.#spaced = false
    return true
  }

  #takesOneDigit(): boolean {
    const [before, last] = this.#tokens.slice(-2)
    const previous = last ?? before
    if (!previous) return false
    if (isOperator(previous, '\\frac') || isOperator(previous, '\\binom')) return true
    // the second argument of \frac12
    return last !== undefined && isOperator(before, '\\frac') && last.type === 'number'
  }

  #command(): void {
    const name = /[A-Za-z]+/y
    name.lastIndex = this.#at + 1
    const word = name.exec(this.#text)?.[0]
    if (word === undefined) {
      this.#escape()
      return
    }
    this.#at += word.length + 1
    if (TEXT.has(word)) this.#textArgument()
    else if (word === 'begin' || word === 'end') this.#environment(word)
    else if (Object.hasOwn(FIGURES, word)) this.#figure(word)
    else if (!(word === 'mathbb' || word === 'mathbf') || !this.#blackboard()) this.#named(word)
  }

  /** The letter of `\mathbb{R}`. */
  #blackboard(): boolean {
    const set = / ?\{? ?([RZNQC]) ?\}?/y
    set.lastIndex = this.#at
    const match = set.exec(this.#text)
    if (!match) return false
    this.#at += match[0].length
    this.#push('namedSet', NAMED_SETS[match[1]!]!)
    return true
  }

  /** The same from either end: the angle ABC is CBA. */
  #figure(word: string): void {
    const letters = FIGURES[word]!
    letters.lastIndex = this.#at
    const match = letters.exec(this.#text)
    if (!match) throw new Unreadable(`\\${word} is not known`)
    this.#at += match[0].length
    const ends = [...(match[1] ?? match[2]!)]
    this.#push('symbol', `\\${word} ${(ends[0]! > ends.at(-1)! ? ends.reverse() : ends).join('')}`)
  }

  #named(word: string): void {
    if (word === 'frac' || word === 'dfrac' || word === 'tfrac' || word === 'cfrac') this.#push('operator', '\\frac')
    else if (word === 'binom' || word === 'dbinom' || word === 'tbinom') this.#push('operator', '\\binom')
    else if (word === 'sqrt') this.#push('operator', '\\sqrt')
    else if (Object.hasOwn(OPERATOR_COMMANDS, word)) this.#push('operator', OPERATOR_COMMANDS[word]!)
    else if (Object.hasOwn(FUNCTIONS, word)) this.#push('function', FUNCTIONS[word]!)
    else if (Object.hasOwn(CONSTANTS, word)) this.#push('constant', CONSTANTS[word]!)
    else if (Object.hasOwn(NAMED_SETS, word)) this.#push('namedSet', NAMED_SETS[word]!)
    else if (SYMBOLS.has(word)) this.#push('symbol', `\\${word}`)
    else if (IGNORED.has(word) || ((word === 'vec' || word === 'overrightarrow') && this.#singleLetter()))
      this.#spaced = true
    else {
      // `\quadx`: a space that ran into what follows
      const space = /^q?quad/.exec(word)?.[0]
      if (space === undefined) throw new Unreadable(`\\${word} is not known`)
      this.#at -= word.length - space.length
      this.#spaced = true
    }
  }

  /** `\vec{v}` is a variable; `\vec{AB}` is not `\vec{BA}`. */
  #singleLetter(): boolean {
    return /^ ?(?:\{[A-Za-z]\}|[A-Za-z](?![A-Za-z]))/.test(this.#text.slice(this.#at, this.#at + 4))
  }

  #escape(): void {
    const character = this.#text[this.#at + 1] ?? ''
    this.#at += 2
    if (character === '{') this.#push('operator', 'set{')
    else if (character === '}') this.#push('operator', 'set}')
    else if (character === '%') this.#push('operator', '%')
    else if (character === '|') this.#push('operator', '|')
    else if (character === '\\') this.#push('operator', '\\\\')
    else if (' ,;:!$()[]'.includes(character)) this.#spaced = true
    else throw new Unreadable(`\\${character} is not known`)
  }

  #textArgument(): void {
    const argument = /\s?\{([^{}]*)\}/y
    argument.lastIndex = this.#at
    const match = argument.exec(this.#text)
    if (!match) return
    this.#at += match[0].length
    this.#spaced = true
    if (!/^[A-Za-z\s.,;:()'"-]*$/.test(match[1]!)) {
      // digits or mathematics within: as if it stood outside
      const inner = new Lexer(match[1]!, this.#commas).run()
      for (const [i, token] of inner.entries()) this.#tokens.push(i === 0 ? { ...token, spaced: true } : token)
      return
    }
    for (const piece of match[1]!.match(/[A-Za-z]+|[,;():]/g) ?? []) this.#word(piece)
    this.#spaced = true
  }

  #word(text: string): void {
    const lower = text.toLowerCase()
    if (!/^[A-Za-z]/.test(text)) this.#push('operator', text)
    else if (Object.hasOwn(WORD_OPERATORS, lower)) this.#push('operator', WORD_OPERATORS[lower]!)
    else if (text.length === 1 && text >= 'A' && text <= 'Z' && !SHORT_UNITS.has(text)) this.#push('symbol', text)
    else if (Object.hasOwn(FUNCTIONS, text)) this.#push('function', FUNCTIONS[text]!)
    else this.#push('word', text)
  }

  #environment(word: 'begin' | 'end'): void {
    const argument = /\s?\{([a-zA-Z]+)\*?\}(?: ?\{[clr| ]*\})?/y
    argument.lastIndex = this.#at
    const match = argument.exec(this.#text)
    if (!match || !MATRICES.has(match[1]!)) throw new Unreadable('an environment that is no matrix')
    this.#at += match[0].length
    this.#push(word, match[1]!)
  }

  #letters(): void {
    const run = /[A-Za-z]+/y
    run.lastIndex = this.#at
    const letters = run.exec(this.#text)![0]
    const joined = /^(?:or|and)(?=[A-Za-z]$)/.exec(letters)?.[0]
    if (this.#isWord(letters)) {
      this.#at += letters.length
      this.#knownWord(letters)
    } else if (joined !== undefined) {
      this.#at += joined.length
      this.#push('operator', joined)
    } else {
      const letter = letters[0]!
      this.#at++
      if (letter === 'e' || letter === 'i') this.#push('constant', letter)
      else this.#push('symbol', letter)
    }
  }

  #knownWord(word: string): void {
    const lower = word.toLowerCase()
    if (word === 'sqrt') this.#push('operator', '\\sqrt')
    else if (Object.hasOwn(CONSTANTS, lower)) this.#push('constant', CONSTANTS[lower]!)
    else if (Object.hasOwn(FUNCTIONS, word)) this.#push('function', FUNCTIONS[word]!)
    else if (Object.hasOwn(WORD_OPERATORS, lower)) this.#push('operator', WORD_OPERATORS[lower]!)
    else this.#push('word', word)
  }

  /** Whether a run of letters is one word, not a product of variables. */
  #isWord(run: string): boolean {
    if (run.length === 1) return false
    const lower = run.toLowerCase()
    const known = run === 'sqrt' || Object.hasOwn(FUNCTIONS, run) || Object.hasOwn(CONSTANTS, lower)
    if (known || Object.hasOwn(WORD_OPERATORS, lower)) return true
    if (SHORT_UNITS.has(run)) return true
    const vowel = /[aeiou]/.test(lower)
    return vowel && (run.length > 3 || (run.length === 3 && this.#spaced))
  }

  #operator(character: string): void {
    const pair = this.#text.slice(this.#at, this.#at + 2)
    if (pair === '<=' || pair === '>=' || pair === '!=' || pair === '**') {
      this.#at += 2
      this.#push('operator', pair === '**' ? '^' : pair)
      return
    }
    if (!"+-*/^_!%=<>:,;()[]{}|&'".includes(character) && character !== GROUP) {
      throw new Unreadable(`${character} is no mathematics`)
    }
    this.#at++
    this.#push('operator', character === GROUP ? ',' : character)
  }
}
