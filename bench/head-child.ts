/** One side of the head's comparison, in a process of its own: head.ts sends the job and gets the measurement back. */

import { loadAddon } from '../src/native/load.ts'
import type { HeadInput, HeadOptions } from '../test/reference/head.ts'
import { Random } from '../test/reference/random.ts'
import { measure } from './measure.ts'
import { typedArrayHead } from './typed-array-head.ts'

export interface HeadJob {
  side: 'native float32' | 'native bfloat16' | 'typed arrays'
  tokens: number
  hiddenSize: number
  vocabSize: number
  repetitions: number
}

const options: HeadOptions = {
  temperature: 1,
  clipLow: 0.2,
  clipHigh: 0.2,
  entropyCoefficient: 0.001,
  klCoefficient: 0,
}

function createInput(tokens: number, hiddenSize: number, vocabSize: number): HeadInput<Float32Array> {
  const random = new Random(1)
  return {
    hidden: random.fill(new Float32Array(tokens * hiddenSize), 1),
    weight: random.fill(new Float32Array(vocabSize * hiddenSize), 2 / Math.sqrt(hiddenSize)),
    hiddenSize,
    targets: random.integers(tokens, vocabSize),
    advantages: random.fill(new Float32Array(tokens), 1),
    // Near the log-prob that such logits have on average.
    oldLogprobs: random.fill(new Float32Array(tokens), 0.2).map((noise) => noise - Math.log(vocabSize) - 2),
  }
}

function head(side: HeadJob['side']): (input: HeadInput<Float32Array>) => unknown {
  if (side === 'typed arrays') return (input) => typedArrayHead(input, options)
  const addon = loadAddon()
  const dtype = side === 'native bfloat16' ? 'bfloat16' : 'float32'
  return (input) => addon.head(input, { ...options, device: 'cpu', dtype })
}

process.once('message', async (message) => {
  const { side, tokens, hiddenSize, vocabSize, repetitions } = message as HeadJob
  const run = head(side)
  // Compiles the JavaScript, starts libtorch's threads: neither belongs to the measurement.
  const small = createInput(16, 64, 512)
  for (let i = 0; i < 20; i++) await run(small)
  const input = createInput(tokens, hiddenSize, vocabSize)
  const result = await measure(() => run(input), repetitions)
  process.send!(result, () => process.disconnect())
})
