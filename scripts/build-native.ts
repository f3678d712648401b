import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, freemem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { LIBTORCH_VERSION, type Libtorch, locateLibtorch, onPath } from '../src/native/libtorch.ts'
import { note, orFail, stage } from './progress.ts'
import { digest, filesOf, readStamp, writeStamp } from './stamp.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)

/** What one compiler process on ATen's headers takes at its peak, bytes. */
const MEMORY_PER_JOB = 1.5e9

/** Builds build/Release/magic_grpo.node where anything it depends on has changed. */
export async function buildNative(libtorch: Libtorch): Promise<void> {
  const sources = filesOf(root, ['native', 'CMakeLists.txt'])
  // a prebuilt addon finds libtorch by its preloader, wherever that is
  const portable = process.env.MAGIC_GRPO_PORTABLE === '1'
  const stamp = digest(root, sources, {
    portable,
    libtorch: libtorch.root,
    version: libtorch.version,
    platform: process.platform,
    arch: process.arch,
  })
  const stampPath = join(root, 'build/Release/magic_grpo.stamp')
  const target = join(root, 'build/Release/magic_grpo.node')
  if (existsSync(target) && readStamp(stampPath) === stamp) {
    note('native addon: up to date')
    return
  }
  needTools()
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(availableMemory() / MEMORY_PER_JOB)))
  await stage(
    `native addon: compiling against libtorch ${libtorch.version} with ${jobs} job${jobs > 1 ? 's' : ''}`,
    () => {
      const settings = [`--CDLIBTORCH=${libtorch.root}`, `--CDPORTABLE=${portable ? 'ON' : 'OFF'}`]
      if (onPath('ccache')) settings.push('--CDCMAKE_CXX_COMPILER_LAUNCHER=ccache')
      // `build` alone would keep the settings of the first configuration
      cmakeJs(['configure', ...settings])
      cmakeJs(['build', ...settings, '--parallel', String(jobs)])
      mkdirSync(dirname(target), { recursive: true })
      place(join(root, 'build/cmake/Release/magic_grpo.node'), target)
      place(join(root, 'build/cmake/Release/magic_grpo_preload.so'), join(root, 'build/Release/magic_grpo_preload.so'))
      const built = { libtorch: portable ? '' : libtorch.root, version: libtorch.version }
      writeStamp(join(root, 'build/Release/magic_grpo.json'), `${JSON.stringify(built)}\n`)
    },
  )
  writeStamp(stampPath, stamp)
}

function cmakeJs(args: string[]): void {
  const cli = require.resolve('cmake-js/bin/cmake-js')
  const child = spawnSync(process.execPath, [cli, ...args, '--out', join(root, 'build/cmake'), '--log-level', 'warn'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NINJA_STATUS: '[%p %f/%t] ' },
  })
  if (child.status !== 0) throw new Error(`cmake-js ${args[0]} failed; its messages are above`)
}

/** By rename, so that a process that has the old addon loaded keeps it. */
function place(from: string, to: string): void {
  copyFileSync(from, `${to}.tmp`)
  renameSync(`${to}.tmp`, to)
}

function needTools(): void {
  const missing = ['cmake'].filter((tool) => !onPath(tool))
  if (!process.env.CXX && !['c++', 'g++', 'clang++'].some((tool) => onPath(tool)))
    missing.push('a C++20 compiler (g++ 11 or later)')
  if (!onPath('ninja') && !onPath('make')) missing.push('ninja or make')
  if (missing.length > 0) {
    throw new Error(
      `building the addon needs ${missing.join(', ')}: on Debian or Ubuntu, apt-get install cmake ninja-build g++`,
    )
  }
}

/** Of this process's container where it has a limit; os.freemem() is what the kernel calls available. */
function availableMemory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 && limit < 2 ** 50 ? Math.min(freemem(), limit) : freemem()
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await orFail(async () => {
    const found = locateLibtorch()
    if (!found)
      throw new Error(`no libtorch ${LIBTORCH_VERSION} found; npm run build fetches it, LIBTORCH=DIR names one`)
    await buildNative(found)
  })
}
