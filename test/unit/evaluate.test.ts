import test from 'ava'
import { type EvaluationOptions, evaluate, evaluationMetrics } from '../../src/evaluate/evaluate.ts'
import { LocalEngine } from '../../src/rollout/local-engine.ts'
import { MathVerifier } from '../../src/verify/math/math-verifier.ts'
import type { Verifier } from '../../src/verify/verifier.ts'
import { fakePolicy, group } from './fixtures.ts'

const { prompt } = group({ prompt: [1], responses: [[2]], advantages: [0] })
const options: EvaluationOptions = {
  ...{ samples: 4, maxResponseLength: 4, temperature: 1, topP: 1, topK: 0, maxBatchSize: 8, seed: 0 },
}

/** Answers each prompt by these texts; a text that ends in ... is truncated. */
function engine(answers: string[][]) {
  const texts = answers.flat()
  return new LocalEngine(
    fakePolicy((_, at) =>
      answers[at]!.map((text) => ({
        ...{ tokenIds: Int32Array.of(texts.indexOf(text)), logprobs: Float32Array.of(0), entropy: Float32Array.of(0) },
        finishReason: text.endsWith('...') ? 'length' : 'stop',
      })),
    ),
    { decode: (ids) => texts[ids[0]!]!, stopTokenIds: [] },
  )
}
const problem = (answer: string, source: string) => ({ ...prompt, answer, source })

test('avg, pass and maj of mathematics, by source', async (t) => {
  const prompts = [problem('1/2', 'aime'), problem('7', 'aime'), problem('9', 'gsm')]
  const answers = [
    ['\\boxed{0.5}', '\\boxed{\\frac12}', '\\boxed{3}', '\\boxed{3.0}'],
    ['\\boxed{8}', 'so 7', 'and ...', '\\boxed{7} ...'],
    ['9', '9', 'no', '...'],
  ]
  const result = await evaluate(engine(answers), new MathVerifier(), { name: 'set', prompts }, options)
  t.is(result.accuracy, 3 / 12)
  t.is(result.majority, (1 / 2 + 1 / 2 + 0) / 3, '3 and 3.0 tie with one half; 8 with 7; no box, no vote')
  t.is(result.passAt[4], 2 / 3)
  t.is(result.truncated, 3 / 12)
  t.is(result.bySource.gsm!.accuracy, 0)
  t.is(result.bySource.gsm!.majority, 0, 'a problem without a vote is not solved')
  t.is(evaluationMetrics(result)['eval/set/aime/avg@4'], 3 / 8)
})

test('a verifier that extracts nothing has no majority', async (t) => {
  const verifier: Pick<Verifier, 'verify' | 'sameAnswer'> = { verify: async () => ({ reward: 1, correct: true }) }
  const result = await evaluate(engine([['a', 'b', 'c', 'd']]), verifier, { name: 'x', prompts: [prompt] }, options)
  t.is(result.majority, null)
  t.is(result.accuracy, 1)
})
