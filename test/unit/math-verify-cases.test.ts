import { readFile } from 'node:fs/promises'
import test from 'ava'
import { compareAnswers } from '../../src/verify/math/answer.ts'
import { goldText } from '../../src/verify/math/gold.ts'
import { extractAnswer } from '../../src/verify/math/prose.ts'

interface Case {
  gold: string
  pred: string
  expected: 0 | 1
  precision?: number
}

const file = new URL('../golden/math-verify-cases.json', import.meta.url)

/** Math-Verify accepts these; here they earn nothing, and why. */
const refused: Record<string, string> = {
  'Answer $ \\frac{1}{2} \\$ = \\frac{10}{9} $':
    'a chain of numbers that are not the same: its last side is no better than its first',
  $0$: '`1 = \\zzz = x = 0` is no equation that has a value',
  'W(x)=1orW(x)=-1': 'the gold is cut off, and its variable is another one',
}

test('agrees with Math-Verify on its own cases, without a false positive', async (t) => {
  const cases: Case[] = JSON.parse(await readFile(file, 'utf8'))
  t.is(cases.length, 116)
  for (const { gold, pred, expected, precision } of cases) {
    const answer = extractAnswer(pred, 'any')
    const options = precision === undefined ? {} : { precision }
    const { equal } = answer === null ? { equal: false } : compareAnswers(answer, goldText(gold), options)
    // the gold of the other `$0$` is an equation with variables
    t.is(equal, expected === 1 && !(pred in refused), `${pred.slice(-100)} | ${gold.slice(-100)}`)
  }
})
