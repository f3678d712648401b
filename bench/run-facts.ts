import { execFile } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadAddon } from '../src/native/load.ts'
import { sideEnvironment } from './environment.ts'

/** Where and with what a run was made: one line, and what goes into the settings of each of its rows. */
export async function describeRun(peers: Record<string, string>) {
  const { libtorch, cpuCapability } = loadAddon().versions()
  const { OMP_NUM_THREADS: threads } = sideEnvironment()
  const commit = await commitOf()
  const machine = `${availableParallelism()} cores, ${cpus()[0]?.model.trim() ?? 'unknown'} (${cpuCapability}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB`
  const versions = { node: process.versions.node, libtorch, ...peers }
  const settings = { commit, machine, threads: Number(threads), ...versions }
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return { line: `${machine}; ${threads} threads; ${list.join(', ')}; commit ${commit}`, settings }
}

/** With a plus where something is changed; `unknown` outside a clone. */
async function commitOf(): Promise<string> {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const git = async (...args: string[]) => (await promisify(execFile)('git', args, { cwd })).stdout.trim()
  try {
    const changed = await git('status', '--porcelain', '--untracked-files=no')
    return `${await git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`
  } catch {
    return 'unknown'
  }
}
