import test from 'ava'
import { grader, sandboxWorks } from '../unit/code-answer.ts'
import { HANDS_AN_OBJECT, intrusions } from './hostile-shared.ts'

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
