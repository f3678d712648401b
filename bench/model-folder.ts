import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DType } from '../src/native/contract.ts'
import type { ModelConfig } from '../src/policy/model-config.ts'
import { Policy } from '../src/policy/policy.ts'
import { createCharTokenizer } from '../src/tokenizer/create.ts'
import type { Context } from './part.ts'

export const VOCABULARY = 49152

/** SmolLM2-135M, as far as its weights decide: 30 layers, hidden 576, 9 heads on 3 key-value heads, MLP 1536, tied embeddings. */
function smolLm2Config(layers: number): ModelConfig {
  return {
    ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_act: 'silu' },
    ...{ vocab_size: VOCABULARY, hidden_size: 576, intermediate_size: 1536, num_hidden_layers: layers },
    ...{ num_attention_heads: 9, num_key_value_heads: 3, max_position_embeddings: 8192 },
    ...{ rope_theta: 100_000, rms_norm_eps: 1e-5, tie_word_embeddings: true, initializer_range: 0.02 },
    ...{ attention_bias: false, mlp_bias: false, pad_token_id: 0, eos_token_id: 1 },
  }
}

export const QWEN2_VOCABULARY = 151_936

/** Qwen2 1.5B, as far as its weights decide: 28 layers, hidden 1536, 12 heads on 2 key-value heads, MLP 8960, tied embeddings. */
export const qwen2Config: ModelConfig = {
  ...{ architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', hidden_act: 'silu' },
  ...{ vocab_size: QWEN2_VOCABULARY, hidden_size: 1536, intermediate_size: 8960, num_hidden_layers: 28 },
  ...{ num_attention_heads: 12, num_key_value_heads: 2, max_position_embeddings: 32_768 },
  ...{ rope_theta: 1_000_000, rms_norm_eps: 1e-6, tie_word_embeddings: true, initializer_range: 0.02 },
}

/** The model folder that was given, else one of the same shape with random weights and a tokenizer of one character a token. */
export async function smolLm2Folder(context: Context): Promise<{ folder: string; weights: string }> {
  if (context.model) return { folder: context.model, weights: 'real' }
  return { folder: await randomFolder(context, 30), weights: 'random' }
}

/** A folder with random weights, which both sides load; made once a run. */
export async function randomFolder(context: Context, layers: number): Promise<string> {
  return folderOf(context, `smollm2-${layers}-layers`, async (folder) => {
    await writeWeights(folder, smolLm2Config(layers), 'float32')
    await createCharTokenizer(alphabet(VOCABULARY - 2), folder)
  })
}

/** The same of Qwen2's shape with 1.5 billion parameters, in bfloat16 and without a tokenizer. */
export async function qwen2Folder(context: Context): Promise<string> {
  return folderOf(context, 'qwen2-1.5b', (folder) => writeWeights(folder, qwen2Config, 'bfloat16'))
}

const made = new Map<string, Promise<string>>()

async function folderOf(
  { temporary, log }: Context,
  name: string,
  write: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(await temporary(), name)
  const writing = async () => {
    log(`writing random weights: ${name}`)
    await mkdir(folder, { recursive: true })
    await write(folder)
    return folder
  }
  if (!made.has(folder)) made.set(folder, writing())
  return made.get(folder)!
}

async function writeWeights(folder: string, config: ModelConfig, dtype: DType): Promise<void> {
  using policy = await Policy.create(config, { seed: 1, dtype })
  await policy.save(folder)
}

/** Characters of the CJK blocks, which have code points without a gap. */
function alphabet(count: number): string {
  const [first, inFirst, second] = [0x4e00, 20_992, 0x20000]
  return Array.from({ length: count }, (_, i) =>
    String.fromCodePoint(i < inFirst ? first + i : second + i - inFirst),
  ).join('')
}
