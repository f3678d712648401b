import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
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

/** The model folder that was given, else one of the same shape with random weights and a tokenizer of one character a token. */
export async function smolLm2Folder(context: Context): Promise<{ folder: string; weights: string }> {
  if (context.model) return { folder: context.model, weights: 'real' }
  return { folder: await randomFolder(context, 30), weights: 'random' }
}

const made = new Map<string, Promise<string>>()

/** A folder with random weights, which both sides load; made once a run. */
export async function randomFolder({ temporary, log }: Context, layers: number): Promise<string> {
  const folder = join(await temporary(), `smollm2-${layers}-layers`)
  if (!made.has(folder)) made.set(folder, write(folder, layers, log))
  return made.get(folder)!
}

async function write(folder: string, layers: number, log: (line: string) => void): Promise<string> {
  log(`writing random weights of ${layers} layers`)
  await mkdir(folder, { recursive: true })
  using policy = await Policy.create(smolLm2Config(layers), { seed: 1 })
  await policy.save(folder)
  await createCharTokenizer(alphabet(VOCABULARY - 2), folder)
  return folder
}

/** Characters of the CJK blocks, which have code points without a gap. */
function alphabet(count: number): string {
  const [first, inFirst, second] = [0x4e00, 20_992, 0x20000]
  return Array.from({ length: count }, (_, i) =>
    String.fromCodePoint(i < inFirst ? first + i : second + i - inFirst),
  ).join('')
}
