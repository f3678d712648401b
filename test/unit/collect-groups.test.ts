import test from 'ava'
import type { Prompt } from '../../src/data/prompt.ts'
import { PromptStream } from '../../src/data/prompt-stream.ts'
import { Stopwatch } from '../../src/metrics/stopwatch.ts'
import type { RolloutGroup } from '../../src/rollout/rollout.ts'
import { collectGroups } from '../../src/train/collect-groups.ts'

const prompts = Array.from({ length: 40 }, (_, index) => ({
  id: String(index),
  tokenIds: Int32Array.of(index),
})) as Prompt[]

/** Groups of prompts of odd number are kept. */
async function collected(rejection: { refill: boolean; maxPrompts?: number }, epochs?: number, list = prompts) {
  const rounds: number[] = []
  const groups = await collectGroups({
    stage: { promptsPerStep: 8, rejection },
    stream: new PromptStream(list, { seed: 5, epochs }),
    clock: new Stopwatch(),
    rollout: async (drawn, round, onGroup) => {
      rounds.push(round)
      // They finish in any order.
      for (const index of [...drawn.keys()].reverse()) onGroup({ prompt: drawn[index]!, rollouts: [] }, index)
    },
    grade: async (group) => ({ ...group, rejected: group.prompt.tokenIds[0]! % 2 === 0 }) as RolloutGroup,
  })
  return { rounds, drawn: groups.length, kept: groups.filter(({ rejected }) => !rejected).length }
}

test('without refill a step is its prompts, kept or not', async (t) => {
  const { rounds, drawn, kept } = await collected({ refill: false })
  t.deepEqual([rounds, drawn], [[0], 8])
  t.true(kept < 8)
})

test('with refill a step draws until as many are kept, in rounds of what is missing', async (t) => {
  const { rounds, drawn, kept } = await collected({ refill: true })
  t.is(kept, 8)
  t.true(drawn > 8 && drawn <= 32)
  t.deepEqual(rounds, [...rounds.keys()])
})

test('no step draws more than its cap, whether or not enough are kept', async (t) => {
  const even = prompts.filter(({ tokenIds }) => tokenIds[0]! % 2 === 0)
  t.like(await collected({ refill: true }, undefined, even), { drawn: 32, kept: 0 })
  t.like(await collected({ refill: true, maxPrompts: 11 }, undefined, even), { drawn: 11, kept: 0, rounds: [0, 1] })
})

test('a stream that ends, ends the step', async (t) => {
  const even = prompts.filter(({ tokenIds }) => tokenIds[0]! % 2 === 0)
  t.like(await collected({ refill: true }, 1, even), { drawn: 20, kept: 0 })
})

test('groups are graded while others are sampled, and keep the order of their prompts', async (t) => {
  const events: string[] = []
  const groups = await collectGroups({
    stage: { promptsPerStep: 3, rejection: { refill: false } },
    stream: new PromptStream(prompts.slice(0, 3), { seed: 1 }),
    clock: new Stopwatch(),
    rollout: async (drawn, _, onGroup) => {
      for (const index of [2, 0, 1]) {
        events.push(`sampled ${index}`)
        onGroup({ prompt: drawn[index]!, rollouts: [] }, index)
        await new Promise((resolve) => setImmediate(resolve))
      }
      events.push(...drawn.map(({ id }, index) => `${index} is ${id}`))
    },
    grade: async (group) => {
      events.push('graded')
      return { ...group, rejected: false } as RolloutGroup
    },
  })
  t.deepEqual(events.slice(0, 6), ['sampled 2', 'graded', 'sampled 0', 'graded', 'sampled 1', 'graded'])
  t.deepEqual(
    groups.map(({ prompt }, index) => `${index} is ${prompt.id}`),
    events.slice(6),
  )
})

test('where the rollout fails its error is the one that is thrown, whatever becomes of the grades', async (t) => {
  const failing = collectGroups({
    stage: { promptsPerStep: 2, rejection: { refill: false } },
    stream: new PromptStream(prompts, { seed: 1 }),
    clock: new Stopwatch(),
    rollout: async (drawn, _, onGroup) => {
      onGroup({ prompt: drawn[0]!, rollouts: [] }, 0)
      throw new Error('sampling failed')
    },
    grade: () => Promise.reject(new Error('a grade failed')),
  })
  await t.throwsAsync(failing, { message: 'sampling failed' })
})
