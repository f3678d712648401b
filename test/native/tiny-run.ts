import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Policy } from '../../src/policy/policy.ts'
import { createCharTokenizer } from '../../src/tokenizer/create.ts'

// One thread, before libtorch is loaded: a model this small only waits for a second one.
process.env.OMP_NUM_THREADS = '1'

/**
 * A folder with a model of two layers, ten prompts, a reward that is the share of sevens in a response, and a config:
 * all that a run needs, and small enough for a step to take a tenth of a second.
 */
export async function tinyRun(t: ExecutionContext, settings = ''): Promise<{ folder: string; config: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'magic-run-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const policy = await Policy.create(
    {
      ...{ model_type: 'qwen2', vocab_size: 17, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2 },
      ...{ num_attention_heads: 4, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 10000 },
      ...{ tie_word_embeddings: true, max_position_embeddings: 128, initializer_range: 0.02, eos_token_id: 1 },
    },
    { seed: 3 },
  )
  await policy.save(join(folder, 'base'))
  policy.dispose()
  await createCharTokenizer('0123456789+=? .', join(folder, 'base'))
  const rows = Array.from({ length: 10 }, (_, a) => JSON.stringify({ prompt: `${a}+1=`, answer: String(a + 1) }))
  await writeFile(join(folder, 'rows.jsonl'), `${rows.join('\n')}\n`)
  await writeFile(
    join(folder, 'reward.ts'),
    `export async function sevens({ response }: { response: string }) {
  const found = [...response].filter((letter) => letter === '7').length
  return { reward: found / 8, correct: found > 0 }
}
`,
  )
  const config = join(folder, 'run.yaml')
  await writeFile(
    config,
    `model: base
output: out
seed: 1
steps: 6
checkpointEvery: 2
verifier: ./reward.ts#sevens
data: { train: rows.jsonl }
promptsPerStep: 4
groupSize: 4
maxResponseLength: 8
learningRate: 0.01
truncation: { reward: graded }
entropy: { target: 2.7 }
${settings}`,
  )
  return { folder, config }
}

/** metrics.jsonl without what differs from run to run. */
export async function comparable(path: string): Promise<Record<string, unknown>[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  return lines.map((line) => {
    const entries = Object.entries(JSON.parse(line) as Record<string, unknown>)
    return Object.fromEntries(entries.filter(([name]) => !/^(timing_s|timing_per_token_ms|perf)\//.test(name)))
  })
}
