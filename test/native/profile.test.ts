import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { Profile } from '../../src/metrics/profile.ts'
import { Policy } from '../../src/policy/policy.ts'
import { completed } from './run-process.ts'
import { batch, config, prompt, temporaryFolder } from './tiny.ts'
import { tinyRun } from './tiny-run.ts'

interface Event {
  name: string
  ph: string
  pid: number
  tid: number
  ts: number
  dur: number
  id?: number
  args?: { name?: string }
}

async function eventsOf(path: string): Promise<Event[]> {
  return (JSON.parse(await readFile(path, 'utf8')) as { traceEvents: Event[] }).traceEvents
}

/** Spans of a thread that overlap with one another, but neither holds the other; a microsecond is rounding. */
function crossing(spans: readonly Event[]): string[] {
  const slack = 1
  const open: Event[] = []
  const found: string[] = []
  for (const span of [...spans].sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    while (open.length > 0 && open.at(-1)!.ts + open.at(-1)!.dur <= span.ts + slack) open.pop()
    const outer = open.at(-1)
    if (outer && span.ts + span.dur > outer.ts + outer.dur + slack) found.push(`${span.name} ends after ${outer.name}`)
    open.push(span)
  }
  return found
}

const within = (inner: Event, outer: Event) =>
  inner.ts >= outer.ts - 1 && inner.ts + inner.dur <= outer.ts + outer.dur + 1

test.serial('train --profile writes a trace of the second step', async (t) => {
  const { folder, config } = await tinyRun(t, 'evaluation: { data: rows.jsonl, samples: 1, every: 1 }\n')
  const trace = join(folder, 'trace.json')
  await completed(t, 'train', '-c', config, 'steps=3', 'checkpointEvery=1', '--profile', trace)
  const events = await eventsOf(trace)
  const named = events.filter(({ ph, name }) => ph === 'M' && name === 'thread_name')
  const threads = new Map(named.map(({ tid, args }) => [args!.name, tid]))
  t.deepEqual([...threads.keys()], ['TypeScript', 'torch'])
  const spans = (thread: string) => events.filter(({ ph, tid }) => ph === 'X' && tid === threads.get(thread))
  const names = (thread: string) => new Set(spans(thread).map(({ name }) => name))
  for (const name of ['step', 'rollout', 'verify', 'advantages', 'update', 'evaluate', 'checkpoint'])
    t.true(names('TypeScript').has(name), name)
  const native = 'generate prefill decode sample logits forward backward attention head optimizer snapshot'
  for (const name of [...native.split(' '), 'layer forward', 'layer backward', 'attention backward', 'kv write'])
    t.true(names('torch').has(name), name)
  for (const thread of threads.keys()) t.deepEqual(crossing(spans(thread!)), [], `${thread} nests`)

  const one = (name: string) => spans('TypeScript').filter((span) => span.name === name)
  t.is(one('step').length, 1, 'one step')
  const [step] = one('step')
  const [update] = one('update')
  const gradients = spans('torch').filter(({ name }) => name === 'gradients')
  t.is(gradients.length, 1)
  t.true(within(gradients[0]!, update!), 'both threads are on one clock')
  for (const span of spans('torch')) t.true(within(span, step!), span.name)
  const phases = ['rollout', 'verify', 'update', 'evaluate', 'checkpoint'].flatMap(one)
  const total = phases.reduce((sum, { dur }) => sum + dur, 0)
  t.true(total <= step!.dur && phases.every(({ dur }) => dur > 0), `phases ${total} of ${step!.dur} us`)
  const layers = spans('torch').filter((span) => span.name === 'layer backward' && within(span, gradients[0]!))
  t.is(layers.length % 2, 0, 'two layers')

  const begun = events.filter(({ ph }) => ph === 'b')
  t.is(begun.filter(({ name }) => name === 'verify group').length, 4, 'each group')
  t.deepEqual(
    begun.map(({ id }) => id),
    events
      .filter(({ ph }) => ph === 'e')
      .map(({ id }) => id)
      .sort((a, b) => a! - b!),
  )
})

test.serial('a run of one step has its only step, beside the metrics', async (t) => {
  const { folder, config } = await tinyRun(t)
  await completed(t, 'train', '-c', config, 'steps=1', '--profile')
  t.true((await eventsOf(join(folder, 'out', 'profile.json'))).some(({ name }) => name === 'optimizer'))
})

test.serial('any calls of a policy can be profiled, and nothing is recorded outside', async (t) => {
  const path = join(temporaryFolder(t), 'profile.json')
  const policy = await Policy.create(config(), { seed: 1 })
  t.teardown(() => policy.dispose())
  await policy.trainStep(batch())
  const profile = await Profile.start()
  await profile.span('outer', async () => {
    await policy.generate(prompt(3), { maxNewTokens: 40, seed: 1 })
    await Promise.all([profile.overlapping('one', () => sleep(2)), profile.overlapping('two', () => sleep(1))])
  })
  await profile.end(path)
  await policy.trainStep(batch())
  const events = await eventsOf(path)
  const count = (name: string) => events.filter((event) => event.name === name && event.ph !== 'M').length
  t.is(count('gradients'), 0)
  t.is(count('generate'), 1)
  t.is(count('decode'), 39)
  t.is(count('forward'), 1 + 3, 'the prefill, and every sixteenth decoding step in full')
  t.deepEqual(crossing(events.filter(({ ph }) => ph === 'X' && events.length > 0).filter(({ tid }) => tid === 2)), [])
})
