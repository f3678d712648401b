import test from 'ava'
import { parseArguments, UsageError } from '../../bench/arguments.ts'
import { interleave, timedRow } from '../../bench/compare.ts'
import { qwen2Config } from '../../bench/model-folder.ts'
import { parts } from '../../bench/parts/all.ts'
import { markdown, type Row, ratioOf } from '../../bench/row.ts'
import { fittedExponent, median } from '../../bench/statistics.ts'
import { expectedTensors } from '../../src/policy/check-tensors.ts'
import { modelShape } from '../../src/policy/model-config.ts'

test('the median, and the exponent of a power law', (t) => {
  t.is(median([9, 1, 2]), 2)
  t.is(median([4, 1, 2, 9]), 3)
  t.throws(() => median([]), { message: 'the median of no values' })
  const points = [1, 2, 4, 8].map((x) => ({ x, y: 5 * x ** 1.5 }))
  t.true(Math.abs(fittedExponent(points) - 1.5) < 1e-12)
  t.throws(() => fittedExponent([{ x: 1, y: 1 }]), { message: /two different sizes/ })
})

test('a ratio above 1 is a win, of seconds and of rates', (t) => {
  t.is(ratioOf(2, 6, 's'), 3)
  t.is(ratioOf(6, 2, 'tokens/s'), 3)
})

/** A side that takes these seconds, one after another, and writes its name down each time. */
function side(name: string, seconds: number[], order: string[]) {
  return {
    run: async () => {
      order.push(name)
      return { seconds: seconds.shift()! }
    },
  }
}

test('sides run in turns, the warm-up does not count, and a slow peer is not repeated', async (t) => {
  const order: string[] = []
  const sides = { ours: side('o', [9, 1, 2, 3], order), peer: side('p', [8, 4, 5, 6], order) }
  const comparison = await interleave(sides, { seconds: 1000, most: 3 })
  t.is(order.join(''), 'opopopop')
  t.deepEqual(comparison.ours, [{ seconds: 1 }, { seconds: 2 }, { seconds: 3 }])
  const row = timedRow({ name: 'n', part: 'p', peerName: 'q', settings: {} }, comparison, undefined, 100)
  t.like(row, { ours: 50, peer: 20, ratio: 2.5, unit: 'tokens/s', settings: { repetitions: 3 } })

  const slow = await interleave({ ours: side('o', [7, 1, 2], []), peer: side('p', [50], []) }, { seconds: 10, most: 5 })
  t.deepEqual(slow, { ours: [{ seconds: 1 }, { seconds: 2 }], peer: [{ seconds: 50 }] })
  t.like(timedRow({ name: 'n', part: 'p', peerName: 'q', settings: {} }, slow, undefined), {
    ratio: 50 / 1.5,
    settings: { repetitions: 2, 'of the peer': 1 },
  })
})

test('the table has a section a part, and says what is reached', (t) => {
  const row: Row = {
    ...{ name: 'a step', part: 'train-step', ours: 3, peer: 4.5, peerName: 'Hugging Face', ratio: 1.5, unit: 's' },
    ...{ memoryOurs: 2 ** 30, memoryPeer: 2 ** 31, settings: { dtype: 'float32' } },
    goal: { ratio: 4 / 3, memory: 0.4 },
  }
  const table = markdown([row, { ...row, part: 'other', goal: { ratio: 2 } }])
  t.deepEqual(table.match(/^## .*$/gm), ['## train-step', '## other'])
  t.regex(table, /\| a step \| 3 s \| 4.5 s \(Hugging Face\) \| 1.5x \| 1024 MiB \| 2048 MiB \|/)
  t.regex(table, /1.33x: reached; memory 0.4x: missed \(0.50x\)/)
  t.regex(table, /2x: missed/)
})

test('arguments: parts, cases, and errors that name what there is', (t) => {
  const parts = { head: ['small', 'large'], math: ['pairs'] }
  t.is(parseArguments([], parts).selected.length, 3)
  t.deepEqual(parseArguments(['head/large', 'head/large', 'math', '--json', 'x.json'], parts), {
    selected: [
      { part: 'head', name: 'large' },
      { part: 'math', name: 'pairs' },
    ],
    ...{ json: 'x.json', model: undefined, python: undefined, full: false, help: false },
  })
  const fails = (argv: string[], message: RegExp) =>
    t.throws(() => parseArguments(argv, parts), { instanceOf: UsageError, message })
  fails(['heads'], /unknown part 'heads', did you mean 'head'\?.*head, math/)
  fails(['head/medium'], /unknown case of head 'medium'.*small, large/)
  fails(['--fast'], /--fast/)
})

test('on a GPU there are the head, training and decoding, of a model with the parameters of Qwen2 1.5B', (t) => {
  t.deepEqual(Object.keys(parts.find(({ name }) => name === 'gpu')!.cases), ['head', 'train-step', 'decode'])
  const sizes = [...expectedTensors(modelShape(qwen2Config))].map(([, shape]) => shape.reduce((a, b) => a * b, 1))
  t.is(
    sizes.reduce((sum, size) => sum + size, 0),
    1_543_714_304,
  )
})
