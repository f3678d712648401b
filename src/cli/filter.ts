import { access } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { ConfigError } from '../config/config-error.ts'
import { requireFiles, requireModel } from '../config/train-config.ts'
import { describeDropped, type LoadedPrompts, loadPrompts } from '../data/load-prompts.ts'
import { hashPrompts } from '../data/prompt-hash.ts'
import { countedRow, type DifficultyBounds, isWithin } from '../filter/difficulty.ts'
import { FilterProgress } from '../filter/filter-progress.ts'
import { countPasses } from '../filter/pass-counts.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import { ProgressLine } from '../metrics/progress.ts'
import { share } from '../metrics/statistics.ts'
import { Policy } from '../policy/policy.ts'
import { LocalEngine } from '../rollout/local-engine.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { isAbort } from '../train/abort.ts'
import { interruptSignal } from './interrupt.ts'
import { howAnswered, type ProblemArguments } from './model-options.ts'
import { chooseVerifier } from './verifier-option.ts'

interface FilterCommand extends ProblemArguments, DifficultyBounds {
  out: string
}

/** `magic-grpo filter`: exits 130 where it was interrupted; the same command goes on. */
export async function filter(options: FilterCommand): Promise<void> {
  const { samples, maxNewTokens, temperature, topP, topK, seed, minRate, maxRate } = options
  if (samples === 1 && minRate === undefined && maxRate === undefined)
    throw new ConfigError(
      "'--samples': one response is always or never right; give at least 2, or --min-rate or --max-rate",
    )
  await requireModel(options.model, '--model')
  await requireFiles('data', options.data)
  const out = resolve(options.out)
  const counts = `${out}.counts.jsonl`
  await requireOwn(out, counts)

  const tokenizer = await Tokenizer.load(options.model)
  const { verifier, described } = await chooseVerifier(options.verifier)
  const { system: systemPrompt, suffix: promptSuffix, maxPromptLength } = options
  const loaded = await loadPrompts(options.data, { tokenizer, systemPrompt, promptSuffix, maxPromptLength })
  const { prompts, dropped } = loaded
  const progress = await FilterProgress.open(counts, {
    ...howAnswered(options, described),
    ...{
      system: systemPrompt ?? null,
      suffix: promptSuffix ?? null,
      dtype: options.dtype,
      prompts: hashPrompts(prompts),
    },
  })
  const line = new ProgressLine(process.stderr, 0)
  const left = describeDropped(dropped)
  line.line(`${prompts.length} prompts${left === '' ? '' : ` (${left} dropped)`}, ${samples} responses each`)
  if (progress.counts.size > 0) line.line(`${progress.counts.size} counted before, in ${counts}`)

  if (progress.counts.size < prompts.length) {
    const interrupt = interruptSignal(() => line.line('stopping'))
    const policy = await Policy.load(options.model, { device: options.device, dtype: options.dtype })
    try {
      await countPasses(new LocalEngine(policy, tokenizer), verifier, prompts, {
        sampling: { samples, maxResponseLength: maxNewTokens, temperature, topP, topK, maxBatchSize: 64 },
        ...{ seed, counted: new Set(progress.counts.keys()), signal: interrupt.signal },
        onCounts: async (found) => {
          await progress.append(found)
          line.line(`${progress.counts.size}/${prompts.length} counted`)
        },
        onProgress: ({ tokens }) => line.progress({ step: 0, phase: 'rollout', tokens }),
      })
    } catch (error) {
      if (!isAbort(error, interrupt.signal)) throw error
      line.line(`${progress.counts.size} of ${prompts.length} prompts counted; the same command goes on`)
      process.exitCode = 130
      return
    } finally {
      interrupt.release()
      policy.dispose()
    }
  }
  process.stdout.write(`${await writeKept(out, loaded, progress, options)}\n`)
}

async function writeKept(
  out: string,
  { prompts, rows }: LoadedPrompts,
  { counts }: FilterProgress,
  bounds: DifficultyBounds,
): Promise<string> {
  const counted = prompts.map(({ id }, index) => ({ row: rows[index]!, count: counts.get(id)! }))
  const kept = counted.filter(({ count }) => isWithin(count, bounds))
  await writeAtomic(out, kept.map(({ row, count }) => `${JSON.stringify(countedRow(row, count))}\n`).join(''))
  const number = (test: (correct: number, samples: number) => boolean) =>
    counted.filter(({ count: { correct, samples } }) => test(correct, samples)).length
  const truncated = share(
    counted.flatMap(({ count }) => Array.from({ length: count.samples }, (_, at) => at < count.truncated)),
    (is) => is,
  )
  return [
    `${kept.length} of ${counted.length} prompts kept: ${out}`,
    `never solved: ${number((correct) => correct === 0)}, always: ${number((correct, samples) => correct === samples)}, ` +
      `truncated responses: ${(100 * truncated).toFixed(1)} %`,
  ].join('\n')
}

/** Nothing is written over but an earlier result of a filter, whose counts lie beside it. */
async function requireOwn(out: string, counts: string): Promise<void> {
  if (!['.jsonl', '.ndjson'].includes(extname(out).toLowerCase()))
    throw new ConfigError(`'--out': ${out}; rows are written as JSON lines: give a path that ends in .jsonl`)
  if ((await exists(out)) && !(await exists(counts)))
    throw new ConfigError(`'--out': ${out} is there and no filter wrote it; give another path`)
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
