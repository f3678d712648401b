import test from 'ava'
import fc from 'fast-check'
import { compareAnswers } from '../../src/verify/math/answer.ts'

const same = (given: string, gold: string) => compareAnswers(given, gold).equal
const small = fc.integer({ min: -9, max: 9 })
const signed = (value: number) => (value < 0 ? `- ${-value}` : `+ ${value}`)

/** The coefficients of a product of linear factors x - root, from the constant up. */
function expand(roots: number[]): number[] {
  return roots.reduce<number[]>(
    (polynomial, root) => [0].concat(polynomial).map((value, i) => value - root * (polynomial[i] ?? 0)),
    [1],
  )
}

const polynomial = (coefficients: number[]) => coefficients.map((value, i) => `${signed(value)} x^{${i}}`).join(' ')

test('a product equals its expansion, and no other', (t) => {
  fc.assert(
    fc.property(fc.array(small, { minLength: 1, maxLength: 5 }), fc.nat(4), (roots, at) => {
      const product = roots.map((root) => `(x ${signed(-root)})`).join('')
      const coefficients = expand(roots)
      const other = coefficients.map((value, i) => (i === at % coefficients.length ? value + 1 : value))
      return same(product, polynomial(coefficients)) && !same(product, polynomial(other))
    }),
    { seed: 1, numRuns: 60 },
  )
  t.pass()
})

test('surds in lowest terms and not', (t) => {
  const natural = fc.integer({ min: 2, max: 30 })
  fc.assert(
    fc.property(natural, natural, natural, (a, b, c) => {
      const root = `\\frac{${a}\\sqrt{${b}}}{${c}}`
      return (
        same(`\\sqrt{\\frac{${a * a * b}}{${c * c}}}`, root) &&
        same(`\\frac{${a * b}}{${c}\\sqrt{${b}}}`, root) &&
        !same(`\\sqrt{\\frac{${a * a * b + 1}}{${c * c}}}`, root) &&
        !same(`-${root}`, root)
      )
    }),
    { seed: 2, numRuns: 60 },
  )
  t.pass()
})

test('sets in any order, points in theirs', (t) => {
  const items = fc.uniqueArray(fc.integer({ min: -99, max: 99 }), { minLength: 2, maxLength: 6 })
  fc.assert(
    fc.property(items, fc.integer(), (values, seed) => {
      const turned = [
        ...values.slice(Math.abs(seed) % values.length),
        ...values.slice(0, Math.abs(seed) % values.length),
      ]
      const moved = turned.some((value, i) => value !== values[i])
      return (
        same(`\\{${turned.join(', ')}\\}`, values.join(', ')) &&
        same(`(${turned.join(', ')})`, `(${values.join(', ')})`) === !moved &&
        !same(`\\{${turned.slice(1).join(', ')}\\}`, `\\{${values.join(', ')}\\}`)
      )
    }),
    { seed: 3, numRuns: 60 },
  )
  t.pass()
})

test('inequalities, scaled and turned, are intervals', (t) => {
  const factor = fc.integer({ min: -9, max: 9 }).filter((value) => value !== 0)
  fc.assert(
    fc.property(small, factor, fc.boolean(), (bound, k, closed) => {
      const less = closed ? '\\le' : '<'
      const turned = k > 0 ? less : closed ? '\\ge' : '>'
      const interval = `(-\\infty, ${bound}${closed ? ']' : ')'}`
      return (
        same(`${k}x ${turned} ${k * bound}`, interval) &&
        same(`x ${less} ${bound}`, `${k}x ${turned} ${k * bound}`) &&
        !same(`x ${closed ? '<' : '\\le'} ${bound}`, interval) &&
        !same(`x ${less} ${bound + 1}`, interval)
      )
    }),
    { seed: 4, numRuns: 60 },
  )
  t.pass()
})

test('equations, scaled and with sides exchanged', (t) => {
  const factor = fc.integer({ min: -9, max: 9 }).filter((value) => value !== 0)
  fc.assert(
    fc.property(factor, factor, small, factor, (a, b, c, k) => {
      const line = `${a}x ${signed(b)}y = ${c}`
      return (
        same(`${k * c} = ${k * a}x ${signed(k * b)}y`, line) &&
        same(`${k * a}x ${signed(k * b)}y ${signed(-k * c)} = 0`, line) &&
        !same(`${k * a}x ${signed(k * b)}y ${signed(-k * c + 1)} = 0`, line)
      )
    }),
    { seed: 5, numRuns: 60 },
  )
  t.pass()
})
