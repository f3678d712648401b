import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** A program that runs answers, and what it needs of the file system. */
export interface Interpreter {
  /** absolute, no link */
  path: string
  /** of the language, as 3.11.2 */
  version: string
  /** files and folders that it reads beside the system's shared libraries */
  reads: string[]
  /** where modules are looked for; empty for Node */
  modules: string[]
}

const QUERY = `
import json, os, sys, sysconfig
paths = sysconfig.get_paths()
reads = {os.path.realpath(paths[name]) for name in ('stdlib', 'platstdlib', 'purelib', 'platlib')}
reads |= {os.path.realpath(path) for path in sys.path if os.path.isdir(path)}
if sys.base_prefix != '/usr': reads = {os.path.realpath(sys.base_prefix), *reads}
print(json.dumps({'path': os.path.realpath(sys.executable), 'version': '%d.%d.%d' % sys.version_info[:3], 'reads': sorted(reads), 'modules': sys.path}))
`

/**
 * Every Python 3.9 or later that PATH and the system offer, in that order, each once. The first that runs in the sandbox
 * is taken: one below a user's home may not be readable to the user that answers run as.
 */
export async function findPythons(path = process.env.PATH ?? ''): Promise<Interpreter[]> {
  const commands = [...new Set([...path.split(delimiter), '/usr/bin', '/usr/local/bin'])].map((folder) =>
    join(folder || '.', 'python3'),
  )
  const found = await Promise.all(commands.map(queryPython))
  const unique = new Map(found.flatMap((python) => (python ? [[python.path, python] as const] : [])))
  return [...unique.values()]
}

async function queryPython(command: string): Promise<Interpreter | undefined> {
  try {
    const { stdout } = await promisify(execFile)(command, ['-I', '-c', QUERY], { timeout: 20_000 })
    const python: Interpreter = JSON.parse(stdout)
    const [major, minor] = python.version.split('.').map(Number)
    return major === 3 && minor! >= 9 ? python : undefined
  } catch {
    return undefined
  }
}

/** The Node that this process is. */
export function thisNode(): Interpreter {
  return { path: realpathSync(process.execPath), version: process.versions.node, reads: [], modules: [] }
}
