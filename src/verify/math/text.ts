import { simplify } from './spelling.ts'

const FONTS =
  /\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt|normal)|mbox|operatorname|emph)\s?\{([^{}]*)\}/g

/** Math delimiters and braces around all of a text. */
const WRAPPERS: [string, string][] = [
  ['$$', '$$'],
  ['$', '$'],
  ['\\(', '\\)'],
  ['\\[', '\\]'],
  ['\\boxed{', '}'],
  ['\\fbox{', '}'],
  ['{', '}'],
]

/** Takes off the math delimiters and braces around all of a text, emphasis, and the punctuation after it. */
export function unwrap(text: string): string {
  let inner = text.trim()
  for (let round = 0; round < 8; round++) {
    const bare = inner
      .replace(/^\*\*(.*)\*\*$/s, '$1')
      .replace(/(?<!\\)[.,;:]$/, '')
      .trim()
    const wrapper = WRAPPERS.find(([open, close]) => wraps(bare, open, close))
    if (!wrapper) return bare
    inner = bare.slice(wrapper[0].length, bare.length - wrapper[1].length).trim()
  }
  return inner
}

function wraps(text: string, open: string, close: string): boolean {
  if (text.length < open.length + close.length || !text.startsWith(open) || !text.endsWith(close)) return false
  const inner = text.slice(open.length, text.length - close.length)
  if (close !== '}') return !inner.includes(open) && !inner.includes(close)
  if (open === '{' && inner.includes(',')) return false
  let depth = 0
  for (let i = 0; i < inner.length; i++) {
    if (inner[i] === '\\') i++
    else if (inner[i] === '{') depth++
    else if (inner[i] === '}' && --depth < 0) return false
  }
  return depth === 0
}

/** Words as `Yes`, `even` or `TRUE`; not `AB`, which names a segment and is not `ab`. */
const WORDS = /^(?:[A-Za-z][a-z]+(?: [A-Za-z][a-z]*)*|[A-Z]{4,})$/

/** A text as it is compared: without the spaces that mean nothing, and words in lower case. */
export function comparable(raw: string): string {
  const text = unwrap(
    simplify(raw)
      .replace(/\\(?:left|right|displaystyle|[bB]igg?[lr]?)(?![A-Za-z])/g, '')
      .replace(FONTS, ' $1')
      .replace(/\\[,;:! ]|\\q?quad(?![a-z])|~/g, ' ')
      .replace(/ {2,}/g, ' '),
  )
  const tight = text
    .replace(/\\[dtc]frac/g, '\\frac')
    .replace(/(?<![A-Za-z0-9]) | (?![A-Za-z0-9])/g, '')
    .replace(/(\\sqrt|\\frac) (?=[\d{])/g, '$1')
    .replace(/\\frac(\d)(\d)/g, '\\frac{$1}{$2}')
    .replace(/([\^_]|\\sqrt)\{([A-Za-z0-9])\}/g, '$1$2')
    .replace(/^\(([A-Za-z])\)$/, '$1')
  return WORDS.test(tight) ? tight.toLowerCase() : tight
}

/** Sets that are written in words, as LaTeX; any other text as it is. */
export function spelledOut(text: string): string {
  const words = text.length > 60 ? '' : comparable(text).toLowerCase()
  if (/^(?:the )?empty set$|^no solutions?$/.test(words)) return '\\emptyset'
  return /^(?:the set of )?(?:all )?(?:the )?real numbers$|^all reals$/.test(words) ? '\\mathbb{R}' : text
}
