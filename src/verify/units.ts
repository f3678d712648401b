/** Short units, rarely variables in an answer. Longer words count as units unless they change the value. */
const SHORT_UNITS = new Set(
  'm cm mm km in ft yd mi g kg mg lb oz s h hr ms min l ml kw w j v hz pm am mph kph rad deg'.split(' '),
)

/** Words after a number that make another number or another statement of it. */
const VALUE_WORDS = new Set(
  (
    'or and not to than more less over under between from mod modulo pi times plus minus squared cubed factorial half ' +
    'halves third thirds fourth fourths fifth fifths sixth sixths eighth eighths quarter quarters tenth tenths hundredth ' +
    'hundredths thousandth thousandths hundred hundreds thousand thousands million millions billion billions trillion ' +
    'trillions dozen dozens gross score pair pairs percent divided by power root remainder if sqrt log ln exp sin cos tan ' +
    'inf infinity base negative positive at least most except without twice double triple choose'
  ).split(' '),
)
const MAX_WORDS = 4

/**
 * Splits `12 square meters` or `5 km/h` into its number and its unit. Null where what follows is no unit: `5x`, `2 pi`,
 * `3 or 4`, `5 million`.
 */
export function splitUnit(text: string): { head: string; unit: string } | null {
  const bare = text.replace(/(?<=[A-Za-z])(?: ?\^ ?(?:[23]|\{[23]\})|[²³])$/, '')
  let start = bare.length
  while (start > 0 && /[A-Za-z ./]/.test(bare[start - 1]!)) start--
  while (start < bare.length && !/[A-Za-z]/.test(bare[start]!)) start++
  const words = bare
    .slice(start)
    .toLowerCase()
    .split(/[ ./]+/)
    .filter(Boolean)
  const [first] = words
  if (first === undefined || words.length > MAX_WORDS || !words.every(isUnitWord)) return null
  const head = bare.slice(0, start)
  // Without a space, `5m` or `5abc` may be a product of variables, and `3/x` is no 3 of unit x.
  const apart = head.endsWith(' ') || (first.length > 1 && SHORT_UNITS.has(first))
  if (!apart || /[/.] *$/.test(head)) return null
  return { head: head.trimEnd(), unit: words.map(singular).join(' ') + text.slice(bare.length).replace(/[ {}]/g, '') }
}

function isUnitWord(word: string): boolean {
  return word.length <= 2 ? SHORT_UNITS.has(word) : !VALUE_WORDS.has(word)
}

function singular(word: string): string {
  return word.length > 3 && word.endsWith('s') ? word.slice(0, -1) : word
}
