/**
 * How the cost of a training step grows: the exponent fitted to its times, against the one fitted to the arithmetic it
 * has to do at the same sizes. Above the expected one something grows that should not; below it the small sizes have
 * costs of their own. A small model (4 layers, hidden 256), so that it takes minutes.
 */

import type { Context, Part } from '../part.ts'
import type { Row } from '../row.ts'
import { Side } from '../side.ts'
import { fittedExponent, median } from '../statistics.ts'
import { operations, type StepShape } from '../step-shape.ts'

const REPETITIONS = 3
const base: StepShape = { vocabulary: 8192, prompts: 4, samples: 1, promptTokens: 16, responseTokens: 240 }

interface Axis {
  name: string
  sizes: number[]
  shape(size: number): StepShape
}

const axes: Record<string, Axis> = {
  length: {
    name: 'tokens of one sequence',
    sizes: [256, 512, 1024, 2048, 4096],
    shape: (size) => ({ ...base, prompts: 1, responseTokens: size - base.promptTokens }),
  },
  batch: {
    name: 'sequences of 256 tokens',
    sizes: [1, 2, 4, 8, 16],
    shape: (size) => ({ ...base, prompts: size }),
  },
  group: {
    name: 'responses of 64 tokens to one prompt of 256',
    sizes: [2, 4, 8, 16, 32],
    shape: (size) => ({ ...base, prompts: 1, samples: size, promptTokens: 256, responseTokens: 64 }),
  },
  vocabulary: {
    name: 'vocabulary, 4 sequences of 256 tokens',
    sizes: [4096, 8192, 16384, 32768, 65536],
    shape: (size) => ({ ...base, vocabulary: size }),
  },
}

export const scaling: Part = {
  name: 'scaling',
  about: 'exponents of the cost of a training step over length, batch, group size and vocabulary',
  cases: Object.fromEntries(Object.entries(axes).map(([name, axis]) => [name, (context) => measured(axis, context)])),
}

async function measured({ name, sizes, shape }: Axis, { log }: Context): Promise<Row[]> {
  const points: { size: number; seconds: number; operations: number }[] = []
  for (const size of sizes) {
    await using side = await Side.start('sides/scaling.ts', shape(size))
    await side.run()
    const seconds: number[] = []
    for (let i = 0; i < REPETITIONS; i++) seconds.push((await side.run()).seconds)
    points.push({ size, seconds: median(seconds), operations: operations(shape(size)) })
    log(`${name}: ${size}: ${median(seconds).toPrecision(3)} s`)
  }
  const ours = fittedExponent(points.map(({ size, seconds }) => ({ x: size, y: seconds })))
  const peer = fittedExponent(points.map((point) => ({ x: point.size, y: point.operations })))
  const settings = Object.fromEntries(points.map(({ size, seconds }) => [size, `${seconds.toPrecision(3)} s`]))
  const text = { name, part: 'scaling', peerName: 'of the arithmetic', unit: 'exponent' }
  return [{ ...text, ours, peer, ratio: peer / ours, settings: { ...settings, repetitions: REPETITIONS } }]
}
