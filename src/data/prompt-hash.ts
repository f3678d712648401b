import { createHash } from 'node:crypto'
import type { Prompt } from './prompt.ts'

/** Of the ids of the prompts in their order, hexadecimal: a position or a count means nothing with others. */
export function hashPrompts(prompts: readonly Pick<Prompt, 'id'>[]): string {
  return createHash('sha256')
    .update(prompts.map(({ id }) => id).join('\n'))
    .digest('hex')
}
