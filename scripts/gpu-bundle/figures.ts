import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Policy } from '../../src/index.ts'
import { loadAddon } from '../../src/native/load.ts'
import { startNativeTrace, stopNativeTrace } from '../../src/native/trace.ts'

/**
 * Speed and memory of an update and of generation, random weights in the shape of SmolLM2-135M.
 *
 *     node --import=tsx scripts/gpu-bundle/figures.ts DIR
 */
const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: figures.ts DIR')
const REPEATS = 5

const smollm2 = {
  ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], vocab_size: 49152, hidden_size: 576 },
  ...{ intermediate_size: 1536, num_hidden_layers: 30, num_attention_heads: 9, num_key_value_heads: 3 },
  ...{ rms_norm_eps: 1e-5, rope_theta: 100000, tie_word_embeddings: true },
}

/** Sequences of 256 prompt tokens and 256 response tokens. */
function batchOf(sequences: number) {
  const length = 512
  return {
    tokenIds: Int32Array.from({ length: sequences * length }, (_, i) => (i * 7919) % smollm2.vocab_size),
    offsets: Int32Array.from({ length: sequences + 1 }, (_, s) => s * length),
    promptLengths: new Int32Array(sequences).fill(256),
    advantages: Float32Array.from({ length: sequences }, (_, s) => (s % 2 === 0 ? 1 : -1)),
  }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

/** Seconds of each repeat after one that warms up. */
async function repeated(work: () => Promise<number>): Promise<number> {
  await work()
  const seconds: number[] = []
  for (let i = 0; i < REPEATS; i++) seconds.push(await work())
  return median(seconds)
}

/** The steps of a generation: median milliseconds of those that were replayed from a graph, and of those that were not. */
async function decodeSteps(generate: () => Promise<unknown>): Promise<string[]> {
  await startNativeTrace()
  await generate()
  const { names, name, begin, end } = await stopNativeTrace()
  const spans = Array.from(name, (index, at) => ({ name: names[index]!, begin: begin[at]!, end: end[at]! }))
  const times: Record<string, number[]> = { 'from its graph': [], 'kernel by kernel': [] }
  for (const step of spans.filter((span) => span.name === 'decode')) {
    const inside = new Set(
      spans.filter((span) => span.begin >= step.begin && span.end <= step.end).map((span) => span.name),
    )
    if (inside.has('capture')) continue
    times[inside.has('replay') ? 'from its graph' : 'kernel by kernel']!.push((step.end - step.begin) / 1000)
  }
  const refused = new Set(spans.map((span) => span.name).filter((span) => span.startsWith('not captured')))
  return [
    ...Object.entries(times).map(([how, each]) =>
      each.length > 0 ? `${how} ${median(each).toFixed(2)} ms (${each.length} steps)` : `${how}: none`,
    ),
    ...refused,
  ]
}

const rows: string[] = []
const steps: string[] = []
if (loadAddon().versions().cudaAvailable) {
  for (const dtype of ['float32', 'bfloat16'] as const) {
    using policy = await Policy.create(smollm2, { device: 'cuda', dtype, seed: 1n })
    const batch = batchOf(16)
    let peak = 0
    const update = await repeated(async () => {
      const stats = await policy.trainStep(batch, {
        learningRate: 1e-6,
        entropyCoefficient: 0.001,
        maxTokensPerMicroBatch: 8192,
      })
      peak = Math.max(peak, stats.peakMemoryBytes)
      return stats.seconds
    })
    const prompt = { promptTokenIds: batch.tokenIds.slice(0, 256), n: 64 }
    const options = { maxNewTokens: 128, temperature: 1, seed: 1, stopTokenIds: [] }
    const generation = await repeated(async () => {
      const start = performance.now()
      await policy.generate([prompt], options)
      return (performance.now() - start) / 1000
    })
    steps.push(
      `decode step of 64 sequences, ${dtype}: ${(await decodeSteps(() => policy.generate([prompt], options))).join(', ')}`,
    )
    const speed = (tokens: number, seconds: number) => `${(tokens / seconds).toFixed(0)}`
    rows.push(
      `| update, 16 x 512 tokens, ${dtype} | ${speed(batch.tokenIds.length, update)} | ${(peak / 1e9).toFixed(2)} |`,
      `| generation, 64 x 128 tokens after 256, ${dtype} | ${speed(64 * 128, generation)} | |`,
    )
  }
}
const table = ['| on CUDA, SmolLM2-135M | tokens/s | peak GB |', '|---|---|---|', ...rows].join('\n')
const text = rows.length > 0 ? [table, '', ...steps].join('\n') : 'not measured: libtorch sees no CUDA device here'
writeFileSync(join(folder, 'figures.md'), `${text}\n`)
console.log(text)
