import type { Message } from '../data/prompt.ts'
import { type Row, readRows } from '../data/rows.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** A prompt and the response to imitate. */
export interface Example {
  /** At least one token. */
  promptTokenIds: Int32Array
  /** The response and the stop token after it. */
  completionTokenIds: Int32Array
}

export interface ExampleOptions {
  tokenizer: Pick<Tokenizer, 'chatPrompt' | 'encode' | 'stopTokenIds'>
  systemPrompt?: string | undefined
  promptSuffix?: string | undefined
  /** Most tokens of prompt and response together; longer rows are dropped. */
  maxLength: number
}

/**
 * Reads worked examples: rows `{ prompt, response }`, where `prompt` is text or messages, or `{ messages }` that end with
 * the assistant.
 *
 * @throws Error that names the file and line of a bad row, or says that nothing is left
 */
export async function loadExamples(
  paths: readonly string[],
  options: ExampleOptions,
): Promise<{ examples: Example[]; dropped: { tooLong: number } }> {
  const examples: Example[] = []
  let tooLong = 0
  for (const path of paths)
    for (const row of await readRows(path)) {
      const { messages, response } = readExample(row)
      const example = encodeExample(framed(messages, options), response, options.tokenizer)
      if (example.promptTokenIds.length + example.completionTokenIds.length > options.maxLength) tooLong++
      else examples.push(example)
    }
  if (examples.length === 0)
    throw new Error(
      `no examples left of ${paths.join(', ')}: ${tooLong} rows were longer than maxLength ${options.maxLength}`,
    )
  return { examples, dropped: { tooLong } }
}

/** Tokens of an example as the model is going to meet them: the generation prompt, the response, the end of the turn. */
export function encodeExample(
  messages: readonly Message[],
  response: string,
  tokenizer: ExampleOptions['tokenizer'],
): Example {
  const { tokenIds: promptTokenIds } = tokenizer.chatPrompt(messages)
  // Which stop token ends a turn is what the chat template says; there may be several.
  const whole = tokenizer.chatPrompt([...messages, { role: 'assistant', content: response }]).tokenIds
  const stops = tokenizer.stopTokenIds
  const end = whole.subarray(promptTokenIds.length).find((id) => stops.includes(id)) ?? stops.at(-1)
  const text = tokenizer.encode(response)
  return { promptTokenIds, completionTokenIds: end === undefined ? text : Int32Array.of(...text, end) }
}

function readExample({ where, fields }: Row): { messages: Message[]; response: string } {
  const { messages, prompt, response } = fields
  if (messages !== undefined) {
    const chat = asMessages(messages)
    const last = chat?.at(-1)
    if (!chat || last?.role !== 'assistant' || chat.length < 2)
      throw new Error(`${where}: 'messages' must be [{ role, content }, ...] that end with the assistant's answer`)
    return { messages: chat.slice(0, -1), response: last.content }
  }
  const chat = typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : asMessages(prompt)
  if (!chat || chat.length === 0)
    throw new Error(`${where}: 'prompt' must be text or messages; the row has ${Object.keys(fields).join(', ')}`)
  if (typeof response !== 'string' || response === '')
    throw new Error(`${where}: 'response' must be text; the row has ${Object.keys(fields).join(', ')}`)
  return { messages: chat, response }
}

function asMessages(value: unknown): Message[] | undefined {
  if (!Array.isArray(value)) return undefined
  const valid = value.every((item) => typeof item?.role === 'string' && typeof item?.content === 'string')
  return valid ? (value as Message[]) : undefined
}

function framed(messages: Message[], { systemPrompt, promptSuffix }: ExampleOptions): Message[] {
  const all = messages.map((message) => ({ ...message }))
  if (systemPrompt !== undefined && !all.some(({ role }) => role === 'system'))
    all.unshift({ role: 'system', content: systemPrompt })
  const last = all.findLast(({ role }) => role === 'user')
  if (promptSuffix !== undefined && last) last.content += promptSuffix
  return all
}
