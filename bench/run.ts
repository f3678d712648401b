import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Arguments } from './arguments.ts'
import { type Context, LeftOut, type Part } from './part.ts'
import { findCudaPeers, findPeers, type Peers } from './python.ts'
import type { Row } from './row.ts'

/** A case that gave no row, and why. */
interface Missing {
  name: string
  reason: string
}

export interface Outcome {
  rows: Row[]
  leftOut: Missing[]
  failed: Missing[]
  /** of the whole run */
  seconds: number
  /** versions of the peers, where any part asked for them */
  peers: Record<string, string>
}

/** Runs the selected cases one after another. A case that fails does not end the others. */
export async function runCases(
  parts: readonly Part[],
  { selected, model = process.env.MODEL, python = process.env.BENCH_PYTHON, full }: Omit<Arguments, 'json' | 'help'>,
  log: (line: string) => void = (line) => console.error(line),
): Promise<Outcome> {
  const begun = performance.now()
  const outcome: Outcome = { rows: [], leftOut: [], failed: [], seconds: 0, peers: {} }
  let temporary: Promise<string> | undefined
  let peers: Promise<Peers> | undefined
  let cudaPeers: Promise<Peers> | undefined
  const noted = async (found: Promise<Peers>) => {
    const { python, versions } = await found
    outcome.peers = { ...outcome.peers, ...versions }
    return python
  }
  const shared: Omit<Context, 'log'> = {
    model: model || undefined,
    full,
    temporary: () => (temporary ??= mkdtemp(join(tmpdir(), 'magic-grpo-bench-'))),
    python() {
      peers ??= findPeers(python || undefined, log)
      return noted(peers)
    },
    cudaPython() {
      cudaPeers ??= findCudaPeers(python || undefined)
      return noted(cudaPeers)
    },
  }
  try {
    for (const { part, name } of selected) {
      const title = `${part}/${name}`
      const run = parts.find((each) => each.name === part)!.cases[name]!
      const started = performance.now()
      try {
        outcome.rows.push(...(await run({ ...shared, log: (line) => log(`${title}: ${line}`) })))
        log(`${title}: ${((performance.now() - started) / 1000).toFixed(0)} s in all`)
      } catch (error) {
        const missing = { name: title, reason: (error as Error).message }
        if (error instanceof LeftOut) outcome.leftOut.push(missing)
        else outcome.failed.push(missing)
        log(`${title}: ${missing.reason}`)
      }
    }
  } finally {
    if (temporary) await rm(await temporary, { recursive: true, force: true })
  }
  outcome.seconds = (performance.now() - begun) / 1000
  return outcome
}
