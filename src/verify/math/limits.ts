/** Longer answers are wrong at once: no answer needs as much, and the work stays bounded. Characters. */
export const MAX_ANSWER_LENGTH = 2000
/** Brackets, fractions and powers within each other. */
export const MAX_DEPTH = 40
export const MAX_TOKENS = 1200
/** Elements of one list, set or matrix. */
export const MAX_ITEMS = 200
export const MAX_FACTORIAL = 1000n

/** An answer that would cost too much to evaluate. It is unequal to everything but the same text. */
export class TooLarge extends Error {
  constructor(what: string) {
    super(`${what} too large to evaluate`)
    this.name = 'TooLarge'
  }
}

/** An answer that is no mathematics this reads. It is compared as text. */
export class Unreadable extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Unreadable'
  }
}
