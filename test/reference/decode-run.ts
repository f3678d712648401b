import { type GenerateOptions, type GeneratePrompt, type ModelConfig, Policy } from '../../src/index.ts'
import type { NativeGenerateStats } from '../../src/native/generation-contract.ts'
import { startNativeTrace, stopNativeTrace } from '../../src/native/trace.ts'
import { qwen3, shape } from './device-shape.ts'
import { Random } from './random.ts'

const qwen2 = { ...shape, architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', hidden_size: 256 }

/** Bytes of a block of 16 tokens, float32. */
const BLOCK = 16 * 2 * 2 * 2 * 64 * 4

interface Case {
  config?: ModelConfig
  lora?: boolean
  /** Tokens of each prompt, and completions of each. */
  prompts: number[]
  n: number
  options: Partial<GenerateOptions> & { maxNewTokens: number }
}

const stopTokenIds = Array.from({ length: 12 }, (_, i) => i * 27)

export const cases: Record<string, Case> = {
  'sequences end one by one': { prompts: [3, 40, 17], n: 4, options: { maxNewTokens: 48, stopTokenIds } },
  'top-k and top-p': { prompts: [9, 5], n: 3, options: { maxNewTokens: 12, temperature: 0.8, topK: 40, topP: 0.9 } },
  greedy: { prompts: [9, 5], n: 1, options: { maxNewTokens: 12, temperature: 0 } },
  'the cache moves between steps': { prompts: [61, 62, 63], n: 5, options: { maxNewTokens: 40 } },
  'a sequence passes a split': { prompts: [248, 3], n: 2, options: { maxNewTokens: 24 } },
  'prompts of one token': { prompts: [1, 1], n: 2, options: { maxNewTokens: 8 } },
  'prompts beside sequences that go on': {
    prompts: [30, 540, 20, 25],
    n: 2,
    options: { maxNewTokens: 24, maxBatchSize: 4 },
  },
  preempted: { prompts: [20, 21, 22], n: 3, options: { maxNewTokens: 24, kvCacheBytes: 12 * BLOCK } },
  'biases and adapters': { config: qwen2, lora: true, prompts: [7, 12], n: 3, options: { maxNewTokens: 16 } },
}

/** What a case gives, and how many spans of each name its generation had. */
export interface DecodeRun {
  tokens: number[][]
  logprobs: number[][]
  entropies: number[][]
  preemptions: number
  spans: Record<string, number>
}

async function decoded(device: 'cpu' | 'cuda', each: Case): Promise<DecodeRun> {
  const { config = qwen3, lora, prompts: lengths, n, options } = each
  const random = new Random(23)
  using policy = await Policy.create(config, {
    ...{ device, dtype: 'float32', seed: 5n },
    ...(lora && { lora: { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'o_proj', 'down_proj'] } }),
  })
  if (lora) {
    // B is zero before; with this epsilon no sign of a gradient near zero decides
    const batch = { tokenIds: Int32Array.from(random.integers(40, 331)), offsets: Int32Array.of(0, 40) }
    const training = { ...batch, promptLengths: Int32Array.of(3), advantages: Float32Array.of(1) }
    await policy.trainStep(training, { learningRate: 0.5, epsilon: 0.01 })
  }
  const prompts: GeneratePrompt[] = lengths.map((length) => ({
    promptTokenIds: Int32Array.from(random.integers(length, 331)),
    n,
  }))
  let stats: NativeGenerateStats | undefined
  await startNativeTrace()
  const groups = await policy.generate(prompts, {
    ...{ seed: 11, stopTokenIds: [], onStats: (counted) => (stats = counted) },
    ...options,
  })
  const { names, name } = await stopNativeTrace()
  const completions = groups.flatMap((group) => group.completions)
  const spans: Record<string, number> = {}
  for (const index of name) spans[names[index]!] = (spans[names[index]!] ?? 0) + 1
  return {
    tokens: completions.map(({ tokenIds }) => Array.from(tokenIds)),
    logprobs: completions.map(({ logprobs }) => Array.from(logprobs)),
    entropies: completions.map(({ entropy }) => Array.from(entropy)),
    preemptions: stats!.preemptions,
    spans,
  }
}

/** Generations of small policies, of all cases or those named, by whatever kernels the addon takes for the device. */
export async function decodeRuns(
  device: 'cpu' | 'cuda',
  names: string[] = Object.keys(cases),
): Promise<Record<string, DecodeRun>> {
  const runs: Record<string, DecodeRun> = {}
  for (const name of names) runs[name] = await decoded(device, cases[name]!)
  return runs
}

if (process.argv[2] === 'print') {
  const names = process.argv.slice(3)
  process.stdout.write(JSON.stringify(await decodeRuns('cpu', names.length > 0 ? names : undefined)))
}
