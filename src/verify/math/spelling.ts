import { SPELLINGS } from './symbols.ts'

/** Stands between groups of digits where LaTeX says that the comma separates thousands: `1{,}234`, `1,\!234`. */
export const GROUP = '\u201a'

/** Colour, underlining and space: nothing of what is said. */
const LOOKS = /\\(?:text)?color ?\{[A-Za-z]{1,30}\}|\\underline(?![A-Za-z])|\\[hv]space\*? ?\{[^{}]{0,20}\}/g

/** One spelling of the many: Unicode, doubled backslashes, groups of digits. Linear in the length. */
export function simplify(raw: string): string {
  // `\\\\frac` for `\\frac`: doubled on its way through JSON; in a matrix two backslashes end a row
  const single = raw.includes('\\\\') && !raw.includes('begin') ? raw.replace(/(?<!\\)\\\\(?=[A-Za-z]{2})/g, '\\') : raw
  return single
    .replace(/[^\x20-\x7e]/g, (character) => SPELLINGS[character] ?? (/\s/.test(character) ? ' ' : character))
    .replace(LOOKS, ' ')
    .replace(/ ?\{ ?, ?\} ?|, ?\\! ?/g, GROUP)
    .replace(/(\d)(?:\\[,;: ]|~)(?=\d{3}(?!\d))/g, `$1${GROUP}`)
    .replace(/ {2,}/g, ' ')
}
