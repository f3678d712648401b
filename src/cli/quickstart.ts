import { readFile, rm } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filePath, loadConfig } from '../config/load.ts'
import { trainSchema } from '../config/schema.ts'
import { dataPaths } from '../data/load-prompts.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import { ProgressLine } from '../metrics/progress.ts'
import { createBaseModel, supervisedSteps } from '../quickstart/base-model.ts'
import { writeQuickstartData } from '../quickstart/data.ts'
import { interruptSignal } from './interrupt.ts'
import { train } from './train.ts'

const example = new URL('../../examples/quickstart.yaml', import.meta.url)
const schema = new URL('../../schema/train.schema.json', import.meta.url)

/**
 * `magic-grpo quickstart`: makes the data and the base model that runs/quickstart.yaml names, a copy of
 * examples/quickstart.yaml in the working directory, then trains by it. What an earlier quickstart left there is replaced.
 */
export async function quickstart(overrides: string[] = []): Promise<void> {
  const recipe = resolve('runs/quickstart.yaml')
  // Kernels of a model this small are too short to share: a second thread gains little, and where another process wants
  // a core it makes every kernel wait. OpenMP reads this once, when the native core is loaded.
  process.env.OMP_NUM_THREADS ??= '1'
  const progress = new ProgressLine(process.stderr, supervisedSteps)
  const interrupt = interruptSignal(() => progress.line('stopping'))
  const text = (await readFile(example, 'utf8')).replace('../schema/train.schema.json', fileURLToPath(schema))
  await writeAtomic(recipe, text)
  try {
    await prepareQuickstart(recipe, { signal: interrupt.signal, note: (text) => progress.line(text) })
  } finally {
    interrupt.release()
  }
  progress.line(`reinforcement: magic-grpo train -c ${shown(recipe)}`)
  await train({ config: recipe, overrides })
}

/** What comes before the training by `file`: its data, tokenizer and base model. Its output folder is emptied. */
export async function prepareQuickstart(
  file: string,
  { signal, note = () => {} }: { signal?: AbortSignal; note?: (text: string) => void } = {},
): Promise<void> {
  const paths = { model: filePath, output: filePath, 'data.train': filePath }
  const { model, output, seed, data } = await loadConfig(trainSchema, { file }, paths)
  for (const folder of [output, model]) await rm(folder, { recursive: true, force: true })
  const folder = dirname(dataPaths(data.train)[0]!)
  note(`data: sums of two-digit numbers, in ${shown(folder)}`)
  const { supervised } = await writeQuickstartData(folder, seed)
  note(`base model: a Qwen2 of 0.67 million parameters learns from worked sums, which mostly forget the carry`)
  await createBaseModel(model, {
    ...{ examples: supervised, seed, signal },
    onStep: ({ step, 'sft/loss': loss }) => {
      if (step % 20 === 0) note(`supervised step ${step}/${supervisedSteps}  loss ${loss!.toFixed(3)} nats a token`)
    },
  })
  note(`base model: ${shown(model)}`)
}

function shown(path: string): string {
  return relative(process.cwd(), path) || '.'
}
