/**
 * Answers compared in mathematics, each pair once: through the pool of workers with its time limit, against the bare
 * comparison on one thread.
 */

import { readFileSync } from 'node:fs'
import { compareAnswers } from '../../src/verify/math/answer.ts'
import { Comparer } from '../../src/verify/math/comparer.ts'
import { ComparisonPool } from '../../src/verify/math/comparison-pool.ts'
import type { Context, Part } from '../part.ts'
import { type Row, ratioOf } from '../row.ts'
import { median } from '../statistics.ts'

const WORKERS = 2
const REPETITIONS = 3

export const math: Part = {
  name: 'math',
  about: 'mathematical answers, in the pool and without',
  cases: { pairs: compared },
}

async function compared({ log }: Context): Promise<Row[]> {
  const file = new URL('../../test/golden/math-pairs.tsv', import.meta.url)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const pairs = lines.map((line) => line.split('\t').slice(1) as [string, string])
  const pool = new ComparisonPool({ size: WORKERS })
  const pooled = async () => {
    // a new cache each time
    const comparer = new Comparer(pool)
    await Promise.all(pairs.map(([given, gold]) => comparer.compare(given, gold)))
  }
  const bare = async () => {
    for (const [given, gold] of pairs) compareAnswers(given, gold)
  }
  await pooled()
  await bare()
  const rates = { ours: [] as number[], peer: [] as number[] }
  for (let i = 0; i < REPETITIONS; i++) {
    rates.ours.push(await perSecond(pairs.length, pooled))
    rates.peer.push(await perSecond(pairs.length, bare))
    log(`${rates.ours.at(-1)!.toFixed(0)} and ${rates.peer.at(-1)!.toFixed(0)} comparisons/s`)
  }
  const [ours, peer] = [median(rates.ours), median(rates.peer)]
  const settings = { workers: WORKERS, repetitions: REPETITIONS, pairs: pairs.length }
  const names = { name: 'answers of every kind', part: 'math', peerName: 'one thread, no limit', unit: 'comparisons/s' }
  return [{ ...names, ours, peer, ratio: ratioOf(ours, peer, names.unit), settings }]
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return (count * 1000) / (performance.now() - begun)
}
