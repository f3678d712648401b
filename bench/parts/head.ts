/**
 * The loss path from hidden states: log-probs, entropies, clipped surrogate with entropy bonus, and the gradients of the
 * hidden states and of the weight. The native head, through the addon's call with its copies of the inputs and results,
 * against the same in plain TypeScript.
 */

import { interleave, rowOf } from '../compare.ts'
import type { Context, Part } from '../part.ts'
import type { Row } from '../row.ts'
import { Side } from '../side.ts'
import type { HeadJob } from '../sides/head.ts'

type Size = Pick<HeadJob, 'tokens' | 'hiddenSize' | 'vocabSize'>

export const head: Part = {
  name: 'head',
  about: 'the loss path, native against plain TypeScript',
  cases: {
    small: comparison({ tokens: 32, hiddenSize: 64, vocabSize: 1024 }),
    medium: comparison({ tokens: 128, hiddenSize: 256, vocabSize: 8192 }),
    // The peer takes most of a minute each time.
    large: comparison({ tokens: 512, hiddenSize: 576, vocabSize: 49152 }, 40),
  },
}

function comparison(size: Size, goal?: number) {
  return async ({ log }: Context): Promise<Row[]> => {
    const rows: Row[] = []
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const job = { bare: false, ...size }
      await using ours = await Side.start('sides/head.ts', { ...job, side: `native ${dtype}` } satisfies HeadJob)
      await using peer = await Side.start('sides/head.ts', { ...job, side: 'typed arrays' } satisfies HeadJob)
      const result = await interleave({ ours, peer }, { seconds: 2, most: 30 }, (line) => log(`${dtype}: ${line}`))
      const name = `[${size.tokens}, ${size.hiddenSize}] x [${size.vocabSize}], ${dtype}`
      const text = { name, part: 'head', peerName: 'plain TypeScript, float32', settings: { dtype } }
      rows.push(await rowOf({ ...text, ...(goal && { goal: { ratio: goal } }) }, result, { ours, peer }))
    }
    return rows
  }
}
