/** What follows the last `</think>`; the whole text where there is none. */
export function answerText(response: string): string {
  const end = response.lastIndexOf('</think>')
  return end < 0 ? response : response.slice(end + '</think>'.length)
}

/** A `\boxed{}` or `\fbox{}` of a text: where it starts and ends, and what it holds. */
interface Box {
  start: number
  end: number
  content: string
}

/**
 * The content of the last `\boxed{}` or `\fbox{}`, the outer one of nested boxes; of several boxes that are joined, as
 * `\boxed{1} and \boxed{2}`, all of them, separated by commas. Null where there is none, and where a later box was opened but never closed:
 * that answer was cut off. Linear in the length of the text.
 */
export function boxedAnswer(text: string): string | null {
  const boxes = findBoxes(text)
  const last = boxes?.at(-1)
  if (!boxes || !last) return null
  const answers = [last.content]
  for (let i = boxes.length - 1; i > 0 && answers.length < MAX_JOINED; i--) {
    if (!joins(text.slice(boxes[i - 1]!.end, boxes[i]!.start))) break
    if (!answers.includes(boxes[i - 1]!.content)) answers.unshift(boxes[i - 1]!.content)
  }
  return answers.join(', ')
}

const MAX_JOINED = 50
const MAX_JOINT = 60

/** Whether what stands between two boxes makes them parts of one answer. */
function joins(between: string): boolean {
  if (between.length > MAX_JOINT) return false
  const gap = between.replace(/\\$/, '')
  const words = gap.replace(/\\q?quad|\\[()[\],; ]|\\\\|[$&\s]/g, ' ')
  if (/^ *[,;]? *(?:(?:\\text ?\{ *)?(?:and|or)(?: *\})? *)?$/i.test(words)) return true
  // within one formula: no end of it, no relation, no sentence
  if (/\$|\\[()[\]]|\n|[.:!?=<>]/.test(gap)) return false
  return !/[A-Za-z\\]/.test(gap.replace(/\\text\s?\{[^{}]*\}|\\q?quad/g, ' '))
}

/** The outermost boxes in their order; null where the last one is not closed. */
function findBoxes(text: string): Box[] | null {
  // Start of the command for a brace that opens a box, -1 for any other: one pass, whatever the text.
  const open: { start: number; content: number }[] = []
  let boxes: Box[] = []
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (character === BACKSLASH) {
      const brace = boxBrace(text, i)
      if (brace >= 0) {
        open.push({ start: i, content: brace + 1 })
        i = brace
      } else if (boxBrace(text, i + 1) < 0) i++ // an escaped brace is text
    } else if (character === OPEN) open.push({ start: -1, content: i })
    else if (character === CLOSE && open.length > 0) {
      const { start, content } = open.pop()!
      if (start < 0) continue
      while (boxes.length > 0 && boxes.at(-1)!.start > start) boxes.pop()
      boxes.push({ start, end: i + 1, content: text.slice(content, i) })
    }
  }
  const end = boxes.at(-1)?.end ?? 0
  if (open.some(({ start }) => start >= end)) boxes = []
  return boxes.length > 0 ? boxes : null
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
