import type { SftConfig } from '../config/schema.ts'
import { Random } from '../data/random.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
import type { Policy } from '../policy/policy.ts'
import { learningRateAt } from './learning-rate.ts'
import { warnOfMemoryRetries } from './memory-retries.ts'
import type { Example } from './sft-examples.ts'
import { packBatch } from './training-batch.ts'

export interface SftOptions {
  policy: Pick<Policy, 'trainStep'>
  examples: readonly Example[]
  config: Omit<SftConfig, 'model' | 'output' | 'device' | 'dtype' | 'data' | 'maxLength'>
  signal?: AbortSignal | undefined
  onStep?: ((metrics: Metrics) => void | Promise<void>) | undefined
  onWarning?: ((text: string) => void) | undefined
}

/**
 * Supervised fine-tuning: minimises the mean of -log-prob over the response tokens of each batch. It is the training
 * step with every advantage 1 and a ratio of exactly 1, whose gradient is that of the mean log-prob.
 *
 * @returns one record a step: `sft/loss` in nats a token, before the step's update; 0 where that was skipped
 * @throws the signal's reason once it is aborted
 */
export async function sft({ policy, examples, config, signal, onStep, onWarning }: SftOptions): Promise<Metrics[]> {
  const order = shuffledForever(examples, config.seed)
  const history: Metrics[] = []
  for (let step = 1; step <= config.steps; step++) {
    signal?.throwIfAborted()
    const batch = packBatch(
      Array.from({ length: config.batchSize }, () => {
        const { promptTokenIds, completionTokenIds } = order.next().value
        const sampledLogprobs = new Float32Array(completionTokenIds.length)
        return { promptTokenIds, completionTokenIds, sampledLogprobs, advantage: 1 }
      }),
    )
    const { tokenIds, offsets, promptLengths, advantages } = batch
    const { maxTokensPerMicroBatch, activationBytes, activationCheckpointing, gradientDtype } = config
    const { betas, epsilon, weightDecay, maxGradNorm } = config
    const learningRate = learningRateAt(step, config)
    const stats = await policy.trainStep(
      { tokenIds, offsets, promptLengths, advantages },
      {
        ...{ temperature: 1, clipLow: 0.2, clipHigh: 0.2, entropyCoefficient: 0, klCoefficient: 0 },
        ...{ learningRate, betas, epsilon, weightDecay, maxGradNorm },
        ...{ maxTokensPerMicroBatch, activationBytes, activationCheckpointing, gradientDtype },
        ...(signal && { signal }),
      },
    )
    warnOfMemoryRetries('an update', stats, onWarning)
    const applied = (value: number) => (stats.skipped ? 0 : value)
    const metrics: Metrics = {
      step,
      'sft/loss': applied(stats.entropySampled),
      'actor/entropy': applied(stats.entropy),
      'actor/grad_norm': applied(stats.gradNorm),
      'actor/learning_rate': learningRate,
      'actor/updates_skipped': stats.skipped ? 1 : 0,
      'timing_s/step': stats.seconds,
      'perf/tokens_per_second': stats.seconds === 0 ? 0 : tokenIds.length / stats.seconds,
      'perf/peak_memory_bytes': stats.peakMemoryBytes,
    }
    history.push(metrics)
    await onStep?.(metrics)
  }
  return history
}

/** Every example once an epoch, in an order of its own each time. */
function* shuffledForever<T>(items: readonly T[], seed: number): Generator<T, never> {
  const random = new Random(seed)
  for (;;) yield* random.shuffle([...items])
}
