import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Json = Record<string, unknown>

/** What a Hugging Face folder says about its tokenizer. */
export interface TokenizerFiles {
  tokenizer: Json
  /** tokenizer_config.json, or {} */
  config: Json
  /** the text and its file, where there is a template */
  chatTemplate: { source: string; from: string } | null
  /** `eos_token_id` of config.json and generation_config.json */
  eosTokenIds: { id: number; from: string }[]
}

/** @throws Error that names the folder or file and what to do */
export async function readTokenizerFiles(dir: string): Promise<TokenizerFiles> {
  const tokenizer = await readJson(join(dir, 'tokenizer.json'))
  if (!tokenizer) {
    throw new Error(
      `${dir}: no tokenizer.json in this folder: copy it from the model's page, or write it with ` +
        `AutoTokenizer.from_pretrained(...).save_pretrained('${dir}') where the model has only another form`,
    )
  }
  const [config, model, generation, templateFile] = await Promise.all([
    readJson(join(dir, 'tokenizer_config.json')),
    readJson(join(dir, 'config.json')),
    readJson(join(dir, 'generation_config.json')),
    readText(join(dir, 'chat_template.jinja')),
  ])
  const fromConfig = defaultTemplate(config?.chat_template)
  return {
    tokenizer,
    config: config ?? {},
    chatTemplate:
      templateFile !== null
        ? { source: templateFile, from: join(dir, 'chat_template.jinja') }
        : fromConfig !== null
          ? { source: fromConfig, from: join(dir, 'tokenizer_config.json') }
          : null,
    eosTokenIds: [
      ...tokenIds(model?.eos_token_id, join(dir, 'config.json')),
      ...tokenIds(generation?.eos_token_id, join(dir, 'generation_config.json')),
    ],
  }
}

/** A template is one text, or a list of named ones. */
function defaultTemplate(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return null
  const named = value as { name?: unknown; template?: unknown }[]
  const template = (named.find(({ name }) => name === 'default') ?? named[0])?.template
  return typeof template === 'string' ? template : null
}

function tokenIds(value: unknown, from: string): { id: number; from: string }[] {
  if (value === undefined || value === null) return []
  return (Array.isArray(value) ? value : [value]).map((id) => {
    if (!Number.isInteger(id) || id < 0) {
      throw new Error(`${from}: eos_token_id is ${JSON.stringify(value)}: it must be a token id or a list of them`)
    }
    return { id, from }
  })
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR') {
      return null
    }
    throw new Error(`${path}: cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

async function readJson(path: string): Promise<Json | null> {
  const text = await readText(path)
  if (text === null) return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`${path}: not valid JSON, perhaps a partial download: ${(error as Error).message}`, {
      cause: error,
    })
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Error(`${path}: expected a JSON object`)
  }
  return value as Json
}
