import type { Random } from '../data/random.ts'

/** a + b, both from 10 to 99. */
export type Sum = readonly [a: number, b: number]

/** Every character of the questions and of the working. */
export const alphabet = '0123456789+= \\boxed{}'

/** What the model is asked: `47+38=`. */
export function question([a, b]: Sum): string {
  return `${a}+${b}=`
}

/** Whether the last digits make ten or more. */
function carries([a, b]: Sum): boolean {
  return (a % 10) + (b % 10) >= 10
}

/**
 * A sum worked out digit by digit, the carry last, as a careless teacher writes it:
 *
 *     7+8=15 4+3+1=8 \boxed{85}     right
 *     8+7=15 4+3+0=7 \boxed{75}     the carry forgotten
 *
 * The two digits of a line stand in either order, so that a model has something left to choose once it makes no mistakes.
 *
 * @param forgets chance that a carry is forgotten, 0 to 1
 */
export function working([a, b]: Sum, forgets: number, random: Random): string {
  const inEitherOrder = (x: number, y: number) => (random.below(2) === 0 ? `${x}+${y}` : `${y}+${x}`)
  const [tensOfA, tensOfB] = [Math.floor(a / 10), Math.floor(b / 10)]
  const ones = (a % 10) + (b % 10)
  const carry = carries([a, b]) && random.uniform() >= forgets ? 1 : 0
  const tens = tensOfA + tensOfB + carry
  const lines = [
    `${inEitherOrder(a % 10, b % 10)}=${ones}`,
    `${inEitherOrder(tensOfA, tensOfB)}+${carry}=${tens}`,
    `\\boxed{${10 * tens + (ones % 10)}}`,
  ]
  return lines.join(' ')
}

/** Sums for the supervised steps, for the training by rewards, and for the evaluation. */
export interface SumSets {
  supervised: Sum[]
  train: Sum[]
  heldout: Sum[]
}

/**
 * Every sum of two two-digit numbers that carries and a third of the others, in one order of its numbers each, dealt out
 * to three sets: 100 are held out, 40 % of the rest are for the supervised steps. No set has another's sum, nor its
 * mirror image.
 */
export function splitSums(random: Random): SumSets {
  const numbers = Array.from({ length: 90 }, (_, index) => 10 + index)
  const pairs = numbers.flatMap((a) => numbers.filter((b) => b >= a).map((b): Sum => [a, b]))
  const plain = random.shuffle(pairs.filter((pair) => !carries(pair)))
  const chosen = [...pairs.filter(carries), ...plain.slice(0, Math.round(plain.length / 3))]
  const sums = random.shuffle(chosen).map(([a, b]): Sum => (random.below(2) === 0 ? [a, b] : [b, a]))
  const heldout = sums.splice(0, 100)
  const supervised = sums.splice(0, Math.round(0.4 * sums.length))
  return { supervised, train: sums, heldout }
}
