/** What the tests of the trainer train: a tiny policy, its prompts and a reward for sevens. */

import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { RecipeInput } from '../../src/config/recipe-schema.ts'
import { loadPrompts } from '../../src/data/load-prompts.ts'
import { Policy } from '../../src/policy/policy.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import type { TrainerOptions } from '../../src/train/trainer.ts'
import { tinyRun } from './tiny-run.ts'

export const recipe: RecipeInput = {
  ...{ promptsPerStep: 4, groupSize: 8, maxResponseLength: 8, learningRate: 0.01, seed: 1 },
  ...{ truncation: { reward: 'graded' }, entropy: { controller: 'off' } },
}

export const sevens: TrainerOptions['verifier'] = ({ response }) => {
  const found = [...response].filter((letter) => letter === '7').length
  return { reward: found / 8, correct: found > 0 }
}

export async function parts(t: ExecutionContext) {
  const { folder } = await tinyRun(t)
  const tokenizer = await Tokenizer.load(join(folder, 'base'))
  const { prompts } = await loadPrompts(join(folder, 'rows.jsonl'), { tokenizer, maxPromptLength: 16 })
  const policy = await Policy.load(join(folder, 'base'))
  t.teardown(() => policy.dispose())
  return { folder, tokenizer, prompts, policy }
}
