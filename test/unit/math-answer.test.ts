import test from 'ava'
import fc from 'fast-check'
import { compareAnswers } from '../../src/verify/math/answer.ts'

const equalAnswers = (given: string, gold: string) => compareAnswers(given, gold).equal

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
      const sign = n < 0 ? '-' : ''
      const spellings = [
        `\\frac{${n * k}}{${d * k}}`,
        `${sign}\\frac{${Math.abs(n)}}{${d}}`,
        `(${n})/${d}`,
        `${n * k} / ${d * k}`,
      ]
      return spellings.every((text) => equalAnswers(text, `${n}/${d}`) && !equalAnswers(text, `${n + 1}/${d}`))
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

test('any text is compared without an error', (t) => {
  const pieces = fc.constantFrom(
    ...[
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
    ],
    ...[
      '[',
      ']',
      '\\{',
      '\\}',
      '|',
      '<',
      '\\cup',
      '\\sqrt',
      '!',
      '_',
      '&',
      '\\\\',
      '\\pm',
      '\\sin',
      ':',
      ';',
      'and',
      '\\infty',
      '\\log',
    ],
    ...['\\begin{pmatrix}', '\\end{pmatrix}'],
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const text = parts.join('')
      for (const gold of ['5', '(1,2)', 'x^2', '[1,2)', 'x<1']) compareAnswers(text, gold)
    }),
    { numRuns: 1000 },
  )
  t.pass()
})
