import { basename, extname, resolve } from 'node:path'
import { requireFiles, requireModel } from '../config/train-config.ts'
import { loadPrompts } from '../data/load-prompts.ts'
import { type EvaluationResult, evaluate } from '../evaluate/evaluate.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import { ProgressLine } from '../metrics/progress.ts'
import { sampleRows, samplesTable } from '../metrics/samples-table.ts'
import type { Device, DType } from '../native/contract.ts'
import { Policy } from '../policy/policy.ts'
import { LocalEngine } from '../rollout/local-engine.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { loadVerifier } from '../verify/load-verifier.ts'
import { interruptSignal } from './interrupt.ts'

/** `magic-grpo eval`. */
export async function evaluateModel(options: {
  data: string[]
  model: string
  samples: number
  maxNewTokens: number
  temperature: number
  topP: number
  topK: number
  seed: number
  verifier: string
  system?: string
  suffix?: string
  maxPromptLength: number
  out?: string
  json?: boolean
  device: Device
  dtype: DType
}): Promise<void> {
  await requireModel(options.model, '--model')
  await requireFiles('data', options.data)
  const tokenizer = await Tokenizer.load(options.model)
  const verifier = await loadVerifier(options.verifier, process.cwd())
  const { system: systemPrompt, suffix: promptSuffix, maxPromptLength } = options
  const interrupt = interruptSignal(() => {})
  const progress = new ProgressLine(process.stderr, 0)
  const policy = await Policy.load(options.model, { device: options.device, dtype: options.dtype })
  try {
    const results: EvaluationResult[] = []
    for (const path of options.data) {
      const { prompts } = await loadPrompts([path], { tokenizer, systemPrompt, promptSuffix, maxPromptLength })
      const set = { name: basename(path, extname(path)), prompts }
      const { samples, maxNewTokens: maxResponseLength, temperature, topP, topK, seed } = options
      results.push(
        await evaluate(new LocalEngine(policy, tokenizer), verifier, set, {
          ...{ samples, maxResponseLength, temperature, topP, topK, maxBatchSize: 64, seed, signal: interrupt.signal },
          onProgress: ({ tokens }) => progress.progress({ step: 0, phase: 'evaluate', tokens }),
        }),
      )
    }
    if (options.out !== undefined) await writeAtomic(resolve(options.out), results.map(answerLines).join(''))
    const figures = results.map(({ answers: _, ...result }) => result)
    process.stdout.write(options.json ? `${JSON.stringify(figures, null, 2)}\n` : `${results.map(table).join('\n')}\n`)
  } finally {
    interrupt.release()
    policy.dispose()
  }
}

function table(result: EvaluationResult): string {
  return [
    samplesTable(sampleRows(result.answers, 8), process.stdout.columns),
    '',
    `${result.name}: ${result.problems} problems, avg@${result.samples} ${result.accuracy.toFixed(4)}, ` +
      `pass@${result.samples} ${result.passed.toFixed(4)}, mean length ${result.meanLength.toFixed(1)}, ` +
      `truncated ${(result.truncated * 100).toFixed(1)} %`,
  ].join('\n')
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
