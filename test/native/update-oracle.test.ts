import test from 'ava'
import { parseRecipe } from '../../src/config/recipe.ts'
import type { RecipeInput } from '../../src/config/recipe-schema.ts'
import { Policy } from '../../src/index.ts'
import type { Sampled } from '../../src/rollout/rollout.ts'
import { resolveStages } from '../../src/stage/resolve-stages.ts'
import { grade } from '../../src/train/grade.ts'
import { updatePolicy } from '../../src/train/update.ts'
import { largestDifference } from '../reference/compare.ts'
import { closeToOracle, loadLossOracle, oracleModel } from '../reference/loss-oracle.ts'

const { step, updates } = loadLossOracle()

/** The text of a response names its reward. */
const sampled: Sampled[] = step.map(({ prompt, responses, sampledLogprobs, rewards, truncated }, g) => ({
  prompt: { id: String(g), messages: [], tokenIds: Int32Array.from(prompt), answer: '', source: '', extra: {} },
  rollouts: responses.map((tokens, index) => ({
    completionTokenIds: Int32Array.from(tokens),
    sampledLogprobs: Float32Array.from(sampledLogprobs[index]!),
    entropy: new Float32Array(tokens.length),
    finishReason: truncated[index] ? 'length' : 'stop',
    text: String(rewards[index]),
  })),
}))

const verifier = {
  verify: async ({ response }: { response: string }) => ({ reward: Number(response), correct: response === '1' }),
}

for (const { settings, advantages, ...expected } of updates) {
  const { entropyCoefficient = 0, ...keys } = settings
  test(`from rewards to gradients as autograd's: ${JSON.stringify(settings)}`, async (t) => {
    using policy = await Policy.load(oracleModel)
    const config = { ...keys, promptsPerStep: 3, maxResponseLength: 12 } as RecipeInput
    const stage = resolveStages(parseRecipe(config))[0]!
    const groups = await Promise.all(sampled.map((group) => grade(group, verifier, stage)))
    for (const [g, group] of groups.entries()) {
      t.true(largestDifference(group.advantages, advantages[g]!) < 1e-9, `${group.advantages}, not ${advantages[g]}`)
      t.is(
        group.rejected,
        advantages[g]!.every((value) => Math.abs(value) < 1e-9),
      )
    }
    for (const maxTokensPerMicroBatch of [8192, 30]) {
      const gradients = {
        score: policy.score.bind(policy),
        async trainStep(
          ...[batch, { learningRate: _, betas, epsilon, weightDecay, maxGradNorm, ...loss } = {}]: Parameters<
            Policy['trainStep']
          >
        ) {
          return policy.computeGradients(batch, loss)
        },
      }
      const kept = groups.filter(({ rejected }) => !rejected)
      const options = { stage: { ...stage, maxTokensPerMicroBatch }, learningRate: 1e-3, entropyCoefficient }
      const measured = await updatePolicy(gradients, kept, options)
      t.is(measured.length, settings.reuse)
      await closeToOracle(t, measured[0]!, policy, expected, `${maxTokensPerMicroBatch} tokens`)
    }
  })
}
