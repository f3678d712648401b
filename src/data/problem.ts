import { basename, extname } from 'node:path'
import type { Message } from './prompt.ts'
import type { Row } from './rows.ts'

/** What a row asks and expects, whichever of the known forms it has. */
export interface Problem {
  messages: Message[]
  answer: unknown
  source: string
  extra: Record<string, unknown>
}

/**
 * Reads a row in one of three forms:
 *
 * * the recipe's: `prompt` (messages), `data_source`, `ability`, `reward_model.ground_truth`, `extra_info`;
 * * GSM8K's: `question`, and an `answer` that ends in `#### result`;
 * * plain: `prompt` or `question` (text or messages), `answer` or `ground_truth`.
 *
 * An answer that is the JSON text of a list of strings, a string or a non-empty object is parsed. Lists of anything else
 * stay text: `[1, 2]` is an interval, and two acceptable answers must not be read into it.
 *
 * @param path the row's file, which names the source where the row does not
 * @throws Error that names the row and the field
 */
export function readProblem({ where, fields }: Row, path: string): Problem {
  const { prompt, question, data_source, reward_model, ground_truth, answer, ...extra } = fields
  const asked = prompt ?? question
  if (asked === undefined || asked === null) {
    throw new Error(
      `${where}: no 'prompt' and no 'question'; its fields are ${Object.keys(fields).join(', ') || 'none'}`,
    )
  }
  return {
    messages: readMessages(asked, prompt === undefined || prompt === null ? 'question' : 'prompt', where),
    answer: readAnswer(fields),
    source: typeof data_source === 'string' ? data_source : basename(path, extname(path)),
    extra,
  }
}

function readMessages(asked: unknown, field: string, where: string): Message[] {
  const messages = typeof asked === 'string' ? [{ role: 'user', content: asked }] : asked
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new Error(`${where}: '${field}' must be text or a list of messages { role, content }`)
  }
  return messages.map((message: Partial<Message> | null, i) => {
    if (typeof message?.role !== 'string' || typeof message.content !== 'string') {
      throw new Error(`${where}: '${field}[${i}]' must have a text 'role' and a text 'content'`)
    }
    return { role: message.role, content: message.content }
  })
}

function readAnswer({ reward_model, ground_truth, answer, question }: Record<string, unknown>): unknown {
  const graded = (reward_model as { ground_truth?: unknown } | null | undefined)?.ground_truth
  const given = graded ?? ground_truth ?? answer ?? undefined
  if (typeof given !== 'string') return given
  const marked = given.lastIndexOf('####')
  if (given === answer && typeof question === 'string' && marked >= 0) return given.slice(marked + 4).trim()
  return parsedAnswer(given)
}

function parsedAnswer(text: string): unknown {
  if (!/^\s*[[{"]/.test(text)) return text
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return text
  }
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.length > 0 && value.every((entry) => typeof entry === 'string') ? value : text
  return Object.keys(value as object).length > 0 ? value : text
}
