/**
 * On a GPU, in bfloat16, the shape of Qwen2 with 1.5 billion parameters: the head alone against naive PyTorch, and training
 * and decoding against Hugging Face. Memory is what is allocated on the device: of the head beyond inputs and gradients, of
 * training in all. What generation takes the addon does not report.
 */

import { loadAddon, withoutCuda } from '../../src/native/load.ts'
import { Random } from '../../test/reference/random.ts'
import { type Comparison, interleave, timedRow } from '../compare.ts'
import { QWEN2_VOCABULARY, qwen2Folder } from '../model-folder.ts'
import { type Context, LeftOut, type Part } from '../part.ts'
import type { Row } from '../row.ts'
import { Side } from '../side.ts'
import type { HeadJob } from '../sides/head.ts'
import type { GenerateJob, TrainJob } from '../sides/policy.ts'

const where = { device: 'cuda', dtype: 'bfloat16' } as const

/** One prompt with so many responses. */
const training = { samples: 8, prompt: 128, response: 896 }
const decoding = { sequences: 64, prompt: 512, newTokens: 128 }

export const gpu: Part = {
  name: 'gpu',
  about: "on a GPU: the head, training and decoding of Qwen2 1.5B's shape against PyTorch; needs --python with CUDA",
  cases: { head: onGpu(head), 'train-step': onGpu(trainStep), decode: onGpu(decode) },
}

type Case = (context: Context, python: string) => Promise<Row>

function onGpu(run: Case) {
  return async (context: Context): Promise<Row[]> => {
    if (!loadAddon().versions().cudaAvailable)
      throw new LeftOut(withoutCuda() ?? 'libtorch sees no CUDA device on this machine')
    return [await run(context, await context.cudaPython())]
  }
}

const patience = { seconds: 60, most: 7 }

async function head({ log }: Context, python: string): Promise<Row> {
  const size = { tokens: 8192, hiddenSize: 1536, vocabSize: QWEN2_VOCABULARY }
  const job: HeadJob = { ...size, device: where.device, side: 'native bfloat16', bare: true }
  await using ours = await Side.start('sides/head.ts', job)
  await using peer = await Side.start('peers/head.py', { ...size, ...where, kind: 'naive' }, python)
  const result = await interleave({ ours, peer }, patience, log)
  const name = `head [${size.tokens}, ${size.hiddenSize}] x [${size.vocabSize}], forward and backward`
  const text = { name, part: 'gpu', peerName: 'naive PyTorch', settings: settingsOf(peer) }
  return timedRow(text, result, highest(result, 'extraMemory'))
}

async function trainStep(context: Context, python: string): Promise<Row> {
  const { samples, prompt, response } = training
  const tokens = tokenSource(2)
  const group = Array.from({ length: samples }, (_, i) => ({ tokens: tokens(response), advantage: i % 2 ? 1 : -1 }))
  const model = await qwen2Folder(context)
  const job: TrainJob = { task: 'train', model, ...where, prompts: [tokens(prompt)], groups: [group] }
  await using ours = await Side.start('sides/policy.ts', job)
  await using peer = await Side.start('peers/policy.py', job, python)
  const result = await interleave({ ours, peer }, patience, context.log)
  const all = samples * (prompt + response)
  const settings = { ...settingsOf(peer), 'tokens computed': `${result.ours[0]!.computedTokens} of ${all}` }
  const name = `training step, ${samples} x ${prompt + response} tokens, ${prompt} of prompt`
  const text = { name, part: 'gpu', peerName: 'transformers, all states bfloat16', settings }
  return timedRow(text, result, highest(result, 'peakMemory'), all)
}

async function decode(context: Context, python: string): Promise<Row> {
  const { sequences, prompt, newTokens } = decoding
  const tokens = tokenSource(3)
  const job: GenerateJob = {
    ...{ task: 'generate', model: await qwen2Folder(context), ...where, samples: 1, decodeOnly: true },
    prompts: Array.from({ length: sequences }, () => tokens(prompt)),
    lengths: Array.from({ length: sequences }, () => newTokens),
  }
  await using ours = await Side.start('sides/policy.ts', job)
  await using peer = await Side.start('peers/policy.py', job, python)
  const result = await interleave({ ours, peer }, patience, context.log)
  const name = `decode, ${sequences} sequences, tokens 2 to ${newTokens} after ${prompt}`
  const text = { name, part: 'gpu', peerName: 'transformers generate', settings: settingsOf(peer) }
  return timedRow(text, result, undefined, sequences * (newTokens - 1))
}

function tokenSource(seed: number): (count: number) => number[] {
  const random = new Random(seed)
  return (count) => Array.from(random.integers(count, QWEN2_VOCABULARY))
}

function settingsOf(peer: Side): Record<string, unknown> {
  return { dtype: where.dtype, weights: 'random', device: peer.facts.device }
}

/** Bytes. */
function highest({ ours, peer }: Comparison, figure: string): { ours: number; peer: number } {
  const most = (all: Comparison['ours']) => Math.max(...all.map((each) => each[figure]!))
  return { ours: most(ours), peer: most(peer) }
}
