import { type CompareOptions, equalExpressions } from './compare.ts'
import type { CommaReading } from './digits.ts'
import type { Expression } from './expression.ts'
import { tokenize } from './lexer.ts'
import { MAX_ANSWER_LENGTH, TooLarge, Unreadable } from './limits.ts'
import { parse } from './parser.ts'
import { withUnit } from './quantity.ts'
import { comparable, spelledOut, unwrap } from './text.ts'

/** What a comparison came to. */
export interface Comparison {
  equal: boolean
  /** how it was found: one line */
  reason: string
}

/** `1,234` may be one number, `1,22` a decimal; any comma may separate. */
const COMMA_BETWEEN_DIGITS = /\d,\d/
/** `\{1,000, 2,000\}`: separators that stand apart from the commas within numbers. */
const THOUSANDS = /(?<=\d),(?=\d{3}(?!\d))/g
const APART = /[,;] |;/
const DECIMAL_COMMA = /^[^\d([{]*\d+,(?:\d\d|\d{4,})[^\d)\]}]*$/
const DECIMAL_COMMA_ANY = /^[^\d([{]*(?:\d+,(?:\d{1,2}|\d{4,})|\d{1,3}(?:\.\d{3})+,\d{1,9})[^\d)\]}]*$/

/** `(B) 12`, `B. 12`: a choice with what it says, and no other choice after it. */
const CHOICE = /^(?:\(?([A-Z])\)|([A-Z])[.:])[^A-Z(]*$/

/** `(C) 14` of a gold answer: either of them is right. */
const CHOICE_WITH_VALUE = /^(?:\(([A-Z])\)|([A-Z])[.:]) ?((?:[\d$.]|\\(?:frac|sqrt|pi|\$)).*)$/s

const NAMED_CHOICE = /^(?:the )?(?:correct )?(?:option|choice|answer)(?: is)?:? ?\(?([a-z])\)?$/i

/**
 * Whether two answers, each a text or the LaTeX of a `\boxed{}`, say the same. In doubt they differ: a reward that can be
 * had for a wrong answer is worse than one that is missed.
 */
export function compareAnswers(given: string, gold: string, options: CompareOptions = {}): Comparison {
  const quick = compareTexts(given, gold)
  if (quick) return quick
  const choice = CHOICE_WITH_VALUE.exec(comparable(gold))
  if (choice) {
    const own = CHOICE_WITH_VALUE.exec(comparable(given))
    const isOther = own !== null && (own[1] ?? own[2]) !== (choice[1] ?? choice[2])
    const letter = (choice[1] ?? choice[2])!
    if (!isOther) {
      const found = own?.[3] ?? given
      return compareTexts(found, letter)?.equal
        ? { equal: true, reason: 'the same choice' }
        : compareAnswers(found, choice[3]!, options)
    }
  }
  const expected = readings(gold, DECIMAL_COMMA)
  const found = readings(given, DECIMAL_COMMA_ANY)
  if (expected.length === 0 || found.length === 0) {
    return { equal: false, reason: 'not the same text, and no mathematics to compare' }
  }
  let reason = 'not the same value'
  for (const a of expected) {
    for (const b of found) {
      try {
        if (equalExpressions(a, b, options)) return { equal: true, reason: 'the same value' }
      } catch (error) {
        if (!(error instanceof Unreadable || error instanceof TooLarge || error instanceof RangeError)) throw error
        reason = `can not be compared: ${error.message}`
      }
    }
  }
  return { equal: false, reason }
}

/** What can be told without reading; null for the rest. */
export function compareTexts(given: string, gold: string): Comparison | null {
  const longest = Math.max(given.length, gold.length)
  if (longest > MAX_ANSWER_LENGTH) {
    return { equal: false, reason: `an answer of ${longest} characters, more than ${MAX_ANSWER_LENGTH}` }
  }
  const [found, expected] = [comparable(given), comparable(gold)]
  if (found === '' || expected === '') return { equal: false, reason: 'an empty answer' }
  if (found === expected) return { equal: true, reason: 'the same text' }
  if (/^[A-Z]$/.test(expected) && CHOICE.exec(found)?.[1] === expected)
    return { equal: true, reason: 'the same choice' }
  if (/^[A-Z]$/.test(expected) && NAMED_CHOICE.exec(found)?.[1]?.toUpperCase() === expected)
    return { equal: true, reason: 'the same choice' }
  if ([found, expected].some((text) => spelledOut(text) !== text)) return null
  if (isWord(found) || isWord(expected)) return { equal: false, reason: 'not the same text' }
  return null
}

/** Letters alone are text, but for a few that only a product of variables has. */
function isWord(text: string): boolean {
  return (
    /^[A-Za-z][A-Za-z ]+$/.test(text) &&
    !/^(?:[xyzwtpqrsmnk]{2,4}|[a-z](?: [a-z])+)$/.test(text) &&
    !/^(?:pi|inf|infinity)$/i.test(text)
  )
}

const CURRENCIES: Record<string, string> = { '\\$': 'dollar', '€': 'euro', '£': 'pound', '¥': 'yen' }
const NUMBERS = new Set(['number', 'sum', 'product', 'quotient', 'power', 'call'])

/** A number with the unit of the sign that stands beside it: `\$5` is not 5 cents. */
function inCurrency(value: Expression, text: string): Expression {
  const sign = /\\\$|[€£¥]/.exec(text)?.[0]
  if (sign === undefined || !NUMBERS.has(value.kind) || withUnit(value).unit !== null) return value
  return { kind: 'quantity', value, unit: CURRENCIES[sign]! }
}

/** The ways to read an answer, the likeliest first; none where it is no mathematics. */
export function readings(raw: string, decimalComma: RegExp = DECIMAL_COMMA): Expression[] {
  const text = spelledOut(unwrap(raw))
  const commas: CommaReading[] = ['thousands']
  if (COMMA_BETWEEN_DIGITS.test(text)) {
    commas.push('list')
    if (APART.test(text.replace(THOUSANDS, ''))) commas.push('grouped')
  }
  if (decimalComma.test(text)) commas.push('decimal')
  return commas.flatMap((reading) => {
    try {
      return [inCurrency(parse(tokenize(text, reading)), text)]
    } catch (error) {
      if (error instanceof Unreadable || error instanceof TooLarge || error instanceof RangeError) return []
      throw error
    }
  })
}
