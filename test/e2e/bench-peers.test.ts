import test, { type ExecutionContext } from 'ava'
import { Side } from '../../bench/side.ts'
import type { GenerateJob, TrainJob } from '../../bench/sides/policy.ts'
import { goldenFolder } from '../native/tiny.ts'

const python = process.env.MAGIC_GRPO_PYTHON

/** What a repetition of the peer measures; undefined, with the reason logged, where there is no Python for it. */
async function measured(t: ExecutionContext, module: string, job: object) {
  if (!python) {
    t.log('not run: MAGIC_GRPO_PYTHON names no Python with torch and transformers')
    t.pass()
    return undefined
  }
  await using peer = await Side.start(module, job, python)
  t.truthy(peer.facts.torch)
  // The first repetition has what is done once.
  await peer.run()
  const figures = await peer.run()
  t.true(figures.seconds > 0, `${figures.seconds} s`)
  t.true((await peer.memory()).peak > 0)
  return figures
}

const model = { model: goldenFolder('qwen2-tied'), dtype: 'bfloat16' } as const

test.serial('the peer of the head', async (t) => {
  const size = { tokens: 8, hiddenSize: 16, vocabSize: 50, dtype: 'bfloat16' }
  const naive = await measured(t, 'peers/head.py', { ...size, kind: 'naive' })
  if (naive) t.is(typeof naive.extraMemory, 'number')
  await measured(t, 'peers/head.py', { ...size, kind: 'products' })
})

test.serial('the peer of a training step', async (t) => {
  const responses = [1, -1].map((advantage) => ({ tokens: [5, 6, 7], advantage }))
  const job: TrainJob = { ...model, task: 'train', prompts: [[3, 4]], groups: [responses] }
  await measured(t, 'peers/policy.py', job)
})

test.serial('the peer of generation, as a whole and beyond the first tokens', async (t) => {
  const job: GenerateJob = {
    ...model,
    task: 'generate',
    prompts: [
      [3, 4, 5],
      [6, 7, 8],
    ],
    samples: 1,
    lengths: [40, 40],
  }
  const whole = await measured(t, 'peers/policy.py', job)
  const decode = await measured(t, 'peers/policy.py', { ...job, decodeOnly: true })
  if (whole && decode) t.deepEqual(Object.keys(decode).sort(), ['first', 'seconds'])
})
