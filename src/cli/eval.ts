import { resolve } from 'node:path'
import { requireFiles, requireModel } from '../config/train-config.ts'
import { describeDropped } from '../data/load-prompts.ts'
import { type EvaluationResult, evaluate } from '../evaluate/evaluate.ts'
import { loadEvaluationSets } from '../evaluate/evaluation-sets.ts'
import { resultsTable } from '../evaluate/results-table.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import { ProgressLine } from '../metrics/progress.ts'
import { sampleRows, samplesTable } from '../metrics/samples-table.ts'
import { Policy } from '../policy/policy.ts'
import { LocalEngine } from '../rollout/local-engine.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { interruptSignal } from './interrupt.ts'
import { howAnswered, type ProblemArguments } from './model-options.ts'
import { chooseVerifier } from './verifier-option.ts'

/** `magic-grpo eval`. */
export async function evaluateModel(
  options: ProblemArguments & {
    answers?: string
    out?: string
    json?: boolean
  },
): Promise<void> {
  await requireModel(options.model, '--model')
  await requireFiles('data', options.data)
  const tokenizer = await Tokenizer.load(options.model)
  const { verifier, described } = await chooseVerifier(options.verifier)
  const { system: systemPrompt, suffix: promptSuffix, maxPromptLength } = options
  const prompting = { tokenizer, systemPrompt, promptSuffix, maxPromptLength }
  const sets = await loadEvaluationSets(options.data, prompting, 'data')
  const progress = new ProgressLine(process.stderr, 0)
  for (const { name, dropped } of sets)
    if (describeDropped(dropped) !== '') progress.line(`${name}: ${describeDropped(dropped)} dropped`)
  const interrupt = interruptSignal(() => {})
  const policy = await Policy.load(options.model, { device: options.device, dtype: options.dtype })
  try {
    const { samples, maxNewTokens, temperature, topP, topK, seed } = options
    const results: EvaluationResult[] = []
    for (const set of sets)
      results.push(
        await evaluate(new LocalEngine(policy, tokenizer), verifier, set, {
          ...{ samples, maxResponseLength: maxNewTokens, temperature, topP, topK, maxBatchSize: 64, seed },
          signal: interrupt.signal,
          onProgress: ({ tokens }) => progress.progress({ step: 0, phase: 'evaluate', tokens }),
        }),
      )
    const report = {
      ...howAnswered(options, described),
      sets: results.map(({ answers: _, ...result }) => result),
    }
    const json = `${JSON.stringify(report, null, 2)}\n`
    if (options.out !== undefined) await writeAtomic(resolve(options.out), json)
    if (options.answers !== undefined) await writeAtomic(resolve(options.answers), results.map(answerLines).join(''))
    process.stdout.write(options.json ? json : text(results))
  } finally {
    interrupt.release()
    policy.dispose()
  }
}

function text(results: readonly EvaluationResult[]): string {
  const samples = results.map(({ answers }) => samplesTable(sampleRows(answers, 8), process.stdout.columns))
  return `${[...samples, resultsTable(results)].join('\n\n')}\n`
}

function answerLines({ name, answers }: EvaluationResult): string {
  return answers
    .flatMap(({ sampled: { prompt, rollouts }, verdicts }) =>
      rollouts.map(({ text, finishReason }, sample) => ({
        ...{ set: name, promptId: prompt.id, sample, prompt: prompt.messages, response: text, finishReason },
        ...{ answer: prompt.answer, verdict: verdicts[sample] },
      })),
    )
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('')
}
