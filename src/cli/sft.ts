import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../config/config-error.ts'
import { pathList, resolveSftConfig } from '../config/train-config.ts'
import { JsonLines } from '../metrics/json-lines.ts'
import { ProgressLine } from '../metrics/progress.ts'
import { runFiles } from '../metrics/run-folder.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
import type { Device } from '../native/contract.ts'
import { Policy } from '../policy/policy.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { isAbort } from '../train/abort.ts'
import { describeMemory, predictSftMemory } from '../train/run-memory.ts'
import { sft as fineTune } from '../train/sft.ts'
import { loadExamples } from '../train/sft-examples.ts'
import { dryRun, memoryComment } from './dry-run.ts'
import { interruptSignal } from './interrupt.ts'

/** `magic-grpo sft`: the output folder becomes a Hugging Face folder, with metrics.jsonl beside the weights. */
export async function sft(options: { config?: string; overrides: string[]; dryRun?: boolean }): Promise<void> {
  const { overrides, config: file } = options
  const resolved = await resolveSftConfig({ overrides, ...(file !== undefined && { file }) })
  if (options.dryRun) {
    const memory = await memoryComment(() => predictSftMemory(resolved.config))
    process.stdout.write(`${dryRun(resolved)}${memory}\n`)
    return
  }
  const { config } = resolved
  await requireFreshOutput(config.output)
  const tokenizer = await Tokenizer.load(config.model)
  const { systemPrompt, promptSuffix } = config.data
  const { examples, dropped } = await loadExamples(pathList(config.data.train), {
    ...{ tokenizer, systemPrompt, promptSuffix, maxLength: config.maxLength },
  })
  const progress = new ProgressLine(process.stderr, config.steps)
  progress.line(`${examples.length} examples (${dropped.tooLong} too long), ${config.batchSize} a step`)
  progress.line(describeMemory(await predictSftMemory(config)))
  const interrupt = interruptSignal(() => progress.line('stopping: saving the last whole step'))
  const policy = await Policy.load(config.model, { device: config.device as Device, dtype: config.dtype })
  try {
    const log = new JsonLines<Metrics>(join(config.output, 'metrics.jsonl'))
    let steps = 0
    const aborted: unknown = await fineTune({
      ...{ policy, examples, config, signal: interrupt.signal },
      onWarning: (text) => progress.line(text),
      onStep: async (metrics) => {
        await log.append(metrics)
        steps = metrics.step
        const loss = metrics['sft/loss']!.toFixed(4)
        progress.line(`step ${metrics.step}/${config.steps}  loss ${loss}  ${metrics['timing_s/step']!.toFixed(2)} s`)
      },
    }).then(
      () => undefined,
      (error) => {
        if (isAbort(error, interrupt.signal)) return error
        throw error
      },
    )
    if (steps > 0) {
      await policy.save(config.output)
      process.stdout.write(`model: ${config.output}\n`)
    }
    if (aborted) throw aborted
  } finally {
    interrupt.release()
    policy.dispose()
  }
}

/** Throws a ConfigError where the folder holds a run or a model, as the one to start from, that would be overwritten. */
async function requireFreshOutput(output: string): Promise<void> {
  const names: string[] = await readdir(output).catch(() => [])
  const taken = ['config.json', ...runFiles].find((name) => names.includes(name))
  if (taken === undefined) return
  const what = taken === 'config.json' ? 'model' : 'run'
  throw new ConfigError(
    `'output': ${output} already holds a ${what} (${taken}); give another folder, as output=${output}-2`,
  )
}
