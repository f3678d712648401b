import { Template } from '@huggingface/jinja'
import type { Message } from '../data/prompt.ts'

/**
 * A model's chat template: Jinja as in Hugging Face's tokenizer_config.json, parsed once. The template is the model's own
 * text and may refuse a chat, such as one with two user messages in a row.
 */
export class ChatTemplate {
  readonly #template: Template
  readonly #from: string
  readonly #specialTokens: Record<string, string>

  /**
   * @param source the template's text
   * @param from the file it came from, for messages
   * @param specialTokens `bos_token`, `eos_token` and so on, which templates refer to by these names
   * @throws Error that names the file when the template does not parse
   */
  constructor(source: string, from: string, specialTokens: Record<string, string>) {
    this.#from = from
    this.#specialTokens = specialTokens
    try {
      this.#template = new Template(source)
    } catch (error) {
      throw new Error(`chat template of ${from} does not parse: ${(error as Error).message}`, { cause: error })
    }
  }

  /**
   * Renders a chat up to where the assistant's answer begins.
   * @throws Error that names the file and gives the template's own message
   */
  render(messages: readonly Message[]): string {
    try {
      return this.#template.render({
        ...this.#specialTokens,
        messages,
        tools: null,
        documents: null,
        add_generation_prompt: true,
      })
    } catch (error) {
      const roles = messages.map(({ role }) => role).join(', ')
      throw new Error(`chat template of ${this.#from} refused a chat of [${roles}]: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
}
