import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, freemem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { contractDigest } from '../native/contract-digest.ts'
import { type Libtorch, onPath } from '../native/libtorch.ts'
import { note, stage } from './progress.ts'
import { digest, filesOf, readStamp, writeStamp } from './stamp.ts'

/** src/install or dist/install are equally deep. */
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const require = createRequire(import.meta.url)

/** What one compiler process on ATen's headers takes at its peak, bytes. */
const MEMORY_PER_JOB = 1.5e9

/** What a build makes; the CUDA kernels only where it has a CUDA compiler. */
const PRODUCTS = ['magic_grpo_preload.so', 'magic_grpo_cuda.so', 'magic_grpo.node']

/** Builds the addon into a folder, where anything that it depends on has changed. */
export async function buildAddon(libtorch: Libtorch, folder: string = join(root, 'build/Release')): Promise<void> {
  const contract = contractDigest()
  const architectures = cudaArchitectures()
  const stamp = digest(root, filesOf(root, ['native', 'CMakeLists.txt']), {
    contract,
    libtorch: libtorch.root,
    version: libtorch.version,
    platform: process.platform,
    arch: process.arch,
    architectures,
  })
  const stampPath = join(folder, 'magic_grpo.stamp')
  if (existsSync(join(folder, 'magic_grpo.node')) && readStamp(stampPath) === stamp) {
    note('native addon: up to date')
    return
  }
  needTools()
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(availableMemory() / MEMORY_PER_JOB)))
  await stage(
    `native addon: compiling against libtorch ${libtorch.version} with ${jobs} job${jobs > 1 ? 's' : ''}`,
    () => {
      const settings = Object.entries({ LIBTORCH: libtorch.root, CONTRACT: contract })
      settings.push(['CUDA_ARCHITECTURES', architectures?.join(';') ?? ''])
      if (onPath('ccache'))
        settings.push(['CMAKE_CXX_COMPILER_LAUNCHER', 'ccache'], ['CMAKE_CUDA_COMPILER_LAUNCHER', 'ccache'])
      const defines = settings.map(([key, value]) => `--CD${key}=${value}`)
      // `build` alone would keep the settings of the first configuration
      cmakeJs(['configure', ...defines])
      cmakeJs(['build', ...defines, '--parallel', String(jobs)])
      mkdirSync(folder, { recursive: true })
      for (const name of PRODUCTS) place(join(root, 'build/cmake/Release', name), join(folder, name))
      const built = { libtorch: libtorch.root, version: libtorch.version }
      writeStamp(join(folder, 'magic_grpo.json'), `${JSON.stringify(built)}\n`)
    },
  )
  writeStamp(stampPath, stamp)
}

/**
 * In CMake's terms, what the CUDA kernels are compiled for, undefined where there is no nvcc: this machine's devices; where
 * it has none, machine code for sm_80 and PTX, which every later device takes. MAGIC_GRPO_CUDA_ARCHITECTURES names
 * others.
 */
export function cudaArchitectures(env: NodeJS.ProcessEnv = process.env): string[] | undefined {
  if (!onPath('nvcc', env)) return undefined
  if (env.MAGIC_GRPO_CUDA_ARCHITECTURES) return env.MAGIC_GRPO_CUDA_ARCHITECTURES.split(/[;,\s]+/)
  const query = ['--query-gpu=compute_cap', '--format=csv,noheader']
  const { status, stdout } = spawnSync('nvidia-smi', query, { env, encoding: 'utf8' })
  const found =
    status === 0 ? [...new Set(stdout.match(/^\d+\.\d+$/gm))].map((version) => version.replace('.', '')) : []
  return found.length > 0 ? found.sort() : ['80']
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

/** By rename, so that a process that has the old one loaded keeps it. What was not built is not left from an earlier build. */
function place(from: string, to: string): void {
  if (existsSync(from)) {
    copyFileSync(from, `${to}.tmp`)
    renameSync(`${to}.tmp`, to)
  } else {
    rmSync(to, { force: true })
  }
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
