import test from 'ava'
import { loadAddon } from '../../src/native/load.ts'
import { relativeError, roundToBfloat16 } from '../reference/compare.ts'
import { Random } from '../reference/random.ts'

const addon = loadAddon()

/** x [n, in] W [out, in]^T in double. */
function expected(x: Float32Array, weight: Float32Array, inSize: number): Float64Array {
  const [n, out] = [x.length / inSize, weight.length / inSize]
  return Float64Array.from({ length: n * out }, (_, at) => {
    const [row, column] = [Math.floor(at / out) * inSize, (at % out) * inSize]
    let sum = 0
    for (let i = 0; i < inSize; i++) sum += x[row + i]! * weight[column + i]!
    return sum
  })
}

// Fewer rows than a tile, ends of tiles, blocks and vectors, an inner axis in several blocks, and many rows, which the
// library multiplies.
const shapes = [
  ...[1, 2, 3, 4, 5, 7, 8, 12, 13, 31, 32, 33, 64, 96, 97, 128, 129, 257].map((n) => [n, 40, 50] as const),
  ...[1, 2, 3, 5, 6, 7, 13, 16, 47, 48, 49, 100, 331].map((out) => [5, 40, out] as const),
  ...[6, 20].flatMap((n) =>
    [1, 2, 7, 8, 15, 16, 17, 31, 65, 767, 768, 769, 1536, 2000].map((inSize) => [n, inSize, 11] as const),
  ),
] as const

for (const dtype of ['float32', 'bfloat16'] as const) {
  test(`${dtype}: products of few and of many rows equal those in double`, async (t) => {
    const random = new Random(17)
    for (const [n, inSize, out] of shapes) {
      const round = (values: Float32Array) => (dtype === 'bfloat16' ? roundToBfloat16(values) : values)
      const x = round(random.fill(new Float32Array(n * inSize), 1))
      const weight = round(random.fill(new Float32Array(out * inSize), 1))
      const y = await addon.product({ x, weight, inSize, dtype })
      const error = relativeError(y, expected(x, weight, inSize))
      // libtorch rounds what comes out, where the inner axis is odd or the processor is not of x86.
      const rounds = inSize % 2 === 1 || process.arch !== 'x64'
      const bound = dtype === 'bfloat16' && rounds && n > 8 ? 5e-3 : 1e-6
      t.true(error <= bound, `[${n}, ${inSize}] x [${out}, ${inSize}]: ${error}`)
    }
  })
}

// Where there are 512-bit vectors, more than 12 rows of float32 go across their lanes.
for (const [dtype, most, counts] of [
  ['float32', 12, [1, 2, 3, 5, 11]],
  ['float32', 96, [13, 16, 17, 29, 32, 33, 64, 79]],
  ...(process.arch === 'x64' ? ([['bfloat16', 96, [1, 2, 3, 5, 9, 33, 64, 65]]] as const) : []),
] as const) {
  test(`${dtype}: a row does not depend on how many others there are, up to ${most}`, async (t) => {
    const random = new Random(18)
    const [inSize, out] = [834, 70]
    const x = random.fill(new Float32Array(most * inSize), 1)
    const weight = random.fill(new Float32Array(out * inSize), 1)
    const y = await addon.product({ x, weight, inSize, dtype })
    for (const n of counts) {
      const few = await addon.product({ x: x.slice(0, n * inSize), weight, inSize, dtype })
      t.deepEqual(few, y.slice(0, n * out), `${n} rows`)
    }
  })
}

test('not-a-number comes through', async (t) => {
  const x = new Float32Array(3 * 20).fill(1)
  x[25] = Number.NaN
  const y = await addon.product({ x, weight: new Float32Array(4 * 20).fill(1), inSize: 20, dtype: 'float32' })
  t.deepEqual(Array.from(y), [20, 20, 20, 20, NaN, NaN, NaN, NaN, 20, 20, 20, 20])
})
