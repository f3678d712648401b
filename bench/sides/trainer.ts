/** Our side of the comparisons of whole GRPO steps. */

import { recipeOf } from '../../src/config/recipe.ts'
import type { RecipeInput } from '../../src/config/recipe-schema.ts'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { loadAddon } from '../../src/native/load.ts'
import { Policy } from '../../src/policy/policy.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { loadRunPrompts } from '../../src/train/run-data.ts'
import { Trainer, type TrainerOptions } from '../../src/train/trainer.ts'
import { loadVerifier } from '../../src/verify/load-verifier.ts'
import { serve, type Work } from './serve.ts'

/** Steps on prompts whose responses all have the greatest length; every second response is right. */
export interface TextsJob {
  model: string
  dtype: 'float32' | 'bfloat16'
  texts: string[]
  config: RecipeInput
}

/** Steps of a run's configuration. */
export interface RunJob {
  /** of the YAML file */
  config: string
  overrides: string[]
}

loadAddon()
serve(async (job: TextsJob | RunJob): Promise<Work> => {
  const options = 'texts' in job ? await ofTexts(job) : await ofRun(job)
  const native = timeNativeCalls(options.policy)
  const trainer = new Trainer(options)
  return {
    facts: { ...loadAddon().versions(), promptTokens: options.prompts.map(({ tokenIds }) => tokenIds.length) },
    async run() {
      native.seconds = 0
      const { metrics } = await trainer.trainStep()
      return {
        seconds: metrics['timing_s/step']!,
        outsideNative: metrics['timing_s/step']! - native.seconds,
        reward: metrics['reward/mean']!,
        entropy: metrics['actor/entropy']!,
        kept: metrics['group/kept']!,
      }
    },
  }
})

async function ofTexts({ model, dtype, texts, config }: TextsJob): Promise<TrainerOptions> {
  const tokenizer = await Tokenizer.load(model)
  const prompts = texts.map((text, i) => ({
    ...{ id: String(i), messages: [{ role: 'user', content: text }], tokenIds: tokenizer.encode(text) },
    ...{ answer: '', source: 'benchmark', extra: {} },
  }))
  let graded = 0
  return {
    policy: await Policy.load(model, { dtype }),
    tokenizer: { decode: (ids, options) => tokenizer.decode(ids, options), stopTokenIds: [] },
    prompts,
    verifier: () => graded++ % 2,
    config,
  }
}

async function ofRun({ config: path, overrides }: RunJob): Promise<TrainerOptions> {
  const config = await loadTrainConfig({ file: path, overrides })
  const tokenizer = await Tokenizer.load(config.model)
  const { prompts } = await loadRunPrompts(config, tokenizer)
  const verifier = await loadVerifier(config.verifier, process.cwd(), config)
  const policy = await Policy.load(config.model, { dtype: config.dtype })
  return { policy, tokenizer, prompts, verifier, config: recipeOf(config) }
}

/** Counts the seconds in the addon: of a training step as it measures itself, of generation the whole call. */
function timeNativeCalls(policy: Policy): { seconds: number } {
  const native = { seconds: 0 }
  const generate = policy.generate.bind(policy)
  policy.generate = async (...call) => {
    const begun = performance.now()
    const result = await generate(...call)
    native.seconds += (performance.now() - begun) / 1000
    return result
  }
  const trainStep = policy.trainStep.bind(policy)
  policy.trainStep = async (...call) => {
    const stats = await trainStep(...call)
    native.seconds += stats.seconds
    return stats
  }
  return native
}
