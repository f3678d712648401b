/** Sampling from SmolLM2-135M, four prompts with eight samples each, against Hugging Face's generate. */

import { Random } from '../../test/reference/random.ts'
import { interleave, rowOf } from '../compare.ts'
import { smolLm2Folder, VOCABULARY } from '../model-folder.ts'
import type { Context, Part } from '../part.ts'
import type { Row } from '../row.ts'
import { Side } from '../side.ts'
import type { GenerateJob } from '../sides/policy.ts'

const PROMPTS = 4
const SAMPLES = 8
const PROMPT = 64

const equal = Array.from({ length: PROMPTS * SAMPLES }, () => 64)
/** 16 to 256 evenly, in an order that gives every prompt short and long ones. */
const raggedLengths = Array.from({ length: PROMPTS * SAMPLES }, (_, i) => {
  const rank = (i * 11) % (PROMPTS * SAMPLES)
  return 16 + Math.round((rank * 240) / (PROMPTS * SAMPLES - 1))
})

export const generate: Part = {
  name: 'generate',
  about: "sampling from SmolLM2-135M's shape against Hugging Face generate, all samples of one length",
  cases: { float32: sampling('generate', 'float32', equal, 3), bfloat16: sampling('generate', 'bfloat16', equal, 3) },
}

export const generateRagged: Part = {
  name: 'generate-ragged',
  about: 'the same with lengths from 16 to 256; tokens after the end of a sample count on no side',
  cases: {
    float32: sampling('generate-ragged', 'float32', raggedLengths, 5),
    bfloat16: sampling('generate-ragged', 'bfloat16', raggedLengths, 5),
  },
}

function sampling(part: string, dtype: GenerateJob['dtype'], lengths: number[], goal: number) {
  return async (context: Context): Promise<Row[]> => {
    const { log, python } = context
    const interpreter = await python()
    const { folder, weights } = await smolLm2Folder(context)
    const random = new Random(3)
    const prompts = Array.from({ length: PROMPTS }, () => Array.from(random.integers(PROMPT, VOCABULARY)))
    const job: GenerateJob = { task: 'generate', model: folder, dtype, prompts, samples: SAMPLES, lengths }
    await using ours = await Side.start('sides/policy.ts', job)
    await using peer = await Side.start('peers/policy.py', job, interpreter)
    const result = await interleave({ ours, peer }, { seconds: 45, most: 5 }, (line) => log(`${dtype}: ${line}`))
    const range = [...new Set([Math.min(...lengths), Math.max(...lengths)])].join(' to ')
    const name = `${PROMPTS} prompts x ${SAMPLES}, ${PROMPT} + ${range} tokens, ${dtype}`
    const tokens = lengths.reduce((sum, length) => sum + length, 0)
    const settings = { dtype, weights, tokens }
    const text = { name, part, peerName: 'transformers generate', settings, goal: { ratio: goal } }
    return [await rowOf(text, result, { ours, peer }, tokens)]
  }
}
