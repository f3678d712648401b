import { answerText } from '../extract.ts'

/** A language that answers may be written in. */
export type Language = 'python' | 'javascript' | 'typescript'

/** Labels of a fence, by language. */
const LABELS: Record<Language, string[]> = {
  python: ['python', 'python3', 'py'],
  javascript: ['javascript', 'js', 'mjs', 'cjs', 'node'],
  typescript: ['typescript', 'ts', 'javascript', 'js'],
}

/**
 * The last fenced block of the language after the thinking; where none is labelled so, the last without a label. Null where
 * there is none, or where it was never closed: that answer was cut off. Linear in the length of the text.
 */
export function extractCode(response: string, language: Language = 'python'): string | null {
  let labelled: string | null = null
  let bare: string | null = null
  let open: { fence: string; indent: number; label: string; lines: string[] } | null = null
  for (const line of answerText(response).split('\n')) {
    const mark = /^([ \t]{0,20})(`{3,20}|~{3,20})([^`\r]*)\r?$/.exec(line)
    if (!open) {
      if (mark) open = { fence: mark[2]!, indent: mark[1]!.length, label: firstWord(mark[3]!), lines: [] }
    } else if (mark && closes(mark, open)) {
      const text = open.lines.join('\n')
      if (LABELS[language].includes(open.label)) labelled = text
      else if (open.label === '') bare = text
      open = null
    } else open.lines.push(withoutIndent(line, open.indent))
  }
  if (open && LABELS[language].includes(open.label)) return null
  return labelled ?? bare
}

/** As in CommonMark: at least as long, nothing after it, and hardly further in than the one it closes. */
function closes([, indent, fence, rest]: RegExpExecArray, open: { fence: string; indent: number }): boolean {
  return fence!.startsWith(open.fence) && rest!.trim() === '' && indent!.length <= open.indent + 3
}

function firstWord(label: string): string {
  return label
    .trim()
    .toLowerCase()
    .split(/[\s{,:]/, 1)[0]!
}

function withoutIndent(line: string, indent: number): string {
  let start = 0
  while (start < indent && (line[start] === ' ' || line[start] === '\t')) start++
  return line.slice(start)
}
