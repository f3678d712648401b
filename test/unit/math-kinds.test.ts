import { readFile } from 'node:fs/promises'
import test from 'ava'
import { compareAnswers } from '../../src/verify/math/answer.ts'

// a line a pair: = or !, the given answer, the gold one, separated by tabs
const file = new URL('../golden/math-pairs.tsv', import.meta.url)

test('pairs of every kind are equal or not as they say', async (t) => {
  const pairs = (await readFile(file, 'utf8')).trim().split('\n')
  t.true(pairs.length > 500)
  const wrong = pairs.filter((line) => {
    const [sign, given, gold] = line.split('\t') as [string, string, string]
    return compareAnswers(given, gold).equal !== (sign === '=')
  })
  t.deepEqual(wrong, [])
})

test('the variables of a function may be renamed where the option says so', (t) => {
  const equal = (given: string, gold: string, renamedVariables = true) =>
    compareAnswers(given, gold, { renamedVariables }).equal
  t.true(equal('f(t)=t^2', 'f(x)=x^2'))
  t.true(equal('f(u,v)=u-v', 'f(x,y)=x-y'))
  t.true(equal('f(y,x)=y-x', 'f(x,y)=x-y'))
  t.true(equal('g(t)=a t', 'g(x)=ax'))
  t.false(equal('f(t)=t^2', 'f(x)=x^2', false))
  t.false(equal('f(t)=t^3', 'f(x)=x^2'))
  t.false(equal('g(t)=t^2', 'f(x)=x^2'))
  t.false(equal('f(v,u)=u-v', 'f(x,y)=x-y'))
  t.false(equal('f(t)=t^2+x', 'f(x)=x^2+t'))
  t.false(equal('f(t)=x^2', 'f(x)=x^2'))
  t.false(equal('t^2', 'f(x)=x^2'))
})
