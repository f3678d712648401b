import { hasParts } from './compound-quantity.ts'
import { SHORT_UNITS } from './symbols.ts'
import { isEnd, isOperator, type Token } from './token.ts'

/** Whether the letter there is a unit, not a variable: it closes a value, apart from it, or stands between parts of one. */
export function isShortUnit(tokens: readonly Token[], at: number): boolean {
  const [token, after] = tokens.slice(at, at + 2)
  if (token?.type !== 'symbol' || !SHORT_UNITS.has(token.text)) return false
  if (tokens[at - 1]?.type !== 'number') return false
  // `3h 30min`: nothing else has a number right after a letter
  if (after?.type === 'number') return hasParts(token.text)
  const closes = after === undefined || isEnd(after) || isOperator(after, '^') || isOperator(after, '/')
  return closes && (token.spaced || isUnit(tokens[at - 2]))
}

function isUnit(token: Token | undefined): boolean {
  return token?.type === 'word' || (token?.type === 'symbol' && SHORT_UNITS.has(token.text))
}
