/** One GRPO step, rollouts, grades and update, against TRL: four layers of SmolLM2's shape, random weights. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../../test/reference/random.ts'
import { interleave, rowOf } from '../compare.ts'
import { randomFolder } from '../model-folder.ts'
import type { Context, Part } from '../part.ts'
import type { Row } from '../row.ts'
import { Side } from '../side.ts'
import type { TextsJob } from '../sides/trainer.ts'

const LAYERS = 4
const PROMPTS = 2
const PROMPT = 64
const SAMPLES = 8
const NEW_TOKENS = 64

export const grpoStep: Part = {
  name: 'grpo-step',
  about: 'a GRPO step of four layers, 2 prompts x 8, 64 new tokens, against TRL',
  cases: { float32: step },
}

/** The step as our side takes it. */
export async function grpoStepJob(context: Context): Promise<TextsJob> {
  const model = await randomFolder(context, LAYERS)
  return {
    ...{ model, dtype: 'float32', texts: texts(model) },
    config: {
      ...{ promptsPerStep: PROMPTS, groupSize: SAMPLES, maxResponseLength: NEW_TOKENS, learningRate: 1e-6 },
      // No response stops by itself, and each of them counts.
      truncation: { reward: 'graded', advantageMask: 'none' },
      entropy: { controller: 'off' },
    },
  }
}

async function step(context: Context): Promise<Row[]> {
  const interpreter = await context.python()
  const job = await grpoStepJob(context)
  const { model, dtype } = job
  const sizes = { prompts: PROMPTS, samples: SAMPLES, newTokens: NEW_TOKENS, learningRate: 1e-6 }
  await using ours = await Side.start('sides/trainer.ts', job)
  await using peer = await Side.start('peers/trl_steps.py', { model, dtype, texts: job.texts, ...sizes }, interpreter)
  const result = await interleave({ ours, peer }, { seconds: 60, most: 7 }, context.log)
  const settings = { dtype, layers: LAYERS, weights: 'random' }
  const name = `${PROMPTS} prompts x ${SAMPLES}, ${PROMPT} + ${NEW_TOKENS} tokens, ${LAYERS} layers, ${dtype}`
  const text = { name, part: 'grpo-step', peerName: 'TRL', settings, goal: { ratio: 2.5 } }
  return [await rowOf(text, result, { ours, peer })]
}

/** Prompts of characters that the folder's tokenizer knows, a token each. */
function texts(folder: string): string[] {
  const { model } = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
  const characters = Object.keys(model.vocab).slice(2)
  const random = new Random(4)
  return Array.from({ length: PROMPTS }, () =>
    Array.from(random.integers(PROMPT, characters.length), (index) => characters[index]!).join(''),
  )
}
