/** How much of the end of a text is searched. */
const TAIL = 4000
const CONTEXT = 24

const NUMBER =
  /\\[dtc]?frac ?(?:\{[^{}]{1,50}\}|\d) ?(?:\{[^{}]{1,50}\}|\d)|(?:\d{1,3}(?: \d{3})+(?![\d,])|\d[\d,]*)(?:\.\d+)?(?:\/\d+(?:\.\d+)?)?|\.\d+/g

/** Math delimiters, emphasis and currency between a number and the text around it. */
const OPENERS = /(?:\\[([]|\\?\$|\*\*|[€£¥])\s?$/
const CLOSERS = /^\s?(?:\\[)\]]|\$|\*\*|[€£¥]|[ckm]?m[²³])/
const PERCENT = /^ ?(?:\\?%|(?:percent|pct)\b)/

/** A number stands alone after the start, a line break, `=`, `:` or a word that joins nothing to it. */
const STARTS =
  /(?:^|\n\s*|[^<>!:=\d]\s?=\s?|[^\d]:\s?|(?:^|[^\\\w])(?!(?:and|or|times|plus|minus|over)\b)[A-Za-z']{2,20}[,.]?\s+)$/
/** ... and before the end, punctuation or a word that joins nothing to it. */
const ENDS = /^(?:\s*$|[.,;:?](?:\s|$)|\s+(?!(?:and|or|times|plus|minus|over|to)\b)[A-Za-z(]|\n|\\text\b)/

/**
 * The last number of a text, with its sign and percent mark, for answers in prose. Null where that number belongs to
 * something larger: an expression, an inequality, an interval, one of several answers.
 */
export function lastNumber(text: string): string | null {
  const tail = text.slice(-TAIL).replaceAll('−', '-')
  const match = [...tail.matchAll(NUMBER)].at(-1)
  if (!match) return null
  const number = match[0].replace(/,+$/, '')

  let before = tail.slice(Math.max(0, match.index - CONTEXT), match.index)
  const negative = before.endsWith('-')
  if (negative) before = before.slice(0, -1)
  before = before.replace(OPENERS, '').replace(OPENERS, '')

  const rest = match.index + number.length
  let after = tail.slice(rest, rest + CONTEXT)
  let percent = PERCENT.test(after)
  after = after.replace(PERCENT, '').replace(CLOSERS, '').replace(CLOSERS, '')
  percent ||= PERCENT.test(after)
  after = after.replace(PERCENT, '')

  if (!STARTS.test(before) || !ENDS.test(after)) return null
  return `${negative ? '-' : ''}${number}${percent ? '%' : ''}`
}
