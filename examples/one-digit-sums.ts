/**
 * Writes sums of two one-digit numbers as rows of the recipe's schema: train.jsonl and heldout.jsonl.
 *
 *     npx tsx examples/one-digit-sums.ts [FOLDER]      (default runs/data/one-digit-sums)
 *
 * Each row is a system message, two worked turns and a question; a small instruct model needs the turns to answer in
 * \boxed{}. Of the 55 unordered pairs of digits every fourth, after a shuffle, is held out in both orders, so that no
 * held-out sum was trained on as its mirror image. Worked turns come from the training pairs alone and never show the
 * question's own sum: copying them earns nothing.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../src/data/random.ts'

type Pair = readonly [number, number]

const folder = process.argv[2] ?? 'runs/data/one-digit-sums'
const variants = { train: 4, heldout: 1 }

const random = new Random(1)
const unordered = random.shuffle(Array.from({ length: 10 }, (_, a) => digitsFrom(a).map((b): Pair => [a, b])).flat())
const heldout = unordered.filter((_, index) => index % 4 === 0).flatMap(bothOrders)
const train = unordered.filter((_, index) => index % 4 !== 0).flatMap(bothOrders)

mkdirSync(folder, { recursive: true })
write('train', train)
write('heldout', heldout)

function write(split: keyof typeof variants, pairs: Pair[]): void {
  const rows = pairs.flatMap((pair) => Array.from({ length: variants[split] }, () => row(pair, split)))
  const path = join(folder, `${split}.jsonl`)
  writeFileSync(path, rows.map((each) => `${JSON.stringify(each)}\n`).join(''))
  process.stdout.write(`${path}: ${rows.length} rows of ${pairs.length} sums\n`)
}

function row([a, b]: Pair, split: string) {
  const others = train.filter(([c, d]) => c + d !== a + b)
  const [first, second] = random.shuffle(others)
  return {
    prompt: [
      { role: 'system', content: 'You are a calculator. Answer with the result in \\boxed{}.' },
      ...worked(first!),
      ...worked(second!),
      { role: 'user', content: question([a, b]) },
    ],
    data_source: 'one-digit-sums',
    ability: 'math',
    reward_model: { style: 'rule', ground_truth: String(a + b) },
    extra_info: { split },
  }
}

function worked([a, b]: Pair) {
  return [
    { role: 'user', content: question([a, b]) },
    { role: 'assistant', content: `${a} + ${b} = \\boxed{${a + b}}` },
  ]
}

function question([a, b]: Pair): string {
  return `What is ${a} + ${b}?`
}

function digitsFrom(first: number): number[] {
  return Array.from({ length: 10 - first }, (_, index) => first + index)
}

function bothOrders([a, b]: Pair): Pair[] {
  return a === b
    ? [[a, b]]
    : [
        [a, b],
        [b, a],
      ]
}
