import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
import type { Message } from '../data/prompt.ts'
import { ChatTemplate } from './chat-template.ts'
import { type Json, readTokenizerFiles, type TokenizerFiles } from './files.ts'

const SPECIAL_TOKENS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']

/**
 * A model's tokenizer with its chat template and stop tokens, from a Hugging Face folder.
 *
 * @example
 *     const tokenizer = await Tokenizer.load('models/Qwen2.5-0.5B-Instruct')
 *     const { tokenIds } = tokenizer.chatPrompt([{ role: 'user', content: '1 + 1 = ?' }])
 *     tokenizer.decode(tokenIds, { skipSpecialTokens: true })
 */
export class Tokenizer {
  /** One more than the largest token id. A model's own vocabulary may be larger, for padding. */
  readonly vocabSize: number
  /** Ids that end a response: eos of tokenizer_config.json, config.json and generation_config.json; ascending. */
  readonly stopTokenIds: number[]
  /** Whether the folder has a chat template. */
  readonly hasChatTemplate: boolean
  readonly #tokenizer: HubTokenizer
  readonly #chatTemplate: ChatTemplate | null

  private constructor(dir: string, { tokenizer, config, chatTemplate, eosTokenIds }: TokenizerFiles) {
    const specialTokens = specialTokensOf(config)
    this.#tokenizer = build(dir, tokenizer, config)
    this.#chatTemplate = chatTemplate && new ChatTemplate(chatTemplate.source, chatTemplate.from, specialTokens)
    this.hasChatTemplate = this.#chatTemplate !== null
    let largest = -1
    for (const id of this.#tokenizer.get_vocab().values()) if (id > largest) largest = id
    this.vocabSize = largest + 1
    this.stopTokenIds = this.#stopTokens(dir, specialTokens.eos_token, eosTokenIds)
  }

  /**
   * Loads `tokenizer.json` and, where they are there, `tokenizer_config.json`, `chat_template.jinja` (which goes before the
   * template of tokenizer_config.json), `config.json` and `generation_config.json`.
   *
   * @throws Error that names the folder or the file, and what to do
   */
  static async load(dir: string): Promise<Tokenizer> {
    return new Tokenizer(dir, await readTokenizerFiles(dir))
  }

  /**
   * Token ids of a text. Special tokens written in the text count as such; none are added around it, unless asked for.
   * @throws Error when a character has no token and the tokenizer has none for the unknown
   */
  encode(text: string, { addSpecialTokens = false }: { addSpecialTokens?: boolean } = {}): Int32Array {
    if (text === '' && !addSpecialTokens) return new Int32Array(0)
    const { ids, tokens } = this.#tokenizer.encode(text, { add_special_tokens: addSpecialTokens })
    const missing = (ids as (number | undefined)[]).indexOf(undefined)
    if (missing >= 0) {
      throw new Error(
        `${JSON.stringify(tokens[missing])} is not in the tokenizer's vocabulary, and it has no unknown token`,
      )
    }
    return Int32Array.from(ids)
  }

  /**
   * The text of token ids, exactly: spaces are not cleaned up. No ids give ''. Ids without a token, which a policy with a
   * padded vocabulary can draw, give nothing, as in Python's tokenizers.
   */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const known = Array.from(ids).filter((id) => this.#tokenizer.id_to_token(id) !== undefined)
    if (known.length === 0) return ''
    return this.#tokenizer.decode(known, {
      skip_special_tokens: skipSpecialTokens,
      clean_up_tokenization_spaces: false,
    })
  }

  /**
   * A chat as the model saw chats in its training, up to where the assistant's answer begins.
   *
   * Without a chat template (a base model), the contents of the messages one after another, with nothing between them, and
   * the special tokens that the tokenizer puts around any text.
   *
   * @throws Error that names the template, when it refuses the chat
   */
  chatPrompt(messages: readonly Message[]): { text: string; tokenIds: Int32Array } {
    if (!this.#chatTemplate) {
      const text = messages.map(({ content }) => content).join('')
      return { text, tokenIds: this.encode(text, { addSpecialTokens: true }) }
    }
    const text = this.#chatTemplate.render(messages)
    return { text, tokenIds: this.encode(text) }
  }

  #stopTokens(dir: string, eosToken: string | undefined, configured: TokenizerFiles['eosTokenIds']): number[] {
    const stops = new Set(configured.map(({ id }) => id))
    if (eosToken !== undefined) {
      const id = this.#tokenizer.token_to_id(eosToken)
      if (id === undefined) {
        throw new Error(
          `${dir}: eos_token ${JSON.stringify(eosToken)} of tokenizer_config.json is no token of tokenizer.json: the two files belong to different models`,
        )
      }
      stops.add(id)
    }
    return [...stops].sort((a, b) => a - b)
  }
}

function build(dir: string, tokenizer: Json, config: Json): HubTokenizer {
  try {
    // The library looks for a word-level model's unknown token in the config alone.
    const unknown = (tokenizer.model as { unk_token?: unknown } | undefined)?.unk_token
    return new HubTokenizer(tokenizer, typeof unknown === 'string' ? { ...config, unk_token: unknown } : config)
  } catch (error) {
    throw new Error(`${dir}/tokenizer.json is not a tokenizer that can be read here: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** A special token is written as its text or as an object with its text. */
function specialTokensOf(config: Json): Record<string, string> {
  const tokens: Record<string, string> = {}
  for (const name of SPECIAL_TOKENS) {
    const value = config[name]
    const content = typeof value === 'string' ? value : (value as { content?: unknown } | null | undefined)?.content
    if (typeof content === 'string') tokens[name] = content
  }
  return tokens
}
