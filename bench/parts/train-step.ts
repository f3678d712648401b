/** Forward, backward, clip and fused AdamW of SmolLM2-135M, eight responses to one prompt, against Hugging Face. */

import { Random } from '../../test/reference/random.ts'
import { interleave, rowOf } from '../compare.ts'
import { smolLm2Folder, VOCABULARY } from '../model-folder.ts'
import type { Context, Part } from '../part.ts'
import type { Row } from '../row.ts'
import { Side } from '../side.ts'
import type { TrainJob } from '../sides/policy.ts'

type DType = TrainJob['dtype']

const PROMPT = 32
const RESPONSE = 224
const SAMPLES = 8
const memoryGoal: Record<DType, number> = { float32: 0.5, bfloat16: 0.75 }

export const trainStep: Part = {
  name: 'train-step',
  about: "a training step of SmolLM2-135M's shape against Hugging Face",
  cases: { float32: step('float32'), bfloat16: step('bfloat16') },
}

function step(dtype: DType) {
  return async (context: Context): Promise<Row[]> => {
    const { log, python } = context
    const interpreter = await python()
    const { folder, weights } = await smolLm2Folder(context)
    const random = new Random(2)
    const tokens = (count: number) => Array.from(random.integers(count, VOCABULARY))
    const group = Array.from({ length: SAMPLES }, (_, i) => ({ tokens: tokens(RESPONSE), advantage: i % 2 ? 1 : -1 }))
    const job: TrainJob = { task: 'train', model: folder, dtype, prompts: [tokens(PROMPT)], groups: [group] }
    const ours = await Side.start('sides/policy.ts', job)
    const peer = await Side.start('peers/policy.py', job, interpreter)
    try {
      const result = await interleave({ ours, peer }, { seconds: 60, most: 5 }, (line) => log(`${dtype}: ${line}`))
      const computed = result.ours[0]!.computedTokens
      const settings = { dtype, weights, 'tokens computed': `${computed} of ${SAMPLES * (PROMPT + RESPONSE)}` }
      const name = `${SAMPLES} x ${PROMPT + RESPONSE} tokens, ${PROMPT} of prompt, ${dtype}`
      const goal = { ratio: 1 / 0.75, memory: memoryGoal[dtype] }
      const peerName = dtype === 'float32' ? 'transformers' : 'transformers, all states bfloat16'
      return [await rowOf({ name, part: 'train-step', peerName, settings, goal }, result, { ours, peer })]
    } finally {
      await Promise.all([ours.close(), peer.close()])
    }
  }
}
