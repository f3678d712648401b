import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { NativeError } from './errors.ts'
import {
  cachedLibtorch,
  cacheFolder,
  type Environment,
  inspectLibtorch,
  LIBTORCH_VERSION,
  type Libtorch,
  type LibtorchBuild,
  onPath,
  releaseOf,
} from './libtorch.ts'
import { libtorchSolutions, NO_LIBTORCH_FOR_MUSL } from './libtorch-help.ts'
import { withLock } from './lock.ts'
import { freeBytes, type Libc, systemLibc } from './machine.ts'
import { unpack } from './unpack.ts'
import { type Requirement, requirementsOf, type WheelSource, wheelFromIndex } from './wheel-index.ts'

/** PyTorch's public index of CPU builds; the CUDA build is on Python's own. */
export const PYTORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
const PYTHON_INDEX = 'https://pypi.org/simple'

/** What the wheels of {@link LIBTORCH_VERSION} take, and beside them what they unpack to; bytes. */
const WHEELS: Record<LibtorchBuild, number> = { cpu: 0.19e9, cuda: 2.5e9 }
const UNPACKED: Record<LibtorchBuild, number> = { cpu: 0.48e9, cuda: 3.9e9 }

const run = promisify(execFile)

const ENDING: NodeJS.Signals[] = ['SIGINT', 'SIGTERM']

interface FetchReport {
  note(text: string): void
  /** bytes of the wheel so far, and in all where that is known */
  bytes(done: number, total: number | undefined): void
}

export interface FetchOptions {
  /** default cpu */
  build?: LibtorchBuild
  env?: Environment
  report?: FetchReport
  /** a package index in pip's simple layout */
  index?: string
  /** waits between tries, milliseconds */
  retryDelay?: number
  /** by default this machine's */
  libc?: Libc
  freeBytes?: (folder: string) => Promise<number | undefined>
}

type Fetching = Required<Omit<FetchOptions, 'libc' | 'freeBytes'>>

/**
 * Brings libtorch {@link LIBTORCH_VERSION} into the cache folder: the PyTorch wheel for the CPU (190 MB), or the one for
 * CUDA with NVIDIA's libraries (3 GB); by pip, or without pip from an index with its checksums. Safe to run twice at
 * once: one process fetches, and the folder gets its name when whole.
 *
 * @throws NativeError LIBTORCH_MISSING with every reason and what to do, where neither way works; UNSUPPORTED on musl; FILE
 * where the cache folder can't be written or its disk is too full
 */
export async function fetchLibtorch(options: FetchOptions = {}): Promise<Libtorch> {
  const { build = 'cpu', env = process.env, report = { note: () => {}, bytes: () => {} }, retryDelay = 1_000 } = options
  if ((options.libc ?? systemLibc()) === 'musl') throw new NativeError('UNSUPPORTED', NO_LIBTORCH_FOR_MUSL)
  const index = options.index ?? (build === 'cpu' ? PYTORCH_CPU_INDEX : PYTHON_INDEX)
  const root = cachedLibtorch(env, build)
  // NVIDIA's libraries go beside torch
  const target = build === 'cpu' ? root : dirname(root)
  const cache = cacheFolder(env)
  await mkdir(cache, { recursive: true })
    .then(() => access(cache, constants.W_OK))
    .catch((error: Error) => {
      const message = `${cache} cannot be written: ${error.message}. MAGIC_GRPO_CACHE=DIR names another folder`
      throw new NativeError('FILE', message, { cause: error })
    })
  return await withLock(
    `${target}.lock`,
    async () => {
      const found = inspectLibtorch(root, 'cache')
      if (!('missing' in found) && releaseOf(found.version) === LIBTORCH_VERSION) return found
      // what a killed one left; the lock says that it is gone
      for (const name of await readdir(cache))
        if (name.startsWith(`fetch-${build}-`)) await rm(join(cache, name), { recursive: true, force: true })
      await makeRoom(cache, target, build, options.freeBytes ?? freeBytes)
      const temporary = await mkdtemp(join(cache, `fetch-${build}-`))
      try {
        const wheels = await fetchWheels(temporary, { build, env, report, retryDelay, index })
        report.note('unpacking')
        for (const wheel of wheels) await unpackWheel(wheel, join(temporary, 'libtorch'), build)
        // an older folder here is broken or of another version, else it had been found
        await rename(target, join(temporary, 'replaced')).catch(() => {})
        await rename(join(temporary, 'libtorch'), target)
        for (const wheel of wheels) await rm(wheel, { force: true })
      } finally {
        await rm(temporary, { recursive: true, force: true })
      }
      const fetched = inspectLibtorch(root, 'cache')
      if ('missing' in fetched) throw new NativeError('LIBTORCH_MISSING', `the wheel is incomplete: ${fetched.missing}`)
      return fetched
    },
    () => report.note('another process is fetching libtorch; waiting for it'),
  )
}

/**
 * Before anything is fetched: a full disk would else tell after some gigabytes. Where it takes that to make room, what the new
 * one replaces goes first.
 */
async function makeRoom(cache: string, target: string, build: LibtorchBuild, freeOf: typeof freeBytes): Promise<void> {
  const free = await freeOf(cache)
  const parts = partsFolder(cache)
  const ofBuild = await sizeOf(parts, (name) => name.includes('+cpu') === (build === 'cpu'))
  const needed = Math.max(0, WHEELS[build] - ofBuild) + UNPACKED[build]
  if (free === undefined || free >= needed) return
  const replaced = await sizeOf(target)
  if (free + replaced >= needed) return await rm(target, { recursive: true, force: true })
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  const unused = (await sizeOf(parts)) - ofBuild
  const removable = [
    ...(replaced > 0 ? [`${target} (${gigabytes(replaced)}, damaged)`] : []),
    ...(unused > 0 ? [`${parts} (${gigabytes(unused)} for the other build)`] : []),
  ]
  throw new NativeError(
    'FILE',
    `${cache} has ${gigabytes(free)} free, and libtorch for ${build === 'cuda' ? 'CUDA' : 'the CPU'} needs ${gigabytes(needed)} there ` +
      `(${gigabytes(UNPACKED[build])} of it stays): make room${removable.length > 0 ? ` (${removable.join(' and ')} can go)` : ''}, ` +
      'or MAGIC_GRPO_CACHE=DIR names another folder',
  )
}

/** Wheels, and parts of one, that wait for the next try. */
function partsFolder(cache: string): string {
  return join(cache, 'downloads')
}

/** Of a wheel: what a C++ program compiles and runs against, and the licenses. The CUDA build keeps the folders' names. */
async function unpackWheel(wheel: string, folder: string, build: LibtorchBuild): Promise<void> {
  const files = await unpack(wheel, folder, (name) => {
    if (/^torch\/lib\/lib(torch_python|shm|.*_test|backend_with_compiler)\b/.test(name)) return undefined
    if (/^torch\/(lib|include|share)\/|^torch\/version\.py$/.test(name))
      return build === 'cpu' ? name.slice('torch/'.length) : name
    if (name.startsWith('nvidia/')) return name
    const [, distribution, license] = name.match(/^([^/]+)\.dist-info\/(licenses\/.+)$/) ?? []
    return build === 'cpu' ? license : license && join('licenses', distribution!, license.slice('licenses/'.length))
  })
  if (files === 0) throw new Error(`${wheel} holds no libtorch`)
}

/** Into a folder: torch's wheel, and for CUDA those with NVIDIA's libraries. */
async function fetchWheels(folder: string, options: Fetching): Promise<string[]> {
  const reasons: string[] = []
  for (const way of [wheelsByPip, wheelsByIndex]) {
    try {
      return await way(folder, options)
    } catch (error) {
      reasons.push((error as Error).message)
      options.report.note(reasons.at(-1)!)
    }
  }
  throw new NativeError(
    'LIBTORCH_MISSING',
    `libtorch ${LIBTORCH_VERSION} could not be fetched:\n${reasons.map((reason) => `  - ${reason}\n`).join('')}${libtorchSolutions(options.env)}`,
  )
}

async function wheelsByPip(folder: string, { build, env, report, index }: Fetching): Promise<string[]> {
  const pip = await findPip(env)
  if (!pip) throw new Error('there is no pip on PATH')
  const [command, ...first] = pip
  // pip writes to TMPDIR first: there its progress can be seen, and a small /tmp does not matter
  const parts = join(folder, 'pip')
  await mkdir(parts)
  const timer = setInterval(async () => report.bytes(await sizeOf(folder), undefined), 1_000)
  const what =
    build === 'cpu'
      ? [`torch==${LIBTORCH_VERSION}+cpu`, '--no-deps', '--extra-index-url', index]
      : // === does not take a +cpu build for it
        [`torch===${LIBTORCH_VERSION}`, '--extra-index-url', index]
  const fixed = ['download', ...what, '--only-binary=:all:', '--dest', folder]
  const quiet = ['--quiet', '--no-input', '--disable-pip-version-check', '--retries', '0']
  let reason = ''
  try {
    // a wheel is a zip: a build for another Python does as well as one for this pip's
    for (const python of [undefined, '3.12', '3.13', '3.11', '3.10']) {
      const version = python ? ['--python-version', python] : []
      try {
        await runToEnd(command!, [...first, ...fixed, ...quiet, ...version], { ...env, TMPDIR: parts })
        const wheels = (await readdir(folder)).filter((name) => /^(torch|nvidia_\w+)-.*\.whl$/.test(name))
        if (wheels.length > 0) return wheels.map((name) => join(folder, name))
      } catch (error) {
        const { stderr, message } = error as Error & { stderr?: string }
        reason = (stderr || message).trim().split('\n').at(-1)!
        // a full disk or a dead network is the same for every Python
        if (!/No matching distribution|ResolutionImpossible/.test(reason)) break
      }
    }
  } finally {
    clearInterval(timer)
  }
  throw new Error(`pip download: ${reason}`)
}

/** A signal that ends this process ends the program as well, which would else go on downloading. */
async function runToEnd(command: string, args: string[], env: Environment): Promise<void> {
  const running = run(command, args, { env })
  const end = (signal: NodeJS.Signals) => {
    running.child.kill()
    release()
    // does what it would have done, unless another handler decides
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  }
  const release = () => {
    for (const signal of ENDING) process.off(signal, end)
  }
  for (const signal of ENDING) process.on(signal, end)
  try {
    await running
  } finally {
    release()
  }
}

async function wheelsByIndex(folder: string, options: Fetching): Promise<string[]> {
  const { build, env, report, index, retryDelay } = options
  const parts = partsFolder(cacheFolder(env))
  const source: WheelSource = { index, parts, retryDelay, onProgress: (done, total) => report.bytes(done, total) }
  const version = build === 'cpu' ? `${LIBTORCH_VERSION}+cpu` : LIBTORCH_VERSION
  const wanted: Requirement[] = [{ name: 'torch', extras: [], accepts: (offered) => offered === version }]
  const wheels = new Map<string, string>()
  for (let next = wanted.shift(); next; next = wanted.shift()) {
    if (wheels.has(next.name)) continue
    if (build === 'cuda') report.note(next.name)
    const wheel = await wheelFromIndex(next, source)
    wheels.set(next.name, wheel)
    if (build === 'cuda')
      wanted.push(...requirementsOf(await metadataOf(wheel, folder), /^(nvidia|cuda-toolkit)\b/, next.extras))
  }
  // it holds nothing but names of others
  return [...wheels].flatMap(([name, wheel]) => (name === 'cuda-toolkit' ? [] : [wheel]))
}

async function metadataOf(wheel: string, folder: string): Promise<string> {
  const to = join(folder, `${basename(wheel)}.d`)
  await unpack(wheel, to, (name) => (/^[^/]+\.dist-info\/METADATA$/.test(name) ? 'METADATA' : undefined))
  return await readFile(join(to, 'METADATA'), 'utf8')
}

async function findPip(env: Environment): Promise<string[] | undefined> {
  const candidates = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']]
  for (const [name, ...rest] of candidates) {
    const command = onPath(name!, env)
    if (!command) continue
    const works = await run(command, [...rest, '--version'], { env, timeout: 20_000 }).then(
      () => true,
      () => false,
    )
    if (works) return [command, ...rest]
  }
  return undefined
}

/** Of the files in a folder whose names `counts`, bytes. */
async function sizeOf(folder: string, counts: (name: string) => boolean = () => true): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (entry.isFile() && counts(entry.name))
      bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0
  }
  return bytes
}
