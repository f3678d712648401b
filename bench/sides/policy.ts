/** Our side of the comparisons of a training step and of generation. */

import type { Device } from '../../src/native/contract.ts'
import { loadAddon } from '../../src/native/load.ts'
import type { LossOptions } from '../../src/policy/call-options.ts'
import { Policy } from '../../src/policy/policy.ts'
import { serve, type Work } from './serve.ts'

// libtorch itself is not part of the memory that is counted, as little as PyTorch is on the other side.
const addon = loadAddon()

interface PolicyJob {
  /** a Hugging Face folder */
  model: string
  dtype: 'float32' | 'bfloat16'
  /** the CPU unless given */
  device?: Device
}

/** One update: a group of responses to each prompt. */
export interface TrainJob extends PolicyJob {
  task: 'train'
  prompts: number[][]
  /** one entry a prompt */
  groups: { tokens: number[]; advantage: number }[][]
  /** ours alone */
  options?: Pick<LossOptions, 'activationBytes' | 'gradientDtype'>
}

export interface GenerateJob extends PolicyJob {
  task: 'generate'
  prompts: number[][]
  samples: number
  /** new tokens of each sample, one prompt's after another's; none stops before */
  lengths: number[]
  /** true: its time is what it takes beyond a call for the first token of each sample */
  decodeOnly?: boolean
}

async function work(job: TrainJob | GenerateJob): Promise<Work> {
  const { model, dtype, device } = job
  const policy = await Policy.load(model, { dtype, device })
  const facts = addon.versions()
  return { facts, ...(job.task === 'train' ? training(policy, job) : generation(policy, job)) }
}

function training(policy: Policy, { prompts, groups, options }: TrainJob): Work {
  const sequences = groups.flatMap((group, i) => group.map(({ tokens }) => [...prompts[i]!, ...tokens]))
  const offsets = Int32Array.of(0, ...sequences.map(({ length }) => length))
  for (let i = 1; i < offsets.length; i++) offsets[i]! += offsets[i - 1]!
  const batch = {
    tokenIds: Int32Array.from(sequences.flat()),
    offsets,
    promptLengths: Int32Array.from(groups.flatMap((group, i) => group.map(() => prompts[i]!.length))),
    advantages: Float32Array.from(groups.flatMap((group) => group.map(({ advantage }) => advantage))),
  }
  return {
    async run() {
      const { seconds, computedTokens, optimizerSeconds, peakMemoryBytes } = await policy.trainStep(batch, options)
      return { nativeSeconds: seconds, computedTokens, optimizerSeconds, peakMemory: peakMemoryBytes }
    },
  }
}

function generation(policy: Policy, { prompts, samples, lengths, decodeOnly }: GenerateJob): Work {
  /** seconds */
  const generate = async (each: number[]) => {
    const begun = performance.now()
    const requests = prompts.map((tokens, i) => ({
      promptTokenIds: Int32Array.from(tokens),
      n: samples,
      maxNewTokens: Int32Array.from(each.slice(i * samples, (i + 1) * samples)),
    }))
    const results = await policy.generate(requests, { maxNewTokens: Math.max(...each), seed: 1, stopTokenIds: [] })
    const tokens = results
      .flatMap(({ completions }) => completions)
      .reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
    const expected = each.reduce((sum, length) => sum + length, 0)
    if (tokens !== expected) throw new Error(`${tokens} tokens were generated in place of ${expected}`)
    return (performance.now() - begun) / 1000
  }
  return {
    async run() {
      if (!decodeOnly) {
        await generate(lengths)
        return undefined
      }
      const first = await generate(lengths.map(() => 1))
      return { seconds: (await generate(lengths)) - first, first }
    },
  }
}

serve(work)
