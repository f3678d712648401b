import test from 'ava'
import { gradeMath, MathVerifier } from '../../src/verify/math/math-verifier.ts'
import type { RewardSample } from '../../src/verify/verifier.ts'

const sample = (response: string, answer: unknown): RewardSample => ({
  response,
  answer,
  prompt: { id: 'p1', messages: [], tokenIds: Int32Array.of(1), answer, source: 'test', extra: {} },
  truncated: false,
})

test('only what follows the last </think> is graded', async (t) => {
  t.is((await gradeMath('<think>\\boxed{5}</think> It is five.', ['5'])).reward, 0)
  t.is((await gradeMath('<think>\\boxed{4}</think> \\boxed{5}', ['5'])).reward, 1)
})

test('gold answers: texts, numbers, lists, and solutions with a box', async (t) => {
  const verifier = new MathVerifier()
  const reward = async (response: string, answer: unknown) => (await verifier.verify(sample(response, answer))).reward
  t.is(await reward('\\boxed{5}', 5), 1)
  t.is(await reward('\\boxed{1/2}', 0.5), 1)
  t.is(await reward('\\boxed{6}', ['5', 6]), 1)
  t.is(await reward('\\boxed{7}', ['5', 6]), 0)
  t.is(await reward('\\boxed{5}', 'Adding gives $\\boxed{5}$.'), 1)
  // one of several boxes is not the whole answer
  t.is(await reward('\\boxed{-2}', '\\boxed{1} and \\boxed{-2}'), 0)
})

test('a verdict says what was found and why it is wrong', async (t) => {
  const verifier = new MathVerifier()
  t.deepEqual(await verifier.verify(sample('\\boxed{5}', '5')), { reward: 1, correct: true, extracted: '5' })
  t.deepEqual(await verifier.verify(sample('\\boxed{4}', ['5', '6'])), {
    reward: 0,
    correct: false,
    extracted: '4',
    reason: 'not 5 or 6',
  })
  t.deepEqual(await verifier.verify(sample('It is 5.', '5')), {
    reward: 0,
    correct: false,
    reason: 'no \\boxed{} answer',
    outcome: 'no answer',
  })
})

test('a row without a usable answer is an error that names the prompt', async (t) => {
  const verifier = new MathVerifier()
  for (const answer of [undefined, null, '', ' ', [], [''], {}, true, Number.NaN, [['5']]]) {
    await t.throwsAsync(verifier.verify(sample('\\boxed{5}', answer)), {
      message: /verifier math: the answer of prompt p1 is/,
    })
  }
})

test('an aborted signal ends the grading with its reason', async (t) => {
  const signal = AbortSignal.abort(new Error('enough'))
  await t.throwsAsync(new MathVerifier().verify(sample('\\boxed{5}', '5'), signal), { message: 'enough' })
})

test('strict extraction takes no number from prose', async (t) => {
  t.is((await gradeMath('#### 42', ['42'])).reward, 0)
  t.is((await gradeMath('#### 42', ['42'], { extraction: 'any' })).reward, 1)
})

test('answers over the limit are wrong at once', async (t) => {
  const verdict = await gradeMath(`\\boxed{${'9'.repeat(5000)}}`, ['9'.repeat(5000)])
  t.is(verdict.reward, 0)
  t.regex(verdict.reason!, /5000 characters, more than 2000/)
  t.true(verdict.extracted!.length < 200)
})

const hostile: Record<string, string> = {
  'open boxes': '\\boxed{'.repeat(150_000),
  'closed boxes': '\\boxed{}'.repeat(125_000),
  'nested boxes': `${'\\boxed{'.repeat(125_000)}5${'}'.repeat(125_000)}`,
  'open braces': '{'.repeat(1_000_000),
  'closing braces': '}'.repeat(1_000_000),
  backslashes: '\\'.repeat(1_000_000),
  'boxes and spaces': `\\boxed${' '.repeat(1_000_000)}`,
  'many boxes and spaces': `\\boxed${' '.repeat(30)}`.repeat(28_000),
  'a box of digits': `\\boxed{${'1'.repeat(1_000_000)}}`,
  digits: '1'.repeat(1_000_000),
  'grouped digits': '1,'.repeat(500_000),
  'spaced digits': '111 '.repeat(250_000),
  'fractions half written': '\\frac{'.repeat(160_000),
  'fractions and spaces': `\\frac${' '.repeat(1_000_000)}`,
  'ends of thinking': '</think>'.repeat(125_000),
  marks: '#'.repeat(1_000_000),
  spaces: ' '.repeat(1_000_000),
  'box at the limit: spaces': `\\boxed{${' '.repeat(1999)}x}`,
  'box at the limit: digits and spaces': `\\boxed{${'1 '.repeat(999)}}`,
  'box at the limit: fractions': `\\boxed{${'\\frac{1}'.repeat(250)}}`,
  'box at the limit: parentheses': `\\boxed{${'('.repeat(1000)}${')'.repeat(999)}}`,
  'box at the limit: braces': `\\boxed{${'{'.repeat(999)}${'}'.repeat(999)}}`,
  'box at the limit: signs': `\\boxed{${'-'.repeat(1999)}}`,
  'box at the limit: fonts': `\\boxed{${'\\text{'.repeat(330)}}`,
  'box at the limit: letters': `\\boxed{1${' a'.repeat(990)}}`,
  'box at the limit: slashes': `\\boxed{1${'/1'.repeat(990)}}`,
  'a tower': `\\boxed{10^${'{10^'.repeat(300)}${'}'.repeat(300)}}`,
  'a large exponent': '\\boxed{10^{999999999}}',
  'a large factorial': '\\boxed{99999999!}',
}
// the start of a worker is in no answer's time
test.before(async () => void (await gradeMath('\\boxed{x+1}', ['y+1'])))
for (const [name, text] of Object.entries(hostile)) {
  test.serial(`hostile: ${name} is graded at once`, async (t) => {
    const start = performance.now()
    t.is((await gradeMath(text, ['5'])).reward, 0)
    t.is((await gradeMath(text, ['5', '\\frac{1}{2}', 'y'], { extraction: 'any' })).reward, 0)
    t.true(performance.now() - start < 10_000, `${performance.now() - start} ms`)
  })
}
