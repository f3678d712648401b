import test from 'ava'
import { grader, sandboxWorks } from '../unit/code-answer.ts'
import { comparisons, HANDS_AN_OBJECT, intrusions, PATCHES_AND_RESTORES, SAYS_YES } from './hostile-shared.ts'

const run = (await sandboxWorks()) ? test.serial : test.serial.skip
const grade = grader({ limits: { secondsPerTest: 5 } })
const truth = { test_code: HANDS_AN_OBJECT, entry_point: 'f' }

run('in one process with its tests an honest answer passes', async (t) => {
  t.like(await grade('def f(box): return box.value() + 34', truth), { reward: 1, isolation: 'shared' })
  t.like(await grade('def f(box): return box.value()', truth), {
    ...{ reward: 0, isolation: 'shared' },
    reason:
      'test 1 of 1: assertion failed: assert near(candidate(Box()), 41); in one process with the tests, ' +
      'as the tests give the answer a Box, which is no plain data',
  })
})

run('and none of these earns a reward', async (t) => {
  t.timeout(300_000)
  const names = Object.keys(intrusions)
  const verdicts = await Promise.all(names.map((name) => grade(intrusions[name]!, truth)))
  if (process.env.VERBOSE) for (const [i, name] of names.entries()) t.log(`${name}: ${verdicts[i]!.reason}`)
  t.deepEqual(
    names.filter((_, i) => verdicts[i]!.reward !== 0),
    [],
  )
  t.deepEqual(
    names.filter((_, i) => verdicts[i]!.isolation !== 'shared'),
    ['ends while it is read'], // before a test has begun
  )
})

run('the loops of the tests go on', async (t) => {
  const loop = `class Box: pass\ndef check(candidate):\n    for y, z in zip(map(candidate, [Box()]), [41]): assert y == z`
  t.like(await grade('def f(box): raise StopIteration', { test_code: loop, entry_point: 'f' }), { reward: 0 })
})

run('a library that compares for the tests is not told that all is equal', async (t) => {
  const box = 'class Box:\n    def value(self): return 7\n'
  for (const [name, body] of Object.entries(comparisons)) {
    const indented = body.replaceAll('\n', '\n    ')
    const own = { test_code: `${box}def check(candidate):\n    ${indented}`, entry_point: 'f' }
    const verdict = await grade(SAYS_YES, own)
    t.like(verdict, { reward: 0, isolation: 'shared' }, name)
    if (name === 'an order') continue
    t.is((await grade('def f(box): return box.value() + 34', own)).reward, 1, name)
  }
})

run('nor by a class of the tests that is patched for one comparison', async (t) => {
  const own = {
    test_code:
      'class Box: pass\ndef check(candidate):\n    assert candidate(Box()) == 41\n    assert candidate(Box()) == Box()',
    entry_point: 'f',
  }
  t.like(await grade(PATCHES_AND_RESTORES, own), { reward: 0, isolation: 'shared' })
})

run('objects of the answer keep what they say among themselves', async (t) => {
  const vector =
    'class V:\n  def __init__(self, x): self.x = x\n  def __eq__(self, o): return self.x == o.x\n  def __mul__(self, k): return V(self.x * k)\n  def __matmul__(self, o): return self.x * o.x\n  def __lt__(self, o): return self.x < o.x'
  const source =
    'class Own: n = 3\nassert V(Own()).x.n == 3\nassert V(1) * 3 == V(3) and V(2) @ V(3) == 6 and sorted([V(2), V(1)])[0] == V(1)\nassert V(1) != V(2)'
  t.like(await grade(vector, { assert_case: [source] }), { reward: 1, isolation: 'shared' })
})
