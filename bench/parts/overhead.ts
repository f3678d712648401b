/**
 * What a step spends outside the arithmetic: conversion of arguments and results, thread hops, packing, TypeScript.
 * `outside` is measured: the step without its time in the addon. `bound` is an upper bound on all of it, packing and the engine's
 * own bookkeeping included: the same step, as many sequences and tokens, on a model of next to nothing.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Policy } from '../../src/policy/policy.ts'
import { createCharTokenizer } from '../../src/tokenizer/create.ts'
import { interleave } from '../compare.ts'
import type { Context, Part } from '../part.ts'
import type { Row } from '../row.ts'
import { Side } from '../side.ts'
import type { TextsJob } from '../sides/trainer.ts'
import { median } from '../statistics.ts'
import { grpoStepJob } from './grpo-step.ts'

export const overhead: Part = {
  name: 'overhead',
  about: 'the share of a GRPO step that is not arithmetic',
  cases: { 'grpo-step': shares },
}

async function shares(context: Context): Promise<Row[]> {
  const job = await grpoStepJob(context)
  await using whole = await Side.start('sides/trainer.ts', job)
  await using tiny = await Side.start('sides/trainer.ts', await tinyJob(context, job))
  const result = await interleave({ ours: tiny, peer: whole }, { seconds: 30, most: 9 }, (line) =>
    context.log(line.replace('ours', 'a model of next to nothing').replace('peer', 'the step')),
  )
  const step = median(result.peer.map(({ seconds }) => seconds))
  const outside = median(result.peer.map((each) => each.outsideNative!))
  const bound = median(result.ours.map(({ seconds }) => seconds))
  const row = (name: string, ours: number): Row => ({
    ...{ name, part: 'overhead', ours, peer: step, peerName: 'the whole step', ratio: step / ours, unit: 's' },
    settings: { share: `${((100 * ours) / step).toFixed(2)} %`, repetitions: result.ours.length },
    goal: { ratio: 100 },
  })
  return [
    row('outside the addon: TypeScript, thread hops', outside),
    row('upper bound: the step on a model of next to nothing', bound),
  ]
}

/** The same prompts and lengths for one layer of width 16 with a vocabulary of 64. */
async function tinyJob({ temporary }: Context, job: TextsJob): Promise<TextsJob> {
  const folder = join(await temporary(), 'next-to-nothing')
  await mkdir(folder, { recursive: true })
  const alphabet = Array.from({ length: 62 }, (_, i) => String.fromCodePoint(48 + i))
  const config = {
    ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_act: 'silu', vocab_size: 64 },
    ...{ hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 1, num_key_value_heads: 1 },
    ...{ max_position_embeddings: 8192, rope_theta: 10_000, rms_norm_eps: 1e-5, tie_word_embeddings: true },
  }
  using policy = await Policy.create(config, { seed: 1 })
  await policy.save(folder)
  await createCharTokenizer(alphabet.join(''), folder)
  const texts = job.texts.map((text) => [...text].map((_, i) => alphabet[i % alphabet.length]).join(''))
  return { ...job, model: folder, texts }
}
