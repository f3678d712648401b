import type { Rational } from './rational.ts'

/** `spaced`: white space before it. */
export type Token = { spaced: boolean } & (
  | { type: 'number'; value: Rational; places: number | null }
  | { type: 'symbol' | 'word' | 'constant' | 'function' | 'operator' | 'begin' | 'end' | 'namedSet'; text: string }
)

export function isOperator(token: Token | undefined, text: string): boolean {
  return token?.type === 'operator' && token.text === text
}

export const RELATIONS = new Set(['=', '<', '>', '<=', '>=', '!=', '~', 'in', 'notin', 'congruent'])

/** `f(g(x))` and `f \circ g`, at what follows the f: no product, whose order means nothing. */
export function isComposition(name: string, [open, inner, after]: readonly (Token | undefined)[]): boolean {
  const isFunction = (text: string) => /^[fgh]$/.test(text)
  if (!isFunction(name) || inner?.type !== 'symbol' || !isFunction(inner.text)) return false
  return isOperator(open, '°') || (isOperator(open, '(') && isOperator(after, '('))
}

const ENDS = new Set([',', ';', 'and', 'or', ')', ']', '}', 'set}', '>>', ':', '&', '\\\\'])

/** Tokens that end a value. */
export function isEnd(token: Token): boolean {
  return token.type === 'operator' ? ENDS.has(token.text) || RELATIONS.has(token.text) : token.type === 'end'
}

export function tokenText(token: Token): string {
  return token.type === 'number' ? String(token.value.numerator) : token.text
}
