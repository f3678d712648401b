import test from 'ava'
import fc from 'fast-check'
import { type AdvantageMask, groupAdvantages, isDegenerate } from '../../src/advantage/group-advantage.ts'
import { summariseGroups } from '../../src/advantage/reject.ts'

const rewards = [1, 0, 0, 1]
const truncated = [false, false, true, false]
const none = (count: number) => new Array<boolean>(count).fill(false)

const worked: [AdvantageMask, number[]][] = [
  ['none', [0.866024, -0.866024, -0.866024, 0.866024]],
  ['before', [0.577349, -1.154699, 0, 0.577349]],
  ['after', [0.866024, -0.866024, 0, 0.866024]],
]
for (const [mask, expected] of worked) {
  test(`mask ${mask}: the worked example`, (t) => {
    const advantages = groupAdvantages(rewards, truncated, { mask, divideByStd: true })
    t.is(advantages.length, 4)
    for (const [i, value] of expected.entries())
      t.true(Math.abs(advantages[i]! - value) < 1e-6, `${i}: ${advantages[i]}`)
  })
}

test('without the division the advantage is the centred reward', (t) => {
  t.deepEqual([...groupAdvantages(rewards, none(4), { mask: 'none', divideByStd: false })], [0.5, -0.5, -0.5, 0.5])
  const before = groupAdvantages(rewards, truncated, { mask: 'before', divideByStd: false })
  t.true(Math.abs(before[0]! - 1 / 3) < 1e-12)
  t.is(before[2], 0)
})

test('equal rewards give exact zeros, also where their mean rounds', (t) => {
  // (0.1 + 0.1 + 0.1) / 3 is not 0.1 in floating point
  const advantages = groupAdvantages([0.1, 0.1, 0.1], none(3), { mask: 'none', divideByStd: true })
  t.deepEqual([...advantages], [0, 0, 0])
  t.true(isDegenerate(advantages))
})

test('a group of one is degenerate', (t) => {
  t.deepEqual([...groupAdvantages([1], [false], { mask: 'none', divideByStd: true })], [0])
})

test('before with fewer than two usable responses is degenerate; after is not', (t) => {
  const cut = [false, true, true]
  t.true(isDegenerate(groupAdvantages([1, 0, 0], cut, { mask: 'before', divideByStd: true })))
  const after = groupAdvantages([1, 0, 0], cut, { mask: 'after', divideByStd: true })
  t.false(isDegenerate(after))
  t.deepEqual([after[1], after[2]], [0, 0])
})

test('bad groups are named', (t) => {
  const options = { mask: 'none', divideByStd: true } as const
  t.throws(() => groupAdvantages([1, Number.NaN], none(2), options), { message: /rewards\[1\] is NaN.*finite/ })
  t.throws(() => groupAdvantages([Number.POSITIVE_INFINITY], none(1), options), { message: /rewards\[0\] is Infinity/ })
  t.throws(() => groupAdvantages([1, 0], none(3), options), { message: /2 values but truncated has 3/ })
  t.throws(() => groupAdvantages([], [], options), { message: /empty/ })
  t.throws(() => groupAdvantages([1e308, -1e308], none(2), options), { message: /too large/ })
})

test('advantages sum to zero, keep the order of rewards and ignore a shift', (t) => {
  const group = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 32 })
  fc.assert(
    fc.property(group, fc.integer({ min: -20, max: 20 }), (values, shift) => {
      const options = { mask: 'none', divideByStd: true } as const
      const advantages = groupAdvantages(values, none(values.length), options)
      const shifted = groupAdvantages(
        values.map((value) => value + shift),
        none(values.length),
        options,
      )
      const sum = advantages.reduce((total, value) => total + value, 0)
      return (
        Math.abs(sum) < 1e-8 &&
        values.every((value, i) => values.every((other, j) => !(value > other) || advantages[i]! > advantages[j]!)) &&
        advantages.every((value, i) => Math.abs(value - shifted[i]!) < 1e-8)
      )
    }),
  )
  t.pass()
})

test('summariseGroups counts solved, unsolved and kept groups', (t) => {
  const options = { mask: 'none', divideByStd: true } as const
  const group = (values: number[]) => ({
    correct: values.map((value) => value === 1),
    advantages: groupAdvantages(values, none(values.length), options),
  })
  t.deepEqual(summariseGroups([group([1, 1]), group([0, 0]), group([1, 0]), group([0, 1])]), {
    solveAll: 0.25,
    solveNone: 0.25,
    kept: 0.5,
  })
  // a shaped reward: no response correct, yet one better than the other
  t.deepEqual(summariseGroups([group([0.1, 0])]), { solveAll: 0, solveNone: 1, kept: 1 })
  t.deepEqual(summariseGroups([]), { solveAll: 0, solveNone: 0, kept: 0 })
})
