import { createHash } from 'node:crypto'
import { type Problem, readProblem } from './problem.ts'
import type { Message, Prompt } from './prompt.ts'
import { readRows } from './rows.ts'

export interface LoadPromptsOptions {
  /** renders and encodes a chat; a `Tokenizer` */
  tokenizer: { chatPrompt(messages: Message[]): { text: string; tokenIds: Int32Array } }
  /** system message put in front of rows that have none */
  systemPrompt?: string | undefined
  /** added to the end of the last user message as it stands: begin it with a space or a line break */
  promptSuffix?: string | undefined
  /** most tokens of a rendered prompt; longer ones are dropped */
  maxPromptLength: number
}

export interface LoadedPrompts {
  prompts: Prompt[]
  /** what was left out, in rows */
  dropped: { tooLong: number; duplicates: number }
}

/**
 * Reads, renders and encodes the prompts of one or several files, in their order. Rows with the same messages and answer
 * as an earlier one are dropped, then those over `maxPromptLength` tokens.
 *
 * @throws Error that names the file and line of a bad row, or says what was dropped and why when nothing is left
 */
export async function loadPrompts(
  paths: string | readonly string[],
  options: LoadPromptsOptions,
): Promise<LoadedPrompts> {
  const files = typeof paths === 'string' ? [paths] : paths
  const prompts: Prompt[] = []
  const dropped = { tooLong: 0, duplicates: 0 }
  const seen = new Set<string>()
  let shortest = Number.POSITIVE_INFINITY

  for (const path of files) {
    for (const row of await readRows(path)) {
      const problem = readProblem(row, path)
      const id = contentHash(problem)
      if (seen.has(id)) {
        dropped.duplicates++
        continue
      }
      seen.add(id)
      const messages = framed(problem.messages, options, row.where)
      const { tokenIds } = render(messages, options, row.where)
      shortest = Math.min(shortest, tokenIds.length)
      if (tokenIds.length > options.maxPromptLength) dropped.tooLong++
      else prompts.push({ ...problem, id: id.slice(0, 16), messages, tokenIds })
    }
  }
  if (prompts.length === 0) throw new Error(nothingLeft(files, dropped, options.maxPromptLength, shortest))
  return { prompts, dropped }
}

function contentHash({ messages, answer }: Problem): string {
  return createHash('sha256')
    .update(JSON.stringify([messages, answer]))
    .digest('hex')
}

function framed(messages: Message[], { systemPrompt, promptSuffix }: LoadPromptsOptions, where: string): Message[] {
  const all = [...messages]
  if (systemPrompt !== undefined && !all.some(({ role }) => role === 'system')) {
    all.unshift({ role: 'system', content: systemPrompt })
  }
  if (promptSuffix !== undefined) {
    const last = all.findLastIndex(({ role }) => role === 'user')
    if (last < 0) throw new Error(`${where}: promptSuffix goes to the last user message, but the row has none`)
    all[last] = { role: 'user', content: all[last]!.content + promptSuffix }
  }
  return all
}

function render(messages: Message[], { tokenizer }: LoadPromptsOptions, where: string) {
  let rendered: { text: string; tokenIds: Int32Array }
  try {
    rendered = tokenizer.chatPrompt(messages)
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error })
  }
  if (rendered.tokenIds.length === 0) throw new Error(`${where}: the prompt is empty: it must have at least one token`)
  return rendered
}

function nothingLeft(
  files: readonly string[],
  { tooLong, duplicates }: LoadedPrompts['dropped'],
  maxPromptLength: number,
  shortest: number,
): string {
  const from = files.join(', ') || 'no files'
  if (tooLong === 0) return `no prompts in ${from}: the files have no rows`
  const also = duplicates > 0 ? `, ${duplicates} were duplicates` : ''
  return (
    `no prompts left of ${from}: ${tooLong} were longer than maxPromptLength ${maxPromptLength} tokens ` +
    `(the shortest has ${shortest})${also}; raise maxPromptLength to at least ${shortest}`
  )
}
