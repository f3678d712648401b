import { createHash } from 'node:crypto'
import { Decontamination } from './decontamination.ts'
import { type Problem, readProblem } from './problem.ts'
import type { Message, Prompt } from './prompt.ts'
import { readRows } from './rows.ts'

/** A data file; with weights, how often its prompts are drawn relative to the other files' weights. */
export type DataFile = string | { path: string; weight: number }

export interface LoadPromptsOptions {
  /** renders and encodes a chat; a `Tokenizer` */
  tokenizer: { chatPrompt(messages: Message[]): { text: string; tokenIds: Int32Array } }
  /** system message put in front of rows that have none */
  systemPrompt?: string | undefined
  /** added to the end of the last user message as it stands, unless that ends so: begin it with a space or a line break */
  promptSuffix?: string | undefined
  /** most tokens of a rendered prompt; longer ones are dropped */
  maxPromptLength: number
  /** evaluation files, and how many words in a row a prompt must share with one of their problems to be dropped */
  decontaminate?: { against: readonly string[]; ngram: number } | undefined
}

/** Rows that were left out, by why. */
export interface DroppedRows {
  tooLong: number
  duplicates: number
  /** repeat a problem of `decontaminate.against` */
  contaminated: number
}

export interface LoadedPrompts {
  prompts: Prompt[]
  dropped: DroppedRows
  /** the fields of each prompt's row as the file has them */
  rows: Record<string, unknown>[]
}

/**
 * Reads, renders and encodes the prompts of one or several files, in their order. Rows with the same messages and answer
 * as an earlier one are dropped, then those that repeat an evaluation problem, then those over `maxPromptLength` tokens.
 *
 * @throws Error that names the file and line of a bad row, or says what was dropped and why when nothing is left
 */
export async function loadPrompts(
  data: DataFile | readonly DataFile[],
  options: LoadPromptsOptions,
): Promise<LoadedPrompts> {
  const decontamination = await readDecontamination(options.decontaminate)
  const prompts: Prompt[] = []
  const rows: LoadedPrompts['rows'] = []
  const dropped = { tooLong: 0, duplicates: 0, contaminated: 0 }
  const seen = new Set<string>()
  let shortest = Number.POSITIVE_INFINITY

  for (const { path, weight } of dataFiles(data)) {
    const mixture = weight === undefined ? undefined : { part: path, weight }
    for (const row of await readRows(path)) {
      const problem = readProblem(row, path)
      const id = contentHash(problem)
      if (seen.has(id)) {
        dropped.duplicates++
        continue
      }
      seen.add(id)
      if (decontamination?.repeats(asked(problem))) {
        dropped.contaminated++
        continue
      }
      const messages = framed(problem.messages, options, row.where)
      const { tokenIds } = render(messages, options, row.where)
      shortest = Math.min(shortest, tokenIds.length)
      if (tokenIds.length > options.maxPromptLength) {
        dropped.tooLong++
        continue
      }
      prompts.push({ ...problem, id: id.slice(0, 16), messages, tokenIds, ...(mixture && { mixture }) })
      rows.push(row.fields)
    }
  }
  if (prompts.length === 0) throw new Error(nothingLeft(dataPaths(data), dropped, options.maxPromptLength, shortest))
  return { prompts, dropped, rows }
}

/** The paths of data files, with weights or without. */
export function dataPaths(data: DataFile | readonly DataFile[]): string[] {
  return dataFiles(data).map(({ path }) => path)
}

function dataFiles(data: DataFile | readonly DataFile[]): { path: string; weight?: number }[] {
  const files = (Array.isArray(data) ? data : [data]) as readonly DataFile[]
  return files.map((file) => (typeof file === 'string' ? { path: file } : file))
}

/** `3 too long, 2 duplicates`; empty where nothing was dropped. */
export function describeDropped({ tooLong, duplicates, contaminated }: DroppedRows): string {
  return [
    ...(tooLong > 0 ? [`${tooLong} too long`] : []),
    ...(duplicates > 0 ? [`${duplicates} duplicate${duplicates > 1 ? 's' : ''}`] : []),
    ...(contaminated > 0 ? [`${contaminated} in the evaluation data`] : []),
  ].join(', ')
}

async function readDecontamination(options: LoadPromptsOptions['decontaminate']): Promise<Decontamination | undefined> {
  if (!options) return undefined
  const files: string[][] = []
  for (const path of options.against) files.push((await readRows(path)).map((row) => asked(readProblem(row, path))))
  return new Decontamination(files, options)
}

/** What the user of a problem asks, without system messages. */
function asked({ messages }: Problem): string {
  return messages
    .filter(({ role }) => role === 'user')
    .map(({ content }) => content)
    .join('\n')
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
    const { content } = all[last]!
    // Some sets carry the instruction in their problems, others do not: both are asked alike.
    if (!content.trimEnd().endsWith(promptSuffix.trim())) all[last] = { role: 'user', content: content + promptSuffix }
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
  paths: readonly string[],
  dropped: DroppedRows,
  maxPromptLength: number,
  shortest: number,
): string {
  const from = paths.join(', ') || 'no files'
  if (dropped.tooLong + dropped.contaminated === 0) return `no prompts in ${from}: the files have no rows`
  const why = describeDropped(dropped)
  if (dropped.tooLong === 0) return `no prompts left of ${from}: ${why}; give training data of its own`
  return (
    `no prompts left of ${from}: ${why}; maxPromptLength is ${maxPromptLength} tokens and the shortest has ${shortest}: ` +
    `raise maxPromptLength to at least ${shortest}`
  )
}
