import test from 'ava'
import { chiSquare, chiSquareCritical, keepOnly, softmax, topKSet, topPSet } from '../reference/statistics.ts'

test('critical values of the chi-square distribution at 0.999', (t) => {
  // From the usual tables; the approximation is good to 1.5 %.
  for (const [freedom, critical] of [
    [5, 20.515],
    [10, 29.588],
    [30, 59.703],
    [100, 149.449],
  ] as const) {
    t.true(Math.abs(chiSquareCritical(freedom) / critical - 1) <= 0.015)
  }
})

test('the chi-square statistic by hand', (t) => {
  const samples = [...Array(12).fill(0), ...Array(8).fill(1)]
  t.deepEqual(chiSquare(samples, [0.5, 0.5]), { statistic: 0.8, freedom: 1 })
  // The two rare outcomes are one bin: 2 of 4 expected.
  const rare = [...Array(10).fill(0), ...Array(8).fill(1), 2, 2]
  const { statistic, freedom } = chiSquare(rare, [0.4, 0.4, 0.1, 0.1])
  t.is(freedom, 2)
  t.true(Math.abs(statistic - (4 / 8 + 0 / 8 + 4 / 4)) <= 1e-12)
  t.is(chiSquare([1], [1, 0]).statistic, Number.POSITIVE_INFINITY)
})

test('the sets that top-k and top-p keep', (t) => {
  const p = [0.1, 0.4, 0.2, 0.3]
  t.deepEqual(topKSet(p, 2), new Set([1, 3]))
  t.deepEqual(topPSet(p, 0.4), new Set([1]))
  t.deepEqual(topPSet(p, 0.41), new Set([1, 3]))
  t.deepEqual(topPSet(p, 1), new Set([1, 3, 2, 0]))
  t.deepEqual(keepOnly([0.25, 0.25, 0.5], new Set([0, 2])), [1 / 3, 0, 2 / 3])
})

test('softmax at a temperature, without overflow', (t) => {
  const [low, high] = softmax([1000, 1001], 0.5)
  t.true(Math.abs(high! / low! - Math.exp(2)) <= 1e-9)
})
