import test from 'ava'
import fc from 'fast-check'
import type { Prompt } from '../../src/data/prompt.ts'
import { PromptStream } from '../../src/data/prompt-stream.ts'
import { Random } from '../../src/data/random.ts'

const prompts = (count: number): Prompt[] =>
  Array.from({ length: count }, (_, i) => ({
    id: String(i),
    messages: [],
    tokenIds: Int32Array.of(i),
    answer: i,
    source: 'test',
    extra: {},
  }))
const ids = (batch: Prompt[]) => batch.map(({ id }) => id)

test('splitmix64 gives its published values', (t) => {
  const random = new Random(1234567)
  t.deepEqual(
    Array.from({ length: 5 }, () => random.next()),
    [6457827717110365317n, 3203168211198807973n, 9817491932198370423n, 4593380528125082431n, 16408922859458223821n],
  )
})

test('draws stay in their range and reach all of it evenly', (t) => {
  const random = new Random(7)
  const counts = new Array<number>(6).fill(0)
  for (let i = 0; i < 6000; i++) counts[random.below(6)]!++
  // 1000 expected each, standard deviation 29
  t.true(
    counts.every((count) => Math.abs(count - 1000) < 150),
    counts.join(),
  )
  let sum = 0
  for (let i = 0; i < 2000; i++) {
    const value = random.uniform()
    t.true(value >= 0 && value < 1)
    sum += value
  }
  t.true(Math.abs(sum / 2000 - 0.5) < 0.04)
})

test('every epoch hands out every prompt once, in an order of its own', (t) => {
  const stream = new PromptStream(prompts(20), { seed: 3 })
  const epochs = [stream.next(20), stream.next(20), stream.next(20)].map(ids)
  for (const epoch of epochs) t.is(new Set(epoch).size, 20)
  t.notDeepEqual(epochs[0], epochs[1])
  t.notDeepEqual(epochs[1], epochs[2])
})

test('the order follows from the seed alone', (t) => {
  const first = ids(new PromptStream(prompts(20), { seed: 3 }).next(50))
  t.deepEqual(ids(new PromptStream(prompts(20), { seed: 3 }).next(50)), first)
  t.notDeepEqual(ids(new PromptStream(prompts(20), { seed: 4 }).next(50)), first)
  // a change here changes every run: fixed once and for all
  t.deepEqual(ids(new PromptStream(prompts(8), { seed: 0 }).next(8)), ORDER)
})

test('a neighbouring seed does not begin with the next epoch of this one', (t) => {
  const [, second] = [0, 1].map((seed) => new PromptStream(prompts(20), { seed })).map((stream) => ids(stream.next(40)))
  const own = ids(new PromptStream(prompts(20), { seed: 0 }).next(40))
  t.notDeepEqual(own.slice(20), second!.slice(0, 20))
})

test('a restored stream goes on exactly where the saved one stood', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer(),
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 30 }),
      (count, seed, before, after) => {
        const stream = new PromptStream(prompts(count), { seed })
        for (const size of before) stream.next(size)
        const resumed = new PromptStream(prompts(count), { seed })
        resumed.restore(JSON.parse(JSON.stringify(stream.state())))
        return JSON.stringify(ids(stream.next(after))) === JSON.stringify(ids(resumed.next(after)))
      },
    ),
  )
  t.pass()
})

test('more prompts than there are go on into the next epoch', (t) => {
  const stream = new PromptStream(prompts(3), { seed: 1 })
  const batch = ids(stream.next(7))
  t.deepEqual([...batch.slice(0, 3)].sort(), ['0', '1', '2'])
  t.deepEqual([...batch.slice(3, 6)].sort(), ['0', '1', '2'])
  t.deepEqual(stream.state(), { parts: [{ weight: 1, drawn: 7 }] })
})

test('bad use is named', (t) => {
  t.throws(() => new PromptStream([], { seed: 1 }), { message: /prompts is empty/ })
  t.throws(() => new PromptStream(prompts(1), { seed: 0.5 }), { message: /seed is 0.5/ })
  const stream = new PromptStream(prompts(3), { seed: 1 })
  t.throws(() => stream.next(0), { message: /count is 0/ })
  t.throws(() => stream.restore({ parts: [{ weight: 1, drawn: -1 }] }), { message: /drawn is -1/ })
  t.throws(() => stream.restore({ parts: [{ weight: 2, drawn: 1 }] }), {
    message: /its weights are 2, those of the data 1: resume with the data of the saved run/,
  })
  t.throws(() => new PromptStream(prompts(1), { seed: 1, epochs: 0 }), { message: /epochs is 0/ })
  t.throws(() => new PromptStream(mixture({ a: [2, 0] }), { seed: 1 }), { message: /weight of 'a' is 0/ })
  t.throws(() => new PromptStream([...mixture({ a: [1, 1] }), ...prompts(1)], { seed: 1 }), {
    message: /only some prompts have a mixture/,
  })
  t.throws(() => new PromptStream([...mixture({ a: [1, 1] }), ...mixture({ a: [1, 2] })], { seed: 1 }), {
    message: /weight of 'a' is 1 and 2/,
  })
})

/** Parts by name: how many prompts, of which weight. */
const mixture = (parts: Record<string, [count: number, weight: number]>): Prompt[] =>
  Object.entries(parts).flatMap(([part, [count, weight]]) =>
    prompts(count).map((prompt) => ({ ...prompt, id: `${part}${prompt.id}`, mixture: { part, weight } })),
  )

test('a mixture draws each part as its weight says, and every prompt of a part equally often', (t) => {
  const stream = new PromptStream(mixture({ a: [5, 3], b: [40, 1] }), { seed: 2 })
  const drawn = ids(stream.next(400))
  const count = (start: string) => drawn.filter((id) => id.startsWith(start)).length
  t.deepEqual([count('a'), count('b')], [300, 100])
  for (let i = 0; i < 5; i++) t.is(drawn.filter((id) => id === `a${i}`).length, 60)
  t.is(new Set(drawn.filter((id) => id.startsWith('b')).slice(0, 40)).size, 40)
  // Each part in an order of its own, which another seed changes.
  const order = (seed: number, part: string) =>
    ids(new PromptStream(mixture({ a: [9, 1], b: [9, 1] }), { seed }).next(18))
      .filter((id) => id.startsWith(part))
      .map((id) => id.slice(1))
  t.notDeepEqual(order(2, 'a'), order(2, 'b'))
  t.notDeepEqual(order(2, 'b'), order(3, 'b'))
})

const weights = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.double({ min: 0.05, max: 20, noNaN: true })), {
  minLength: 1,
  maxLength: 5,
})

test('at any point the draws of a mixture follow its weights, and a restored one goes on', (t) => {
  fc.assert(
    fc.property(weights, fc.integer(), fc.integer({ min: 1, max: 60 }), (parts, seed, count) => {
      const all = mixture(Object.fromEntries(parts.map((part, index) => [`${'abcde'[index]}`, part])))
      const stream = new PromptStream(all, { seed })
      stream.next(count)
      const state = stream.state()
      const total = parts.reduce((sum, [, weight]) => sum + weight, 0)
      const near = parts.every(
        ([, weight], index) => Math.abs(state.parts[index]!.drawn - (count * weight) / total) <= parts.length / 2 + 0.5,
      )
      const resumed = new PromptStream(all, { seed })
      resumed.restore(JSON.parse(JSON.stringify(state)))
      return near && JSON.stringify(ids(resumed.next(30))) === JSON.stringify(ids(stream.next(30)))
    }),
  )
  t.pass()
})

test('epochs end the stream, also for a restored one', (t) => {
  const stream = new PromptStream(prompts(3), { seed: 1, epochs: 2 })
  t.is(stream.remaining, 6)
  t.is(stream.next(4).length, 4)
  const resumed = new PromptStream(prompts(3), { seed: 1, epochs: 2 })
  resumed.restore(stream.state())
  for (const each of [stream, resumed]) {
    t.is(each.remaining, 2)
    t.is(each.next(4).length, 2)
    t.deepEqual(each.next(4), [])
  }
  t.is(new PromptStream(prompts(3), { seed: 1 }).remaining, Number.POSITIVE_INFINITY)
  t.is(new PromptStream(mixture({ a: [2, 3], b: [6, 1] }), { seed: 1, epochs: 1 }).next(99).length, 8)
})

const ORDER = ['3', '5', '0', '2', '4', '7', '6', '1']
