import { join } from 'node:path'
import { Random } from '../data/random.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import { question, type Sum, splitSums, working } from './sums.ts'

const workingsPerSum = 4
const forgets = 0.85

/** Where the quickstart's rows lie. */
export interface QuickstartData {
  /** Rows { prompt, response } for the supervised steps: six of seven carries are forgotten. */
  supervised: string
  /** Rows { prompt, answer } for the training by rewards. */
  train: string
  /** Rows { prompt, answer } that neither has seen. */
  heldout: string
}

/** Writes the quickstart's three files of sums, the same for the same seed. */
export async function writeQuickstartData(folder: string, seed: number): Promise<QuickstartData> {
  const random = new Random(seed)
  const sums = splitSums(random)
  const worked = sums.supervised.flatMap((sum) =>
    Array.from({ length: workingsPerSum }, () => ({ prompt: question(sum), response: working(sum, forgets, random) })),
  )
  const problem = (sum: Sum) => ({ prompt: question(sum), answer: String(sum[0] + sum[1]) })
  const write = async (name: string, rows: object[]) => {
    const path = join(folder, `${name}.jsonl`)
    await writeAtomic(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    return path
  }
  return {
    supervised: await write('supervised', worked),
    train: await write('train', sums.train.map(problem)),
    heldout: await write('heldout', sums.heldout.map(problem)),
  }
}
