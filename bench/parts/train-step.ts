/** Forward, backward, clip and fused AdamW of SmolLM2-135M, eight responses to one prompt, against Hugging Face. */

import { Random } from '../../test/reference/random.ts'
import { interleave, rowOf } from '../compare.ts'
import { smolLm2Folder, VOCABULARY } from '../model-folder.ts'
import type { Context, Part } from '../part.ts'
import type { Row } from '../row.ts'
import { type Repetition, Side } from '../side.ts'
import type { TrainJob } from '../sides/policy.ts'

type DType = TrainJob['dtype']

const PROMPT = 32
const RESPONSE = 224
const SAMPLES = 8
const memoryGoal: Record<DType, number> = { float32: 0.5, bfloat16: 0.75 }
/** Of ours, one row each. */
const options: Record<DType, NonNullable<TrainJob['options']>[]> = {
  float32: [{}],
  // The second is for least memory: one micro-batch still.
  bfloat16: [{}, { activationBytes: 272 * 2 ** 20, gradientDtype: 'bfloat16' }],
}
/** seconds */
const PATIENCE = 60

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
    await using peer = await Side.start('peers/policy.py', job, interpreter)
    const rows: Row[] = []
    let known: Repetition | undefined
    // A peer that takes minutes is not run again for other options of ours.
    const run = async () => known ?? (await peer.run())
    for (const own of options[dtype]) {
      await using ours = await Side.start('sides/policy.ts', { ...job, options: own })
      const patience = { seconds: PATIENCE, most: 5 }
      const result = await interleave({ ours, peer: { run } }, patience, (line) => log(`${dtype}: ${line}`))
      if (result.peer[0]!.seconds > PATIENCE) known = result.peer[0]
      const computed = result.ours[0]!.computedTokens
      const settings = {
        dtype,
        weights,
        'tokens computed': `${computed} of ${SAMPLES * (PROMPT + RESPONSE)}`,
        ...(own.activationBytes && { activationBytes: `${own.activationBytes / 2 ** 20} MiB` }),
        ...(own.gradientDtype && { gradientDtype: own.gradientDtype }),
      }
      const name = `${SAMPLES} x ${PROMPT + RESPONSE} tokens, ${PROMPT} of prompt, ${dtype}`
      const goal = { ratio: 1 / 0.75, memory: memoryGoal[dtype] }
      const peerName = dtype === 'float32' ? 'transformers' : 'transformers, all states bfloat16'
      rows.push(await rowOf({ name, part: 'train-step', peerName, settings, goal }, result, { ours, peer }))
    }
    return rows
  }
}
