import test from 'ava'
import fc from 'fast-check'
import { answerText, extractAnswer, lastBoxed } from '../../src/verify/extract.ts'
import { gradeMath, MathVerifier } from '../../src/verify/math.ts'
import { equalAnswers } from '../../src/verify/math-answer.ts'
import { equalRationals, parseRational } from '../../src/verify/rational.ts'
import type { RewardSample } from '../../src/verify/verifier.ts'

const sample = (response: string, answer: unknown): RewardSample => ({
  response,
  answer,
  prompt: { id: 'p1', messages: [], tokenIds: Int32Array.of(1), answer, source: 'test', extra: {} },
  truncated: false,
})

test('the answer follows the last </think>', (t) => {
  t.is(answerText('<think>a</think>b</think>c'), 'c')
  t.is(answerText('no thinking'), 'no thinking')
  t.is(gradeMath('<think>\\boxed{5}</think> It is five.', ['5']).reward, 0)
  t.is(gradeMath('<think>\\boxed{4}</think> \\boxed{5}', ['5']).reward, 1)
})

const boxes: [string, string | null][] = [
  ['a \\boxed{5} b', '5'],
  ['\\boxed{1} then \\boxed{2}', '2'],
  ['\\fbox{7}', '7'],
  ['\\boxed {8}', '8'],
  ['\\boxed{\\frac{1}{2}}', '\\frac{1}{2}'],
  ['\\boxed{\\{1, 2\\}}', '\\{1, 2\\}'],
  ['\\boxed{a \\} b}', 'a \\} b'],
  ['\\boxed{x = \\boxed{3} + 1}', 'x = \\boxed{3} + 1'],
  ['{ } } \\boxed{4}', '4'],
  ['{ \\boxed{4}', '4'],
  ['\\boxed{oops \\boxed{5}', '5'],
  ['\\boxed{5} and \\boxed{6', null],
  ['\\boxed{5', null],
  ['\\boxed 5', null],
  ['\\boxed{}', ''],
  ['boxed{5}', null],
  ['nothing', null],
]
for (const [text, expected] of boxes) {
  test(`last box of ${text}`, (t) => t.is(lastBoxed(text), expected))
}

const equal: [string, string][] = [
  ['5', '5'],
  ['-5', '−5'],
  ['+5', '5'],
  ['007', '7'],
  ['5.', '5'],
  ['5.0', '5'],
  ['.5', '0.5'],
  ['0.5', '\\frac{1}{2}'],
  ['7,425,000', '7425000'],
  ['7{,}425', '7425'],
  ['32,\\! 349', '32349'],
  ['1 000', '1000'],
  ['1000,99', '1000.99'],
  ['\\dfrac{1}{3}', '1/3'],
  ['\\tfrac13', '\\frac{1}{3}'],
  ['\\frac1{72}', '1/72'],
  ['-\\frac{2}{4}', '-1/2'],
  ['\\frac{-1}{2}', '-0.5'],
  ['\\frac{1}{-2}', '-0.5'],
  ['2/4', '1/2'],
  ['1 1/2', '1.5'],
  ['1\\frac{1}{2}', '3/2'],
  ['-1\\frac12', '-1.5'],
  ['(5)', '5'],
  ['-(5)', '-5'],
  ['1.5e3', '1500'],
  ['1.5 \\times 10^3', '1500'],
  ['1.5\\cdot 10^{-3}', '0.0015'],
  ['10^{6}', '1,000,000'],
  ['28\\%', '28'],
  ['28', '28\\%'],
  ['28 percent', '28\\%'],
  ['28\\%', '0.28'],
  ['$5', '5'],
  ['\\$18', '18'],
  ['18 dollars', '\\$18'],
  ['-\\$5', '-5'],
  ['5€', '5'],
  ['5 cm', '5'],
  ['5cm', '5\\text{ cm}'],
  ['5\\text{ cm}^2', '5'],
  ['5 m²', '5'],
  ['60 km/h', '60'],
  ['18\\text{eggs}', '18'],
  ['3 apples', '3 apple'],
  ['90^\\circ', '90'],
  ['90^{\\circ}', '90°'],
  ['90 degrees', '90'],
  ['\\frac{1}{3} \\textbf{meters}', '1/3'],
  ['x = 5', '5'],
  ['5', 'x=5'],
  ['x_1 = 5', '5'],
  ['f(x) = 2x', '2x'],
  ['$5$', '5'],
  ['\\(5\\)', '$$5$$'],
  ['\\text{42}', '42'],
  ['{5}', '5'],
  ['\\left( 1, 2 \\right)', '(1,2)'],
  ['\\text{Yes}', 'yes'],
  ['\\text{(B)}', 'B'],
  ['\\sqrt{3}', '\\sqrt3'],
  ['1 \\pm \\sqrt{19}', '1\\pm\\sqrt{19}'],
  ['x^{2}', 'x^2'],
]
for (const [given, gold] of equal) {
  test(`${given} equals ${gold}`, (t) => t.true(equalAnswers(given, gold)))
}

const different: [string, string][] = [
  ['5', '6'],
  ['5', '-5'],
  ['', ''],
  ['', '5'],
  ['--5', '5'],
  ['1/0', '0'],
  ['\\frac{5}{0}', '5'],
  ['0.333', '1/3'],
  ['3.14', '\\pi'],
  ['5 or 6', '5'],
  ['5, 6', '5'],
  ['5,6', '5'],
  ['5 6', '56'],
  ['1 2', '12'],
  ['1, 234', '1234'],
  ['(1,2)', '1.2'],
  ['[1,2]', '(1,2)'],
  ['-2.1', '-2,1'],
  ['5x', '5'],
  ['5 x', '5'],
  ['5abc', '5'],
  ['5 \\pi', '5'],
  ['5 pi', '5'],
  ['5 million', '5'],
  ['5 squared', '5'],
  ['3/x', '3'],
  ['2\\frac{3}{2}', '3.5'],
  ['2\\frac{3}{2}', '3'],
  ['1/2/3', '1/6'],
  ['5!', '5'],
  ['5^2', '5'],
  ['5^2', '52'],
  ['10²', '102'],
  ['10^2', '102'],
  ['2x = 8', '8'],
  ['x^2 = 4', '4'],
  ['x = 5', 'y = 5'],
  ['x \\ne 5', '5'],
  ['x > 5', '5'],
  ['1 = 1 = 5', '5'],
  ['5 cm', '5 kg'],
  ['5\\%', '6\\%'],
  ['28\\%', '2800'],
  ['0.28\\%', '28'],
  ['1e9999', '1e9998'],
  ['AB', 'ab'],
  ['x', 'X'],
  ['Infinity', '1e400'],
  ['NaN', '5'],
  ['0x10', '16'],
  ['1_000', '1000'],
  ['12,34', '1234'],
  ['1,2345', '12345'],
  ['1$2', '12'],
  ['\\boxed{5', '5'],
]
for (const [given, gold] of different) {
  test(`${given} differs from ${gold}`, (t) => t.false(equalAnswers(given, gold)))
}

test('numbers are exact beyond what a float holds', (t) => {
  t.false(equalAnswers('9007199254740993', '9007199254740992'))
  t.true(equalAnswers('0.1', '1/10'))
  t.false(equalAnswers('0.1', '0.1000000000000000055511151231257827'))
  t.false(equalAnswers('1e-400', '0'))
})

test('a rational in any of its spellings has one value', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 50 }), (n, d, k) => {
      const value = parseRational(`${n}/${d}`)!
      const sign = n < 0 ? '-' : ''
      const spellings = [
        `\\frac{${n * k}}{${d * k}}`,
        `${sign}\\frac{${Math.abs(n)}}{${d}}`,
        `(${n})/${d}`,
        `${n * k} / ${d * k}`,
      ]
      return (
        spellings.every((text) => equalRationals(parseRational(text)!, value)) &&
        equalAnswers(spellings[0]!, `${n}/${d}`)
      )
    }),
  )
  t.pass()
})

test('integers are equal only to themselves', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (a, b) => equalAnswers(a.toLocaleString('en-US'), String(b)) === (a === b)),
  )
  t.pass()
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

const prose: [string, string | null][] = [
  ['\\boxed{5} or maybe 6', '5'],
  ['some work\n#### 1,080', '1,080'],
  ['The answer is 42.', '42'],
  ['The answer is **42**', '42'],
  ['The answer is $-42$.', '-42'],
  ['It costs $1,000.99 in all', '1,000.99'],
  ['the total of \\$18', '18'],
  ['Answer: \\( 9 \\)', '9'],
  ['so it is 28 percent', '28%'],
  ['so it is $28$ percent', '28%'],
  ['x = 1/3', '1/3'],
  ['we get $k = \\frac{1}{3}$', '\\frac{1}{3}'],
  ['the sum is 1 000', '1 000'],
  ['In all 5 apples', '5'],
  ['42', '42'],
  // part of something larger
  ['2 + 3', null],
  ['it is 10 \\times 5', null],
  ['it is 5 - x', null],
  ['x <= 2', null],
  ['x \\neq 3', null],
  ['the solutions are 1, 2', null],
  ['the answer is 1 or 2', null],
  ['either 2 or x', null],
  ['it is 10^3', null],
  ['it is \\sqrt{3}', null],
  ['it is 3x', null],
  ['the point (1, 2)', null],
  ['at 5:30', null],
  ['3-5', null],
  ['no number', null],
]
for (const [text, expected] of prose) {
  test(`extraction any of ${JSON.stringify(text)}`, (t) => t.is(extractAnswer(text, 'any'), expected))
}

test('strict extraction takes no number from prose', (t) => {
  t.is(gradeMath('#### 42', ['42']).reward, 0)
  t.is(gradeMath('#### 42', ['42'], 'any').reward, 1)
})

test('answers over the limit are wrong at once', (t) => {
  const verdict = gradeMath(`\\boxed{${'9'.repeat(5000)}}`, ['9'.repeat(5000)])
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
for (const [name, text] of Object.entries(hostile)) {
  test(`hostile: ${name} is graded at once`, (t) => {
    const start = performance.now()
    t.is(gradeMath(text, ['5']).reward, 0)
    t.is(gradeMath(text, ['5', '\\frac{1}{2}', 'y'], 'any').reward, 0)
    t.true(performance.now() - start < 900, `${performance.now() - start} ms`)
  })
}

test('any text gets a verdict', (t) => {
  const pieces = fc.constantFrom(
    '\\boxed{',
    '}',
    '{',
    '\\frac',
    '1',
    '2',
    '/',
    '^',
    '-',
    ' ',
    '=',
    'x',
    '\\text{',
    '%',
    '$',
    ',',
    '.',
    '(',
    ')',
    '\\',
    'e',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const { reward } = gradeMath(`\\boxed{${parts.join('')}}`, ['5', '1/2'], 'any')
      return reward === 0 || reward === 1
    }),
    { numRuns: 2000 },
  )
  t.pass()
})
