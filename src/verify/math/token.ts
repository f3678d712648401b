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

const ENDS = new Set([',', ';', 'and', 'or', ')', ']', '}', 'set}', '>>', ':', '&', '\\\\'])

/** Tokens that end a value. */
export function isEnd(token: Token): boolean {
  return token.type === 'operator' ? ENDS.has(token.text) || RELATIONS.has(token.text) : token.type === 'end'
}
