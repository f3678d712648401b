/**
 * How a comma between digits is read: `1,234` as one number, outside of brackets or (`grouped`) also within, `1,22` as a decimal,
 * or as a separator.
 */
export type CommaReading = 'thousands' | 'grouped' | 'decimal' | 'list'

const THOUSANDS = /(?:\d{1,3}(?:[,\u201a]\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+/y
export const NUMBER: Record<CommaReading, RegExp> = {
  thousands: THOUSANDS,
  grouped: THOUSANDS,
  decimal: /\d{1,3}(?:\.\d{3})+,\d+|\d+,\d+|\d+(?:\.\d*)?|\.\d+/y,
  list: /(?:\d{1,3}(?:\u201a\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+/y,
}
/** The period of `0.1\overline{6}`, and of `0.(3)`. */
export const REPEATING = /\\(?:overline|bar|dot) ?\{(\d{1,50})\}|(?<=\.)\((\d{1,50})\)/y
export const SCIENTIFIC = /[eE]([+-]?\d{1,4})(?![\dA-Za-z.])/y
