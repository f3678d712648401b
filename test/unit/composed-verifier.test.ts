import test from 'ava'
import type { Prompt } from '../../src/data/prompt.ts'
import { FormatVerifier } from '../../src/verify/format-verifier.ts'
import { loadVerifier } from '../../src/verify/load-verifier.ts'
import { PatternPool } from '../../src/verify/pattern-pool.ts'
import type { RewardSample } from '../../src/verify/verifier.ts'

function prompt(source: string, extra: Record<string, unknown> = {}): Prompt {
  return { id: 'p1', messages: [], tokenIds: new Int32Array(1), answer: '5', source, extra }
}

function sample(response: string, own: Partial<RewardSample> = {}): RewardSample {
  return { response, answer: '5', prompt: prompt('gsm8k'), truncated: false, tokens: 100, ...own }
}

test('format: boxed, closed thinking, a pattern', async (t) => {
  const reward = async (response: string, options: ConstructorParameters<typeof FormatVerifier>[0]) => {
    const verdict = await new FormatVerifier(options).verify(sample(response))
    t.false(verdict.correct)
    return verdict.reward
  }
  t.is(await reward('so \\boxed{7}', {}), 1)
  t.is(await reward('so 7', {}), 0)
  t.is(await reward('\\boxed{7}</think> so 7', {}), 0)
  t.is(await reward('so 7', { boxed: false }), 1)
  const thinking = { boxed: false, thinking: true }
  t.is(await reward('a</think>b', thinking), 1)
  t.is(await reward('\n<think>a</think>b', thinking), 1)
  for (const bad of ['a', '<think>a', 'a</think>b</think>', 'a<think>b</think>', '<think><think>a</think>'])
    t.is(await reward(bad, thinking), 0, bad)
  t.is(await reward('a\nANSWER: 5', { boxed: false, pattern: '^a.ANSWER: \\d$' }), 1)
  t.is(await reward('ANSWER', { boxed: false, pattern: 'ANSWER: \\d' }), 0)
  t.throws(() => new FormatVerifier({ pattern: '(' }), { message: /verifier format: pattern is "\(": Invalid regular/ })
})

test('a pattern that would hang is ended, and the next response is graded', async (t) => {
  const verifier = new FormatVerifier(
    { boxed: false, pattern: '^(a+)+$' },
    new PatternPool({ size: 1, timeoutMs: 1000 }),
  )
  const [hung, fine] = await Promise.all([
    verifier.verify(sample(`${'a'.repeat(100_000)}!`)),
    verifier.verify(sample('aaa')),
  ])
  t.is(hung.reward, 0)
  t.is(hung.reason, 'the pattern: no result within 1 s')
  t.is(fine.reward, 1)
})

test('length: a line between two limits', async (t) => {
  const verifier = await loadVerifier('length', '.', { length: { short: 100, long: 300 } })
  const reward = async (tokens: number) => (await verifier.verify(sample('', { tokens }))).reward
  t.deepEqual(await Promise.all([0, 100, 200, 300, 900].map(reward)), [1, 1, 0.5, 0, 0])
  const { tokens: _, ...unknown } = sample('')
  await t.throwsAsync(verifier.verify(unknown), { message: /length: the number of tokens .* p1 is not known/ })
  await t.throwsAsync(loadVerifier('length', '.'), { message: /'length' needs its limits in tokens/ })
  await t.throwsAsync(loadVerifier('length', '.', { length: { long: 0 } }), { message: /short is 0 and long is 0/ })
})

test('a sum: weights, what is correct, what counts only then', async (t) => {
  const sum = [
    { verifier: 'format', weight: 0.1 },
    { verifier: 'math', weight: 2 },
    { verifier: 'length', weight: -0.5, whenCorrect: true },
  ]
  const verifier = await loadVerifier({ sum, correct: 'math' }, '.', { length: { long: 200 } })
  const right = await verifier.verify(sample('\\boxed{5}'))
  t.is(right.reward, 0.1 + 2 - 0.25)
  t.true(right.correct)
  t.is(right.extracted, '5')
  t.is(right.reason, 'format 1, math 1, length 0.5 (100 tokens)')
  const wrong = await verifier.verify(sample('\\boxed{6}'))
  t.is(wrong.reward, 0.1)
  t.false(wrong.correct)
  t.true(await verifier.sameAnswer!('1/2', '0.5'))
  // without a name the first part says it
  const first = await loadVerifier({ sum: [{ verifier: 'math' }, { verifier: 'format', weight: 0.1 }] }, '.')
  t.like(await first.verify(sample('\\boxed{5}')), { reward: 1.1, correct: true })
  await t.throwsAsync(loadVerifier({ sum, correct: 'code' }, '.', { length: { long: 9 } }), {
    message: /correct is 'code': name a part of the sum, format or math or length/,
  })
})

test('by source and by ability, or the default', async (t) => {
  const bySource = await loadVerifier({ bySource: { gsm8k: 'math', toy: 'format' } }, '.')
  t.true((await bySource.verify(sample('\\boxed{5}'))).correct)
  t.like(await bySource.verify(sample('\\boxed{6}', { prompt: prompt('toy') })), { reward: 1, correct: false })
  t.is(bySource.forPrompt!(prompt('toy')).name, 'format')
  await t.throwsAsync(bySource.verify(sample('', { prompt: prompt('toString') })), {
    message: /data_source of prompt p1 is "toString", and there are verifiers for gsm8k, toy: add it, or default/,
  })
  const byAbility = await loadVerifier({ byAbility: { math: 'math', default: { sum: [{ verifier: 'format' }] } } }, '.')
  t.is(byAbility.forPrompt!(prompt('x', { ability: 'math' })).name, 'math')
  t.is(byAbility.forPrompt!(prompt('x', { ability: 'code' })).name, '1 format')
  t.is(byAbility.forPrompt!(prompt('x')).name, '1 format')
})
