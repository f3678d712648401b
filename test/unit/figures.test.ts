import test from 'ava'
import fc from 'fast-check'
import { evaluationMetrics } from '../../src/evaluate/evaluate.ts'
import { figures, type ProblemScore } from '../../src/evaluate/figures.ts'
import { majority } from '../../src/evaluate/majority.ts'
import { passAtK, reportedKs } from '../../src/evaluate/pass-at-k.ts'
import { resultsTable } from '../../src/evaluate/results-table.ts'

/** Exactly: the share of the subsets of k samples that hold a correct one, by counting them. */
function counted(n: number, c: number, k: number): number {
  let all = 0
  let solved = 0
  for (let subset = 0; subset < 1 << n; subset++) {
    if (subset.toString(2).replaceAll('0', '').length !== k) continue
    all++
    if ((subset & ((1 << c) - 1)) !== 0) solved++
  }
  return solved / all
}

test('pass@k is the share of all subsets of k samples with a correct one', (t) => {
  for (let n = 1; n <= 8; n++)
    for (let c = 0; c <= n; c++)
      for (let k = 1; k <= n; k++) t.true(Math.abs(passAtK(n, c, k) - counted(n, c, k)) < 1e-12, `${n} ${c} ${k}`)
})

test('pass@k stays exact where binomials overflow, grows with k, and is avg@k at 1', (t) => {
  t.true(Math.abs(passAtK(10_000, 1, 5000) - 0.5) < 1e-9)
  t.is(passAtK(4096, 0, 2048), 0)
  t.is(passAtK(4096, 4096, 1), 1)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), (n, seed) => {
      const c = seed % (n + 1)
      const values = Array.from({ length: n }, (_, i) => passAtK(n, c, i + 1))
      return Math.abs(values[0]! - c / n) < 1e-12 && values.every((value, i) => i === 0 || value >= values[i - 1]!)
    }),
  )
  t.throws(() => passAtK(4, 5, 1), { message: /expected whole numbers 0 <= c <= n/ })
  t.throws(() => passAtK(4, 1, 5), { instanceOf: RangeError })
})

test('k is reported in powers of two and for all samples', (t) => {
  t.deepEqual([1, 2, 6, 8].map(reportedKs), [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]])
})

const votes = (...answers: (string | undefined)[]) =>
  answers.map((answer) =>
    answer === undefined ? { correct: false } : { correct: answer.startsWith('+'), extracted: answer },
  )

test('the most frequent answer decides; ties count as the share of the right ones', async (t) => {
  t.is(await majority(votes('+5', '+5', '4')), 1)
  t.is(await majority(votes('+5', '4', '4')), 0)
  t.is(await majority(votes('+5', '4')), 1 / 2)
  t.is(await majority(votes('+5', '4', '3', '2')), 1 / 4)
  t.is(await majority(votes('3', '4')), 0)
  t.is(await majority(votes('+5', '+5.0', '4', '4')), 1 / 2, 'right answers are one, however they are written')
  t.is(await majority(votes('+5', undefined, undefined)), 1, 'who gives no answer has no vote')
  t.is(await majority(votes(undefined, undefined)), undefined)
  t.is(await majority([{ correct: true }, { correct: false }]), undefined)
})

test('wrong answers are joined by the verifier, and only where it matters', async (t) => {
  let asked = 0
  const sameNumber = async (a: string, b: string) => {
    asked++
    return Number(a) === Number(b)
  }
  t.is(await majority(votes('+5', '+5', '4', '4.0', '3'), sameNumber), 1 / 2)
  t.is(await majority(votes('+5', '+5', '4', '4.0', '4.00'), sameNumber), 0)
  t.is(await majority(votes('+5', '+5', '4', '3'), sameNumber), 1)
  asked = 0
  t.is(await majority(votes('+5', '+5', '+5', '4', '4.0'), sameNumber), 1)
  t.is(await majority(votes('7', '4', '4.0'), sameNumber), 0)
  t.is(asked, 0)
})

const score = (source: string, correct: number, majority?: number): ProblemScore => ({
  ...{ source, samples: 4, correct, majority, length: 10 * correct, truncated: 4 - correct },
})

test('figures are means over problems, by source too, as metrics and as a table', (t) => {
  const scores = [score('aime', 2, 1), score('aime', 0), score('gsm', 4, 0.5)]
  const all = figures(scores)
  all.passAt[2] = Number(all.passAt[2]!.toFixed(12))
  t.deepEqual(all, {
    ...{ problems: 3, samples: 4, accuracy: 0.5, majority: 0.5, meanLength: 20, truncated: 0.5 },
    passAt: { 1: 0.5, 2: 0.611111111111, 4: 2 / 3 },
  })
  const bySource = { aime: figures(scores.slice(0, 2)), gsm: figures(scores.slice(2)) }
  const result = { name: 'mixed', ...all, bySource, answers: [] }
  const metrics = evaluationMetrics(result)
  t.is(metrics['eval/mixed/avg@4'], 0.5)
  t.is(metrics['eval/mixed/pass@1'], 0.5)
  t.is(metrics['eval/mixed/maj@4'], 0.5)
  t.is(metrics['eval/mixed/aime/pass@4'], 0.5)
  t.is(metrics['eval/mixed/gsm/truncated'], 0)
  const single = evaluationMetrics({ ...result, bySource: { aime: all } })
  t.deepEqual(
    Object.keys(single).map((name) => name.replace('eval/mixed/', '')),
    ['avg@4', 'pass@1', 'pass@2', 'pass@4', 'maj@4', 'response_length', 'truncated'],
  )
  t.is(
    resultsTable([result]),
    [
      'set     problems   avg@4  pass@1  pass@2  pass@4   maj@4  length  truncated',
      'mixed          3  0.5000  0.5000  0.6111  0.6667  0.5000    20.0     50.0 %',
      '  aime         2  0.2500  0.2500  0.4167  0.5000  0.5000    10.0     75.0 %',
      '  gsm          1  1.0000  1.0000  1.0000  1.0000  0.5000    40.0      0.0 %',
    ].join('\n'),
  )
  t.is(figures([score('code', 1)]).majority, null)
  t.false('eval/code/maj@4' in evaluationMetrics({ ...result, ...figures([score('code', 1)]), name: 'code' }))
})
