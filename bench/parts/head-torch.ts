/**
 * The head's forward and backward against PyTorch: written as it usually is, and the three matrix products that nothing
 * can do without. The time is that of the head alone on both sides, measured inside the addon and inside Python; the memory is what
 * it needs beyond inputs and gradients.
 */

import { interleave, timedRow } from '../compare.ts'
import type { Context, Part } from '../part.ts'
import type { Goal, Row } from '../row.ts'
import { Side } from '../side.ts'
import type { HeadJob } from '../sides/head.ts'

type DType = 'float32' | 'bfloat16'

const size = { tokens: 1024, hiddenSize: 576, vocabSize: 49152 }

const peers: { peer: 'naive' | 'products'; peerName: string; goal: Record<DType, Goal> }[] = [
  {
    peer: 'naive',
    peerName: 'naive PyTorch',
    goal: { float32: { ratio: 1 / 0.75, memory: 0.1 }, bfloat16: { ratio: 1 / 0.75 } },
  },
  { peer: 'products', peerName: 'three bare products', goal: { float32: {}, bfloat16: { ratio: 1 / 1.25 } } },
]

export const headTorch: Part = {
  name: 'head-torch',
  about: 'the head against naive PyTorch and against three bare matrix products',
  cases: { float32: against('float32'), bfloat16: against('bfloat16') },
}

function against(dtype: DType) {
  return async ({ log, python }: Context): Promise<Row[]> => {
    const interpreter = await python()
    const rows: Row[] = []
    await using ours = await Side.start('sides/head.ts', {
      ...size,
      bare: true,
      side: `native ${dtype}`,
    } satisfies HeadJob)
    for (const { peer: kind, peerName, goal } of peers) {
      await using peer = await Side.start('peers/head.py', { ...size, dtype, kind }, interpreter)
      const say = (line: string) => log(`${dtype}, ${peerName}: ${line}`)
      const result = await interleave({ ours, peer }, { seconds: 40, most: 7 }, say)
      const most = (side: 'ours' | 'peer') => Math.max(...result[side].map((each) => each.extraMemory!))
      const name = `[${size.tokens}, ${size.hiddenSize}] x [${size.vocabSize}], ${dtype}, forward and backward`
      const text = { name, part: 'head-torch', peerName, settings: { dtype }, goal: goal[dtype] }
      rows.push(timedRow(text, result, { ours: most('ours'), peer: most('peer') }))
    }
    return rows
  }
}
