import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { type LossOptions, type ModelConfig, Policy } from '../../src/index.ts'
import { config, temporaryFolder } from './tiny.ts'

/** What memory-process.ts trains on, twice; groups of four sequences share a prompt. */
export interface MemoryCase {
  model: ModelConfig
  dtype: 'float32' | 'bfloat16'
  lora?: boolean
  sequences: number
  length: number
  prompt: number
  options: LossOptions
}

/** Of the prediction; what lies between blocks and what libraries keep for themselves is not in it. */
const tolerance = 0.15

const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)

const llama = { ...config({ hidden: 256, layers: 6, vocab: 4096 }), intermediate_size: 1024 }
const qwen3 = { ...llama, model_type: 'qwen3', architectures: ['Qwen3ForCausalLM'], head_dim: 32 }
const wide = { ...config({ hidden: 448, layers: 6, vocab: 4096 }), intermediate_size: 2432 }
const large = { ...config({ hidden: 128, layers: 2, vocab: 60_000 }) }
const batch = { model: llama, dtype: 'float32', sequences: 16, length: 160, prompt: 32, options: {} } as const

const cases: Record<string, MemoryCase> = {
  'all kept': batch,
  'every layer computed again': { ...batch, options: { activationCheckpointing: true } },
  'some layers computed again': { ...batch, options: { activationBytes: 120 * 2 ** 20 } },
  'one long sequence': { ...batch, sequences: 1, length: 3000 },
  'no shared prompts': { ...batch, sequences: 24, length: 96, prompt: 64, options: { sharePrompts: false } },
  bfloat16: { ...batch, dtype: 'bfloat16' },
  'bfloat16, every layer computed again': { ...batch, dtype: 'bfloat16', options: { activationCheckpointing: true } },
  'bfloat16, its gradients too': { ...batch, dtype: 'bfloat16', options: { gradientDtype: 'bfloat16' } },
  'norms of q and k': { ...batch, model: qwen3 },
  'an adapter': { ...batch, lora: true },
  'bfloat16, an adapter': { ...batch, model: wide, dtype: 'bfloat16', lora: true },
  'a large vocabulary': { ...batch, model: large, sequences: 8 },
  'a large vocabulary, few of its logits at once': {
    ...{ ...batch, model: { ...llama, vocab_size: 60_000 }, sequences: 1, length: 2000 },
    options: { activationBytes: 96 * 2 ** 20 },
  },
}

for (const [name, given] of Object.entries(cases))
  test.serial(`${name}: a step takes the memory that is predicted`, async (t) => {
    if (process.platform !== 'linux') {
      t.log('not measured: it needs /proc')
      t.pass()
      return
    }
    const { measured, predicted, recomputedLayers } = await trained(given)
    t.log(`${mebibytes(measured)} MiB, ${mebibytes(predicted)} predicted, ${recomputedLayers} layers computed again`)
    t.true(Math.abs(measured / predicted - 1) <= tolerance, `${measured} bytes, ${predicted} predicted`)
  })

test.serial('what is loaded is in memory once, and one tensor of its file beside it', async (t) => {
  if (process.platform !== 'linux') {
    t.log('not measured: it needs /proc')
    t.pass()
    return
  }
  const [vocab, hidden] = [40_000, 512]
  const policy = await Policy.create(config({ hidden, vocab, layers: 10 }))
  const folder = temporaryFolder(t)
  await policy.save(folder)
  const optimizer = join(folder, 'optimizer.safetensors')
  await policy.saveOptimizer(optimizer)
  const elements = (shape: number[]) => shape.reduce((size, length) => size * length, 1)
  const weights = 4 * policy.parameterShapes().reduce((sum, { shape }) => sum + elements(shape), 0)
  policy.dispose()
  const [loaded, resumed] = JSON.parse(await printed('load-memory-process.ts', folder, optimizer)) as [number, number]
  t.log(`${mebibytes(loaded)} MiB, ${mebibytes(weights)} of them weights; with both moments ${mebibytes(resumed)} MiB`)
  // What has been read of the files would double it.
  const beside = 4 * vocab * hidden + 32 * 2 ** 20
  t.true(loaded >= weights && loaded <= weights + beside, `${loaded} bytes`)
  t.true(resumed >= 3 * weights && resumed <= 3 * weights + beside, `${resumed} bytes`)
})

async function trained(given: MemoryCase) {
  const stdout = await printed('memory-process.ts', JSON.stringify(given))
  return JSON.parse(stdout) as { measured: number; predicted: number; recomputedLayers: number; resident: number }
}

async function printed(script: string, ...of: string[]): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import=tsx', path, ...of], {
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  })
  return stdout
}
