import type { TrainConfig } from '../config/schema.ts'
import { pathList } from '../config/train-config.ts'
import { describeDropped, type LoadedPrompts, loadPrompts } from '../data/load-prompts.ts'
import { loadEvaluationSets } from '../evaluate/evaluation-sets.ts'
import type { RunEvaluation } from '../evaluate/evaluator.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** The training prompts that a config names. */
export async function loadRunPrompts(config: TrainConfig, tokenizer: Tokenizer): Promise<LoadedPrompts> {
  return loadPrompts(config.data.train, {
    ...promptOptions(config, tokenizer),
    decontaminate: decontamination(config),
  })
}

/** Problems of each file of `evaluation.data`, a set named after its file. */
export async function loadRunEvaluation(
  config: TrainConfig,
  tokenizer: Tokenizer,
  note: (text: string) => void,
): Promise<RunEvaluation | undefined> {
  const { data, maxResponseLength = config.maxResponseLength, ...settings } = config.evaluation
  if (data === undefined) return undefined
  const sets = await loadEvaluationSets(pathList(data), promptOptions(config, tokenizer), 'evaluation.data')
  for (const { name, dropped } of sets)
    if (describeDropped(dropped) !== '') note(`eval/${name}: ${describeDropped(dropped)} dropped`)
  return {
    ...settings,
    sets,
    maxResponseLength,
    topK: 0,
    maxBatchSize: config.maxBatchSize,
    kvCacheBytes: config.kvCacheBytes,
  }
}

/** The evaluation problems are held out, whether or not `data.decontaminate.against` names them. */
function decontamination({ data: { decontaminate }, evaluation }: TrainConfig) {
  if (!decontaminate) return undefined
  const against = new Set([...pathList(decontaminate.against ?? []), ...pathList(evaluation.data ?? [])])
  return { ...decontaminate, against: [...against] }
}

function promptOptions({ data, maxPromptLength }: TrainConfig, tokenizer: Tokenizer) {
  return { tokenizer, systemPrompt: data.systemPrompt, promptSuffix: data.promptSuffix, maxPromptLength }
}
