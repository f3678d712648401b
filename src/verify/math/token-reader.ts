import { MAX_DEPTH, TooLarge, Unreadable } from './limits.ts'
import { isOperator, type Token } from './token.ts'

/** A place among tokens, and how deep it is nested. */
export class TokenReader {
  protected readonly tokens: readonly Token[]
  protected at = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  expectEnd(): void {
    if (this.at < this.tokens.length) throw new Unreadable('something follows that does not belong there')
  }

  protected get next(): Token | undefined {
    return this.tokens[this.at]
  }

  protected is(text: string): boolean {
    return isOperator(this.next, text)
  }

  protected take(text: string): boolean {
    if (!this.is(text)) return false
    this.at++
    return true
  }

  protected expect(text: string): void {
    if (!this.take(text)) throw new Unreadable(`${text} is missing`)
  }

  protected within<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw new TooLarge('nesting')
    const result = read()
    this.#depth--
    return result
  }
}
