import test from 'ava'
import { answerText, boxedAnswer } from '../../src/verify/extract.ts'
import { extractAnswer } from '../../src/verify/math/prose.ts'

test('the answer follows the last </think>', (t) => {
  t.is(answerText('<think>a</think>b</think>c'), 'c')
  t.is(answerText('no thinking'), 'no thinking')
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
  test(`last box of ${text}`, (t) => t.is(boxedAnswer(text), expected))
}

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
  ['so it is $28$ percent', '28'],
  ['x = 1/3', 'x = 1/3'],
  ['we get $k = \\frac{1}{3}$', 'k = \\frac{1}{3}'],
  ['the sum is 1 000', '1 000'],
  ['In all 5 apples', '5'],
  ['42', '42'],
  // part of something larger
  ['2 + 3', '2 + 3'],
  ['it is 10 \\times 5', null],
  ['it is 5 - x', null],
  ['x <= 2', 'x <= 2'],
  ['x \\neq 3', 'x \\neq 3'],
  ['the solutions are 1, 2', null],
  ['the answer is 1 or 2', '1 or 2'],
  ['either 2 or x', null],
  ['it is 10^3', null],
  ['it is \\sqrt{3}', null],
  ['it is 3x', null],
  ['the point (1, 2)', null],
  ['at 5:30', null],
  ['3-5', '3-5'],
  ['no number', null],
]
for (const [text, expected] of prose) {
  test(`extraction any of ${JSON.stringify(text)}`, (t) => t.is(extractAnswer(text, 'any'), expected))
}
