import test from 'ava'
import { typedArrayHead } from '../../bench/sides/typed-array-head.ts'
import { relativeError } from '../reference/compare.ts'
import { type HeadInput, type HeadOptions, headReference } from '../reference/head.ts'
import { Random } from '../reference/random.ts'

const options: HeadOptions = {
  temperature: 0.8,
  clipLow: 0.2,
  clipHigh: 0.28,
  entropyCoefficient: 0.1,
  klCoefficient: 0.1,
}

for (const [N, V, H] of [
  [1, 5, 3],
  [4, 7, 2],
  [13, 101, 16],
] as const) {
  test(`the benchmark's peer equals the slow twin: ${N} tokens, hidden ${H}, vocabulary ${V}`, (t) => {
    const random = new Random(N)
    const input: HeadInput<Float32Array> = {
      hidden: random.fill(new Float32Array(N * H), 1),
      weight: random.fill(new Float32Array(V * H), 1),
      hiddenSize: H,
      targets: random.integers(N, V),
      advantages: random.fill(new Float32Array(N), 1),
    }
    const { logprobs } = headReference(input, options)
    input.oldLogprobs = logprobs.map((logprob) => logprob + 0.5 * Math.sign(random.normal()))
    input.referenceLogprobs = logprobs.map((logprob) => logprob + 0.5 * random.normal())
    const expected = headReference(input, options)
    const actual = typedArrayHead(input, options)
    t.true(Math.abs(actual.loss - expected.loss) <= 1e-5)
    for (const name of ['logprobs', 'entropy', 'hiddenGradient', 'weightGradient'] as const) {
      const error = relativeError(actual[name], expected[name])
      t.true(error <= 1e-5, `${name}: relative error ${error}`)
    }
  })
}
