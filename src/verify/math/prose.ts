import { answerText, boxedAnswer } from '../extract.ts'
import { readings } from './answer.ts'
import { lastNumber } from './last-number.ts'
import { MAX_ANSWER_LENGTH } from './limits.ts'
import { FUNCTIONS } from './symbols.ts'
import { unwrap } from './text.ts'

/**
 * Where an answer may stand. `boxed`: in the last `\boxed{}` alone. `any`: failing that, in the sentence that announces the
 * final answer, after the last `####`, in the last formula, or the last number of the text.
 */
export type Extraction = 'boxed' | 'any'

/** The answer of a response, or null. Linear in the length of the text. */
export function extractAnswer(response: string, extraction: Extraction): string | null {
  const text = answerText(response)
  const boxed = boxedAnswer(text)
  if (boxed !== null || extraction === 'boxed') return boxed
  return proseAnswer(text)
}

/** How much of the end of a text is searched. */
const TAIL = 6000
const SPECIAL_TOKENS = /<\|[a-z_]{1,30}\|>(?:user|assistant|system)?/g
const FINAL = /final answer (?:is|:)[ :]*|(?:the )?answer is[ :]*|(?:final )?answer: */gi
const FORMULA =
  /\$\$((?:\\.|[^$\\])+)\$\$|\$((?:\\.|[^$\\])+)\$|\\\[((?:\\[^\]]|[^\\])+)\\\]|\\\(((?:\\[^)]|[^\\])+)\\\)/gs

export function proseAnswer(response: string): string | null {
  const text = response.slice(-TAIL).replace(SPECIAL_TOKENS, ' ')
  const answer =
    text.length <= MAX_ANSWER_LENGTH && isFormula(text) ? text : (announced(text) ?? marked(text) ?? lastFormula(text))
  return answer && unwrap(answer)
}

/** A text that is nothing but an answer. */
function isFormula(text: string): boolean {
  // words before the first number or command are prose
  const words = text.slice(0, /[\d\\]/.exec(text)?.index).match(/[A-Za-z]*[a-z][A-Za-z]+/g) ?? []
  if (words.some((word) => !Object.hasOwn(FUNCTIONS, word) && word !== 'sqrt')) return false
  return text.trim() !== '' && readings(text).length > 0
}

function announced(text: string): string | null {
  const start = [...text.matchAll(FINAL)].at(-1)
  if (!start) return null
  const rest = text.slice(start.index + start[0].length)
  const end = /\.(?:\s|$)|\n\s*\n/.exec(rest)
  const sentence = end ? rest.slice(0, end.index) : rest
  return isFormula(sentence) ? sentence : lastFormula(sentence)
}

/** The rest of the line after the last `####`. */
function marked(text: string): string | null {
  const mark = text.lastIndexOf('####')
  if (mark < 0) return null
  const end = text.indexOf('\n', mark)
  const answer = text.slice(mark + 4, end < 0 ? undefined : end).trim()
  return answer === '' ? null : answer
}

/** The last formula in math delimiters, unless a number in the text follows it. */
function lastFormula(text: string): string | null {
  const formulas = [...text.matchAll(FORMULA)]
  const formula = formulas.findLast(([source]) => !/^[$\\([ ]*[A-Za-z][$\\)\] ]*$/.test(source)) ?? formulas.at(-1)
  if (!formula) return lastNumber(text)
  const number = lastNumber(text.slice(formula.index + formula[0].length))
  return (
    number ??
    formula
      .slice(1)
      .find((content) => content !== undefined)!
      .trim()
  )
}
