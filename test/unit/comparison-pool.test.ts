import test from 'ava'
import type { Comparison } from '../../src/verify/math/answer.ts'
import { Comparer } from '../../src/verify/math/comparer.ts'
import { type CompareJob, ComparisonPool } from '../../src/verify/math/comparison-pool.ts'

const job = (given: string, gold: string): CompareJob => ({ given, gold, options: {} })
const powers = Array.from({ length: 190 }, (_, i) => `x^{.${i + 101}}`)
/** Each of 190 powers against each other: about a second. */
const slow = job(powers.join(','), powers.toReversed().join(',').replace('x^{.290}', 'x^{.3}'))

test('a comparison over the limit is ended; the others and those after it are answered', async (t) => {
  // The limit follows from this machine's pace: far below the slow ones, far above the others.
  const free = new ComparisonPool({ size: 1, timeoutMs: 600_000 })
  await free.compare(job('\\sqrt8', '2\\sqrt2'))
  const start = performance.now()
  t.is((await free.compare(slow)).reason, 'not the same value')
  const timeoutMs = 100 * Math.ceil((performance.now() - start) / 300)
  const pool = new ComparisonPool({ size: 2, timeoutMs })
  const jobs = [slow, job('2\\sqrt2', '\\sqrt8'), slow, job('\\sqrt2', '\\sqrt8'), job('x(x+1)', 'x^2+x')]
  const outcomes = await Promise.all(jobs.map((each) => pool.compare(each)))
  t.deepEqual(
    outcomes.map(({ equal }) => equal),
    [false, true, false, false, true],
  )
  for (const at of [0, 2]) t.is(outcomes[at]!.reason, `no result within ${timeoutMs / 1000} s`)
  t.true((await pool.compare(job('\\frac{1}{\\sqrt2}', '\\frac{\\sqrt2}{2}'))).equal)
})

test('hostile answers are answered within the limit and leave the pool healthy', async (t) => {
  const pool = new ComparisonPool({ size: 1 })
  const hostile = [
    `${'9^{'.repeat(35)}9${'}'.repeat(35)}`,
    '10^{10^{10^{10}}}',
    '99999999!',
    '((((9!)!)!)!)!',
    '\\binom{999999999}{500000000}',
    `${'\\frac{1}{1+'.repeat(200)}x${'}'.repeat(200)}`,
    `${'('.repeat(900)}${')'.repeat(900)}`,
    `${'((x+1)^{99}+1)^{99}'.repeat(90)}`,
    `${'\\sin('.repeat(300)}x${')'.repeat(300)}`,
    `e^{e^{e^{e^{99}}}}`,
    `\\sin(10^{5000})`,
    `0.${'1'.repeat(1900)}\\overline{3}`,
    `1e9999`,
    `x_{${'1'.repeat(1900)}}`,
    `${'\\begin{pmatrix}'.repeat(100)}`,
    `${'|x'.repeat(800)}`,
    `${'-'.repeat(1900)}5`,
    '\\frac{'.repeat(14_000),
    `\\boxed{${'1+'.repeat(50_000)}1}`,
  ]
  for (const answer of hostile) {
    for (const gold of ['5', 'x^2', '(0,1)']) {
      const { equal, reason } = await pool.compare(job(answer, gold))
      t.false(equal, answer.slice(0, 40))
      t.notRegex(reason, /no result|worker/, answer.slice(0, 40))
    }
  }
  t.true((await pool.compare(job('2\\sqrt2', '\\sqrt8'))).equal)
})

test('what is compared once is remembered, and plain numbers and texts need no worker', async (t) => {
  const jobs: CompareJob[] = []
  const result: Comparison = { equal: true, reason: 'the same value' }
  const pool = { compare: async (each: CompareJob) => jobs.push(each) && result } as unknown as ComparisonPool
  const comparer = new Comparer(pool)
  t.true((await comparer.compare('2\\sqrt2', '\\sqrt8')).equal)
  t.true((await comparer.compare('2\\sqrt2', '\\sqrt8')).equal)
  t.is(jobs.length, 1)
  await comparer.compare('2\\sqrt2', '\\sqrt8', { precision: 3 })
  t.is(jobs.length, 2)
  t.true((await comparer.compare('\\frac{1}{2}', '0.5')).equal)
  t.false((await comparer.compare('6', '5')).equal)
  t.true((await comparer.compare('\\text{Yes}', 'yes')).equal)
  t.is(jobs.length, 2)
})
