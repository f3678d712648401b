/**
 * Makes what examples/study.yaml trains: rows of sums of two to eight digits, and a small model that works them out term
 * by term but forgets half of the carries.
 *
 *     npx tsx examples/study-base.ts [FOLDER]      (default runs/study-base; 2 minutes on one CPU core)
 *
 * `3+9+4=` is worked out as `3+9=12 4+12=16 \boxed{16}`, each addition in either order, or two terms at once, as
 * `3+9+4=16 \boxed{16}`, which is shorter and harder: an answer is the longer the more terms a sum has, and the more often
 * a carry can be forgotten.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sftSchema } from '../src/config/schema.ts'
import { Random } from '../src/data/random.ts'
import { createCharTokenizer, loadExamples, type ModelConfig, Policy, sft, Tokenizer } from '../src/index.ts'

const folder = process.argv[2] ?? 'runs/study-base'
const forgets = 0.5
const rows = { supervised: 6000, train: 3000, heldout: 140 }
const phases = [
  { steps: 700, learningRate: 2e-3, warmupSteps: 20 },
  { steps: 150, learningRate: 3e-4 },
]
const shape: ModelConfig = {
  ...{ model_type: 'qwen2', vocab_size: 32, hidden_size: 128, intermediate_size: 256, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, hidden_act: 'silu', rms_norm_eps: 1e-6, rope_theta: 10_000 },
  ...{
    max_position_embeddings: 256,
    initializer_range: 0.05,
    tie_word_embeddings: true,
    pad_token_id: 0,
    eos_token_id: 1,
  },
}

const random = new Random(1)
const seen = new Set<string>()
mkdirSync(folder, { recursive: true })
const heldout = write('heldout', problem)
const train = write('train', problem)
const supervised = write('supervised', (terms) => ({ prompt: question(terms), response: working(terms) }))
process.stdout.write(`${heldout}\n${train}\n${supervised}\n`)

const base = join(folder, 'base')
await createCharTokenizer('0123456789+= \\boxed{}', base)
const tokenizer = await Tokenizer.load(base)
const { examples } = await loadExamples([supervised], { tokenizer, maxLength: 160 })
const policy = await Policy.create(shape, { seed: 1 })
for (const [index, phase] of phases.entries()) {
  const config = sftSchema.parse({
    model: base,
    output: base,
    data: { train: supervised },
    ...phase,
    batchSize: 48,
    seed: index,
  })
  await sft({
    ...{ policy, examples, config },
    onStep: ({ step, 'sft/loss': loss }) => {
      if (step % 50 === 0)
        process.stdout.write(`supervised step ${step}/${phase.steps}  loss ${loss!.toFixed(3)} nats a token\n`)
    },
  })
}
await policy.save(base)
policy.dispose()
process.stdout.write(`${base}\n`)

/** Rows of sums of two to eight terms, as many of each as there are, none of which stands in two of the files. */
function write(name: keyof typeof rows, row: (terms: number[]) => object): string {
  const path = join(folder, `${name}.jsonl`)
  const lines: string[] = []
  for (let tried = 0; lines.length < rows[name]; tried++) {
    const terms = Array.from({ length: 2 + (tried % 7) }, () => 1 + random.below(9))
    if (seen.has(question(terms))) continue
    // Few sums are short: some of them are left for the files after this one.
    if (terms.length < 4 && random.uniform() < 0.7) continue
    seen.add(question(terms))
    lines.push(`${JSON.stringify(row(terms))}\n`)
  }
  writeFileSync(path, lines.join(''))
  return path
}

function question(terms: readonly number[]): string {
  return `${terms.join('+')}=`
}

function problem(terms: readonly number[]) {
  return {
    prompt: question(terms),
    data_source: `${terms.length} terms`,
    ability: 'math',
    reward_model: { ground_truth: String(terms.reduce((sum, term) => sum + term, 0)) },
  }
}

function working(terms: readonly number[]): string {
  let total = terms[0]!
  const lines: string[] = []
  for (let next = 1; next < terms.length; ) {
    const taken = terms.slice(next, next + (random.uniform() < 0.3 ? 2 : 1))
    next += taken.length
    const right = [total, ...taken].reduce((sum, term) => sum + term, 0)
    const carries = Math.floor(right / 10) > Math.floor(total / 10)
    const result = right - (carries && random.uniform() < forgets ? 10 : 0)
    const order = random.below(2) === 0 ? [total, ...taken] : [...taken, total]
    lines.push(`${order.join('+')}=${result}`)
    total = result
  }
  return `${lines.join(' ')} \\boxed{${total}}`
}
