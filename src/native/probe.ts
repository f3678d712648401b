import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, type Environment, type Libtorch } from './libtorch.ts'

/** What a probe takes on a loaded machine with a CUDA libtorch on a slow disk, generously; milliseconds. */
const LIMIT = 180_000

/** In a plain Node process, without whatever this one was started with. */
const PROGRAM = `
const [preloader, addon, ...libraries] = process.argv.slice(1)
const opener = { exports: {} }
process.dlopen(opener, preloader)
try { opener.exports.preload(libraries[0]) } catch { opener.exports.preload(libraries[1]) }
require(addon).versions()`

/**
 * Loads an addon on a libtorch in a child process first: where that crashes, this process would have died without a
 * word. Done once for each pair of files; what went well is noted in the cache folder.
 *
 * @returns why it does not load, or undefined where it does, or where no child process can be had
 */
export function probe(addon: string, preloader: string, libtorch: Libtorch, env: Environment): string | undefined {
  const libraries = ['libtorch.so', 'libtorch_cpu.so'].map((name) => join(libtorch.root, 'lib', name))
  const mark = join(cacheFolder(env), 'probed', identity([addon, ...libraries]))
  if (existsSync(mark)) return undefined
  const child = spawnSync(process.execPath, ['-e', PROGRAM, preloader, addon, ...libraries], {
    // Electron's binary is Node where it is told to be
    env: { ...env, NODE_OPTIONS: '', ELECTRON_RUN_AS_NODE: '1' } as NodeJS.ProcessEnv,
    encoding: 'utf8',
    timeout: LIMIT,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (child.signal) return `${ended(child.signal)}${lastLines(child.stderr)}`
  if (child.status === null) return undefined
  if (child.status !== 0)
    return lastLines(child.stderr).replace(/^: /, '') || `a probe ended with status ${child.status}`
  try {
    mkdirSync(join(mark, '..'), { recursive: true })
    writeFileSync(mark, '')
  } catch {
    // a cache that cannot be written: probed again next time
  }
  return undefined
}

function ended(signal: NodeJS.Signals): string {
  if (signal === 'SIGTERM') return `a probe in a process of its own did not end within ${LIMIT / 1000} s`
  return `a probe in a process of its own died of ${signal}`
}

/** Of an uncaught exception, its message; of anything else, its end. */
function lastLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const thrown = lines.find((line) => /^\w*Error: /.test(line))
  const text = thrown?.replace(/^\w*Error: /, '') ?? lines.slice(-2).join('; ')
  return text === '' ? '' : `: ${text}`
}

/** Another build, another libtorch or another machine is another identity. */
function identity(paths: string[]): string {
  const hash = createHash('sha256').update(process.arch)
  for (const path of paths) {
    const { size, mtimeMs } = statSync(path)
    hash.update(`\0${path}\0${size}\0${mtimeMs}`)
  }
  return hash.digest('hex').slice(0, 32)
}
