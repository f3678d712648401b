import { lastNumber } from './last-number.ts'

/**
 * Where an answer may stand. `boxed`: in the last `\boxed{}` alone. `any`: failing that, after the last `####`, else the
 * last number of the text, unless it is part of an expression.
 */
export type Extraction = 'boxed' | 'any'

/** What follows the last `</think>`; the whole text where there is none. */
export function answerText(response: string): string {
  const end = response.lastIndexOf('</think>')
  return end < 0 ? response : response.slice(end + '</think>'.length)
}

/** The answer of a response, or null. Linear in the length of the text. */
export function extractAnswer(response: string, extraction: Extraction): string | null {
  const text = answerText(response)
  const boxed = lastBoxed(text)
  if (boxed !== null || extraction === 'boxed') return boxed
  return lastMarked(text) ?? lastNumber(text)
}

/**
 * The content of the last `\boxed{}` or `\fbox{}`, the outer one of nested boxes. Null where there is none, and where a
 * later box was opened but never closed: that answer was cut off.
 */
export function lastBoxed(text: string): string | null {
  // Start of the content for a brace that opens a box, -1 for any other: one pass, whatever the text.
  const open: number[] = []
  let content: [number, number] | null = null
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (character === BACKSLASH) {
      const brace = boxBrace(text, i)
      if (brace >= 0) {
        open.push(brace + 1)
        i = brace
      } else i++ // an escaped brace is text
    } else if (character === OPEN) open.push(-1)
    else if (character === CLOSE && open.length > 0) {
      const start = open.pop()!
      if (start >= 0) content = [start, i]
    }
  }
  if (!content || open.some((start) => start > content![1])) return null
  return text.slice(...content)
}

const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const BOXES = ['\\boxed', '\\fbox']

/** Where the brace of a box stands whose command begins at `at`; -1 for any other command. */
function boxBrace(text: string, at: number): number {
  const command = BOXES.find((name) => text.startsWith(name, at))
  if (command === undefined) return -1
  let brace = at + command.length
  // A few spaces at most: skipping any number of them would make hostile text quadratic.
  while (text[brace] === ' ' && brace < at + 20) brace++
  return text.charCodeAt(brace) === OPEN ? brace : -1
}

/** The rest of the line after the last `####`. */
function lastMarked(text: string): string | null {
  const mark = text.lastIndexOf('####')
  if (mark < 0) return null
  const end = text.indexOf('\n', mark)
  const answer = text.slice(mark + 4, end < 0 ? undefined : end).trim()
  return answer === '' ? null : answer
}
