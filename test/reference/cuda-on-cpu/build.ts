import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { digest, filesOf, readStamp, writeStamp } from '../../../src/install/stamp.ts'
import { onPath } from '../../../src/native/libtorch.ts'
import { withLock } from '../../../src/native/lock.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))
const emulation = 'test/reference/cuda-on-cpu'
const folder = join(root, 'build/cuda-on-cpu')

const HEADERS = ['native/cuda/kernels.h', 'native/train/batch.h']

/** The C++ compiler that an emulation is made with, if there is one. */
export const compiler = process.env.CXX ?? ['g++', 'c++'].find((name) => onPath(name))

/** Every kernel source, from the project's folder. */
export const kernelSources = filesOf(root, ['native'])
  .filter((path) => path.endsWith('.cu'))
  .map((path) => path.slice(root.length))

/** What CMakeLists.txt gives to the kernels: the table's digest. */
export function kernelsDigest(): string {
  return HEADERS.map((header) =>
    createHash('sha256')
      .update(readFileSync(join(root, header)))
      .digest('hex'),
  ).join('')
}

/**
 * The kernels for the CPU, built where their sources have changed: `check` is the program that compares them with slow
 * and plain twins, `library` the kernel library.
 */
export async function buildEmulation(): Promise<{ check: string; library: string }> {
  const products = { check: join(folder, 'check'), library: join(folder, 'magic_grpo_cuda_on_cpu.so') }
  await withLock(`${folder}.lock`, async () => {
    const stamp = digest(root, filesOf(root, ['native', emulation]), { compiler })
    const stampPath = join(folder, 'stamp')
    if (readStamp(stampPath) === stamp && Object.values(products).every((path) => existsSync(path))) return
    const checks = readdirSync(join(root, emulation))
      .filter((name) => name.startsWith('check') && name.endsWith('.cc'))
      .map((name) => join(emulation, name))
    const library = [...kernelSources, join(emulation, 'fibers.cc')]
    const objects = await compile([...library, ...checks])
    const of = (sources: string[]) => sources.map((source) => objects.get(source)!)
    await link(of(library), products.library, ['-shared'])
    await link([...objects.values()], products.check, [])
    writeStamp(stampPath, stamp)
  })
  return products
}

/** Objects by source, two at a time. */
async function compile(sources: string[]): Promise<Map<string, string>> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const objects = new Map<string, string>()
  const waiting = [...sources]
  const flags = ['-std=c++20', '-O1', '-fPIC', '-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas']
  const worker = async () => {
    for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
      const object = join(folder, `${source.replaceAll('/', '_')}.o`)
      const define = `-DMAGIC_KERNELS_DIGEST="${kernelsDigest()}"`
      await launch([
        ...flags,
        define,
        '-fvisibility=hidden',
        `-I${emulation}`,
        '-Inative',
        '-x',
        'c++',
        '-c',
        source,
        '-o',
        object,
      ])
      objects.set(source, object)
    }
  }
  await Promise.all([worker(), worker()])
  return objects
}

async function link(objects: string[], to: string, more: string[]): Promise<void> {
  await launch([...more, ...objects, '-o', to])
}

async function launch(args: string[]): Promise<void> {
  const ccache = onPath('ccache') ? ['ccache'] : []
  const [command, ...rest] = [...ccache, compiler!, ...args]
  await run(command!, rest, { cwd: root })
}
