/**
 * The loss path from hidden states: log-probs, entropies, clipped surrogate with entropy bonus, and the gradients of
 * the hidden states and of the weight. The native head, through the addon's call with its copies of the inputs and results,
 * against the same in plain TypeScript.
 */

import type { HeadJob } from './head-child.ts'
import { inChild, type Measurement, median } from './measure.ts'
import type { Row } from './row.ts'

const child = new URL('./head-child.ts', import.meta.url)

/** Repetitions of the native side and of the peer, whose largest size takes minutes. */
const sizes = [
  { tokens: 32, hiddenSize: 64, vocabSize: 1024, repetitions: { native: 50, peer: 10 } },
  { tokens: 128, hiddenSize: 256, vocabSize: 8192, repetitions: { native: 10, peer: 3 } },
  { tokens: 512, hiddenSize: 576, vocabSize: 49152, repetitions: { native: 3, peer: 1 } },
]

export async function headRows(log: (line: string) => void): Promise<Row[]> {
  const rows: Row[] = []
  for (const { repetitions, ...size } of sizes) {
    const run = async (side: HeadJob['side'], count: number) => {
      const result = await inChild<Measurement>(child, { side, ...size, repetitions: count })
      const seconds = median(result.seconds).toPrecision(3)
      log(`head: ${side}, ${size.tokens} x ${size.hiddenSize} x ${size.vocabSize}: ${seconds} s`)
      return result
    }
    const peer = await run('typed arrays', repetitions.peer)
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const ours = await run(`native ${dtype}`, repetitions.native)
      rows.push({
        name: `[${size.tokens}, ${size.hiddenSize}] x [${size.vocabSize}], ${dtype}`,
        part: 'head',
        ours: median(ours.seconds),
        peer: median(peer.seconds),
        peerName: 'plain TypeScript, float32',
        ratio: median(peer.seconds) / median(ours.seconds),
        unit: 's',
        memoryOurs: ours.memory,
        memoryPeer: peer.memory,
        settings: { dtype, repetitions: repetitions.native, repetitionsPeer: repetitions.peer },
      })
    }
  }
  return rows
}
