/** Our side of the head's comparisons, and the plain TypeScript one. */

import type { Device } from '../../src/native/contract.ts'
import { loadAddon } from '../../src/native/load.ts'
import type { HeadInput, HeadOptions } from '../../test/reference/head.ts'
import { Random } from '../../test/reference/random.ts'
import { serve, type Work } from './serve.ts'
import { typedArrayHead } from './typed-array-head.ts'

export interface HeadJob {
  side: 'native float32' | 'native bfloat16' | 'typed arrays'
  /** of the native ones, the CPU unless given */
  device?: Device
  /** true: the head alone, measured inside the addon; else the whole call with its copies of inputs and results */
  bare: boolean
  tokens: number
  hiddenSize: number
  vocabSize: number
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

async function work(
  { side, device = 'cpu', bare, tokens, hiddenSize, vocabSize }: HeadJob,
  countMemory: () => void,
): Promise<Work> {
  const small = createInput(16, 64, 512)
  if (side === 'typed arrays') {
    // Compiles the JavaScript.
    for (let i = 0; i < 20; i++) typedArrayHead(small, options)
    const input = createInput(tokens, hiddenSize, vocabSize)
    countMemory()
    return {
      async run() {
        typedArrayHead(input, options)
        return undefined
      },
    }
  }
  const addon = loadAddon()
  const native = { ...options, device, dtype: side === 'native bfloat16' ? 'bfloat16' : 'float32' } as const
  for (let i = 0; i < 20; i++) await addon.head(small, native)
  const input = createInput(tokens, hiddenSize, vocabSize)
  countMemory()
  const facts = addon.versions()
  return {
    facts,
    async run() {
      if (!bare) {
        await addon.head(input, native)
        return undefined
      }
      // The first of the two meets memory that the call before gave back.
      const { seconds, extraMemoryBytes } = await addon.head(input, { ...native, repetitions: 2 })
      return { seconds: seconds[1]!, extraMemory: extraMemoryBytes }
    },
  }
}

serve(work)
