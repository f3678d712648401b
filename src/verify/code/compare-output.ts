/**
 * Whether a program's output is the expected one: line by line, spaces at the ends of lines and empty lines at the end of
 * the text aside; a line that differs must have the same words, where numbers are equal by value (LiveCodeBench). Exact:
 * 0.1 is not 0.10000001.
 */
export function sameOutput(actual: string, expected: string): boolean {
  const [ours, theirs] = [lines(actual), lines(expected)]
  return ours.length === theirs.length && ours.every((line, i) => line === theirs[i] || sameWords(line, theirs[i]!))
}

function lines(text: string): string[] {
  const all = text.split('\n').map((line) => line.trim())
  let [start, end] = [0, all.length]
  while (end > start && all[end - 1] === '') end--
  while (start < end && all[start] === '') start++
  return all.slice(start, end)
}

function sameWords(one: string, other: string): boolean {
  const [ours, theirs] = [one.split(/\s+/), other.split(/\s+/)]
  return ours.length === theirs.length && ours.every((word, i) => word === theirs[i] || sameNumber(word, theirs[i]!))
}

function sameNumber(one: string, other: string): boolean {
  const number = canonical(one)
  return number !== null && number === canonical(other)
}

const DECIMAL = /^([+-]?)(\d{0,400})(?:\.(\d{0,400}))?(?:[eE]([+-]?\d{1,4}))?$/

/** A decimal as sign, digits and power of ten without any zero too many; null for any other word. */
function canonical(word: string): string | null {
  const match = DECIMAL.exec(word)
  const digits = match && `${match[2]}${match[3] ?? ''}`
  if (!digits) return null
  const significant = digits.replace(/^0+/, '')
  const shortened = significant.replace(/0+$/, '')
  if (shortened === '') return '0'
  const power = Number(match[4] ?? 0) - (match[3]?.length ?? 0) + significant.length - shortened.length
  return `${match[1] === '-' ? '-' : ''}${shortened}e${power}`
}
