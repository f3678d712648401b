import { divide, equalRationals, type ParseOptions, parseRational, type Rational } from './rational.ts'
import { splitUnit } from './units.ts'

/** Longer answers are wrong at once: no answer needs as much, and the work stays bounded. */
export const MAX_ANSWER_LENGTH = 2000

/** An answer as read: its text in one form of many, and its value where it is a number. */
interface MathAnswer {
  text: string
  /** `x` of `x = 5` */
  variable: string | null
  value: Rational | null
  percent: boolean
  unit: string | null
}

const HUNDRED: Rational = { numerator: 100n, denominator: 1n }

/**
 * Whether two answers, each a text or the LaTeX of a `\boxed{}`, say the same: equal as exact numbers, else equal as text
 * once spacing, fonts and delimiters are set aside. In doubt they differ: a reward that can be had for a wrong answer is
 * worse than one that is missed.
 *
 * Units and currency are set aside where one side has none. A percentage equals its number and its hundredth.
 */
export function equalAnswers(given: string, gold: string): boolean {
  if (given.length > MAX_ANSWER_LENGTH || gold.length > MAX_ANSWER_LENGTH) return false
  const expected = readAnswer(gold)
  // `3,5` can be a decimal or a list: read it as a decimal only where the gold answer is a number beyond doubt.
  const found = readAnswer(given, { commaDecimal: expected.value !== null })
  if (found.text === '' || expected.text === '') return false
  if (found.variable !== null && expected.variable !== null && found.variable !== expected.variable) return false
  if (found.value === null || expected.value === null) return found.text === expected.text
  if (found.unit !== null && expected.unit !== null && found.unit !== expected.unit) return false
  if (equalRationals(found.value, expected.value)) return true
  if (found.percent === expected.percent) return false
  const [percentage, plain] = found.percent ? [found.value, expected.value] : [expected.value, found.value]
  return equalRationals(divide(percentage, HUNDRED)!, plain)
}

function readAnswer(raw: string, options: ParseOptions = {}): MathAnswer {
  let text = unwrap(simplify(raw))
  let variable: string | null = null
  const assignment = ASSIGNMENT.exec(text)
  if (assignment) {
    variable = assignment[1]!.replace(/[{} ]/g, '')
    text = unwrap(assignment[2]!)
  }
  const quantity = text.replace(CURRENCY_BEFORE, '$1').replace(CURRENCY_AFTER, '')
  const angle = quantity.replace(DEGREES, '')
  const percentage = angle.replace(PERCENT, '')
  const percent = percentage !== angle
  let value = parseRational(percentage, options)
  let unit: string | null = null
  if (value === null && !percent) {
    const split = splitUnit(angle)
    value = split && parseRational(split.head, options)
    if (value !== null) unit = CURRENCY_WORDS.has(split!.unit) ? null : split!.unit
  }
  return { text: comparable(text), variable, value, percent, unit }
}

const ASSIGNMENT =
  /^((?:\\(?:alpha|beta|gamma|delta|theta|lambda|mu|phi|sigma|omega)|[A-Za-z]{1,20})(?: ?_ ?\{?[A-Za-z0-9]{1,10}\}?)?(?: ?\([A-Za-z]\))?) ?= ?([^=]+)$/
const CURRENCY_BEFORE = /^([+-]?) ?(?:\\\$|[$€£¥]) ?/
const CURRENCY_AFTER = / ?(?:\\\$|[$€£¥])$/
const CURRENCY_WORDS = new Set(['dollar', 'usd', 'euro', 'pound'])
const DEGREES = / ?(?:\^ ?(?:\{ ?\\circ ?\}|\\circ)|°|\\degree|(?<=\d ?)degrees?)$/
const PERCENT = / ?(?:\\?%|percent|pct)$/
const FONTS = /\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt|normal)|mbox|operatorname)\s?\{([^{}]*)\}/g
const SPACES = /\\[,;: ]|\\q?quad(?![a-z])|~|[\s\u00a0\u2009\u202f]/g

/** One spelling of the many that LaTeX has. */
function simplify(raw: string): string {
  return raw
    .replace(/ ?\\! ?/g, '')
    .replace(SPACES, ' ')
    .replace(/[−–]/g, '-')
    .replace(/\\[dtc]frac/g, '\\frac')
    .replace(/\\(?:left|right|displaystyle|[bB]igg?[lr]?)(?![A-Za-z])/g, '')
    .replace(FONTS, ' $1')
    .replace(/ {2,}/g, ' ')
    .replace(/ ?\{ ?, ?\} ?/g, ',')
}

const WRAPPERS: [string, string][] = [
  ['$$', '$$'],
  ['$', '$'],
  ['\\(', '\\)'],
  ['\\[', '\\]'],
  ['\\boxed{', '}'],
  ['\\fbox{', '}'],
  ['{', '}'],
]

/** Takes off the math delimiters and braces around all of a text, and the full stop after it. */
function unwrap(text: string): string {
  let inner = text.trim()
  for (let round = 0; round < 8; round++) {
    const bare = inner.replace(/[.,;:]$/, '').trim()
    const wrapper = WRAPPERS.find(([open, close]) => wraps(bare, open, close))
    if (!wrapper) return bare
    inner = bare.slice(wrapper[0].length, bare.length - wrapper[1].length).trim()
  }
  return inner
}

function wraps(text: string, open: string, close: string): boolean {
  if (text.length < open.length + close.length || !text.startsWith(open) || !text.endsWith(close)) return false
  const inner = text.slice(open.length, text.length - close.length)
  if (close !== '}') return !inner.includes(open) && !inner.includes(close)
  let depth = 0
  for (const character of inner) {
    if (character === '{') depth++
    else if (character === '}' && --depth < 0) return false
  }
  return depth === 0
}

/** Words as `Yes`, `even` or `TRUE`; not `AB`, which names a segment and is not `ab`. */
const WORDS = /^(?:[A-Za-z][a-z]+(?: [A-Za-z][a-z]*)*|[A-Z]{4,})$/

/** A text as it is compared: without the spaces that mean nothing, and words in lower case. */
function comparable(text: string): string {
  const tight = text
    .replace(/(?<![A-Za-z0-9]) | (?![A-Za-z0-9])/g, '')
    .replace(/(\\sqrt|\\frac) (?=[\d{])/g, '$1')
    .replace(/\\frac(\d)(\d)/g, '\\frac{$1}{$2}')
    .replace(/([\^_]|\\sqrt)\{([A-Za-z0-9])\}/g, '$1$2')
    .replace(/^\(([A-Za-z])\)$/, '$1')
  return WORDS.test(tight) ? tight.toLowerCase() : tight
}
