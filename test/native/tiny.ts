import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { ModelConfig, TrainingBatch } from '../../src/index.ts'

export const goldenFolder = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url))

/** A folder of its own, removed after the test. */
export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'magic-grpo-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A copy of a golden checkpoint that may be damaged. */
export function goldenCopy(t: ExecutionContext, name = 'qwen2-tied'): string {
  const folder = join(temporaryFolder(t), name)
  cpSync(goldenFolder(name), folder, { recursive: true })
  return folder
}

/** A Qwen2 of any size. */
export function config(sizes: { hidden?: number; layers?: number; vocab?: number } = {}): ModelConfig {
  const { hidden = 64, layers = 2, vocab = 331 } = sizes
  return {
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    vocab_size: vocab,
    hidden_size: hidden,
    intermediate_size: 2 * hidden,
    num_hidden_layers: layers,
    num_attention_heads: hidden / 16,
    num_key_value_heads: hidden / 32,
    hidden_act: 'silu',
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    tie_word_embeddings: true,
  }
}

/** `sequences` sequences of `length` tokens with a prompt of 4. */
export function batch(sequences = 2, length = 8, vocab = 331): TrainingBatch {
  return {
    tokenIds: Int32Array.from({ length: sequences * length }, (_, index) => (index * 7919 + 13) % vocab),
    offsets: Int32Array.from({ length: sequences + 1 }, (_, index) => index * length),
    promptLengths: new Int32Array(sequences).fill(4),
    advantages: Float32Array.from({ length: sequences }, (_, index) => (index % 2 === 0 ? 1 : -1)),
  }
}

export const prompt = (n = 1) => [{ promptTokenIds: Int32Array.of(5, 6, 7), n }]

/** A model and a batch that keep the torch thread busy for half a second and more: where it is fast, scoring takes that. */
export const slowConfig = config({ hidden: 128, layers: 4, vocab: 2048 })
export const slowBatch = () => batch(160, 64, 2048)
