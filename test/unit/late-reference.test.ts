import test from 'ava'
import type { Policy } from '../../src/policy/policy.ts'
import { LateReference } from '../../src/train/reference.ts'

test('a reference policy is loaded once, at its first use', async (t) => {
  const events: string[] = []
  const policy = { score: async () => 'scores', dispose: () => events.push('dispose') } as unknown as Policy
  const load = async () => {
    events.push('load')
    return policy
  }
  const unused = new LateReference(load)
  await unused.dispose()
  t.deepEqual(events, [])
  const used = new LateReference(load)
  const batch = {} as Parameters<Policy['score']>[0]
  t.deepEqual(await Promise.all([used.score(batch), used.score(batch)]), ['scores', 'scores'] as never)
  await used.dispose()
  t.deepEqual(events, ['load', 'dispose'])
})

test('where it can not be loaded, the step that needs it says why', async (t) => {
  const missing = new LateReference(() => Promise.reject(new Error('no such folder')))
  await t.throwsAsync(missing.score({} as never), { message: 'no such folder' })
  await t.notThrowsAsync(missing.dispose())
})
