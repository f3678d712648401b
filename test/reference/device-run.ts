import { type LossOptions, Policy } from '../../src/index.ts'
import { qwen3 } from './device-shape.ts'
import { Random } from './random.ts'

const config = { ...qwen3, tie_word_embeddings: false }

const losses: Record<string, LossOptions> = {
  'clipped, with k3 and entropy': { entropyCoefficient: 0.02, klCoefficient: 0.1, temperature: 0.8 },
  'dual clip, importance weights': { dualClip: 1.5, importanceSamplingCap: 1.1 },
  'sequence ratios': { ratioLevel: 'sequence', importanceSamplingCap: 1.2, entropyCoefficient: 0.01 },
}

/** What one dtype gives: numbers by name, and the tokens that were drawn. */
export interface DeviceRun {
  values: Record<string, number[]>
  tokens: number[][]
}

/** Scores, gradients and completions of a small policy, by whatever kernels the addon takes. */
export async function deviceRun(dtype: 'float32' | 'bfloat16'): Promise<DeviceRun> {
  const random = new Random(17)
  using policy = await Policy.create(config, { device: 'cpu', dtype, seed: 5n })
  const lengths = [21, 9, 34, 2]
  const offsets = Int32Array.from([0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0))])
  const promptLengths = Int32Array.of(5, 5, 13, 1)
  const responses = offsets.at(-1)! - promptLengths.reduce((a, b) => a + b, 0)
  const batch = { tokenIds: Int32Array.from(random.integers(offsets.at(-1)!, 331)), offsets, promptLengths }
  const values: Record<string, number[]> = {}
  const { logprobs, entropy } = await policy.score(batch, { temperature: 0.7 })
  values['score, log-probs'] = Array.from(logprobs)
  values['score, entropies'] = Array.from(entropy)
  const near = () => Float32Array.from({ length: responses }, (_, i) => logprobs[i]! + 0.3 * random.normal())
  const training = {
    ...batch,
    advantages: Float32Array.of(1, -0.5, 0.8, -1.2),
    oldLogprobs: near(),
    referenceLogprobs: near(),
    samplerLogprobs: near(),
  }
  for (const [name, options] of Object.entries(losses)) {
    const stats = await policy.computeGradients(training, options)
    const { loss, policyLoss, entropy, kl, approxKl, clipFractionLow, clipFractionHigh, gradNorm } = stats
    values[`${name}, figures`] = [loss, policyLoss, entropy, kl, approxKl, clipFractionLow, clipFractionHigh, gradNorm]
    values[`${name}, sampler`] = [stats.logprobDifferenceMean, stats.logprobDifferenceMax]
    for (const parameter of policy.parameterShapes())
      values[`${name}, ${parameter.name}`] = Array.from(await policy.gradient(parameter.name))
  }
  const prompts = [3, 40, 17].map((length) => ({ promptTokenIds: Int32Array.from(random.integers(length, 331)), n: 3 }))
  const tokens: number[][] = []
  for (const sampling of [{ temperature: 0 }, { temperature: 0.8 }, { temperature: 1, topP: 0.8, topK: 40 }]) {
    const generated = await policy.generate(prompts, { maxNewTokens: 20, seed: 11, stopTokenIds: [], ...sampling })
    const completions = generated.flatMap((group) => group.completions)
    tokens.push(...completions.map(({ tokenIds }) => Array.from(tokenIds)))
    const name = `generated at ${JSON.stringify(sampling)}`
    values[`${name}, log-probs`] = completions.flatMap(({ logprobs }) => Array.from(logprobs))
    values[`${name}, entropies`] = completions.flatMap(({ entropy }) => Array.from(entropy))
  }
  return { values, tokens }
}

if (process.argv[2] === 'print')
  process.stdout.write(JSON.stringify(await deviceRun(process.argv[3] as 'float32' | 'bfloat16')))
