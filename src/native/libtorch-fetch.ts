import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { download } from './download.ts'
import { NativeError } from './errors.ts'
import {
  cachedLibtorch,
  cacheFolder,
  type Environment,
  inspectLibtorch,
  LIBTORCH_VERSION,
  type Libtorch,
  libtorchSolutions,
  onPath,
  releaseOf,
} from './libtorch.ts'
import { withLock } from './lock.ts'
import { unpack } from './unpack.ts'

/** PyTorch's public index of CPU builds. */
export const PYTORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu'

const run = promisify(execFile)

export interface FetchReport {
  note(text: string): void
  /** bytes of the wheel so far, and in all where that is known */
  bytes(done: number, total: number | undefined): void
}

export interface FetchOptions {
  env?: Environment
  report?: FetchReport
  /** a package index in pip's simple layout */
  index?: string
  /** waits between tries, milliseconds */
  retryDelay?: number
}

/**
 * Brings libtorch {@link LIBTORCH_VERSION} for the CPU (190 MB) into the cache folder: the PyTorch wheel, by pip, or
 * without pip from the same index with its checksum. Safe to run twice at once: one process fetches, and the folder gets its name when whole.
 *
 * @throws NativeError LIBTORCH_MISSING with every reason and what to do, where neither way works
 */
export async function fetchLibtorch(options: FetchOptions = {}): Promise<Libtorch> {
  const { env = process.env, report = { note: () => {}, bytes: () => {} } } = options
  const target = cachedLibtorch(env)
  return await withLock(
    `${target}.lock`,
    async () => {
      const found = inspectLibtorch(target, 'cache')
      if (!('missing' in found) && releaseOf(found.version) === LIBTORCH_VERSION) return found
      const temporary = await mkdtemp(join(cacheFolder(env), 'fetch-'))
      try {
        const wheel = await fetchWheel(temporary, { ...options, env, report })
        report.note('unpacking')
        await unpackWheel(wheel, join(temporary, 'libtorch'))
        // an older folder here is broken or of another version, else it had been found
        await rename(target, join(temporary, 'replaced')).catch(() => {})
        await rename(join(temporary, 'libtorch'), target)
      } finally {
        await rm(temporary, { recursive: true, force: true })
      }
      const fetched = inspectLibtorch(target, 'cache')
      if ('missing' in fetched) throw new NativeError('LIBTORCH_MISSING', `the wheel is incomplete: ${fetched.missing}`)
      return fetched
    },
    () => report.note('another process is fetching libtorch; waiting for it'),
  )
}

/** Of a wheel's `torch` folder: what a C++ program compiles and runs against, and the licenses. */
export async function unpackWheel(wheel: string, folder: string): Promise<void> {
  const files = await unpack(wheel, folder, (name) => {
    if (/^torch\/lib\/lib(torch_python|shm|.*_test|backend_with_compiler)\b/.test(name)) return undefined
    if (/^torch\/(lib|include|share)\/|^torch\/version\.py$/.test(name)) return name.slice('torch/'.length)
    return name.match(/^torch-[^/]+\.dist-info\/(licenses\/.+)$/)?.[1]
  })
  if (files === 0) throw new Error(`${wheel} holds no libtorch`)
}

async function fetchWheel(
  folder: string,
  options: Required<Pick<FetchOptions, 'env' | 'report'>> & FetchOptions,
): Promise<string> {
  const reasons: string[] = []
  for (const way of [wheelByPip, wheelByIndex]) {
    try {
      return await way(folder, options)
    } catch (error) {
      reasons.push((error as Error).message)
      options.report.note(reasons.at(-1)!)
    }
  }
  throw new NativeError(
    'LIBTORCH_MISSING',
    `libtorch ${LIBTORCH_VERSION} could not be fetched:\n${reasons.map((reason) => `  - ${reason}\n`).join('')}${libtorchSolutions()}`,
  )
}

async function wheelByPip(
  folder: string,
  { env, report, index = PYTORCH_CPU_INDEX }: Parameters<typeof fetchWheel>[1],
): Promise<string> {
  const pip = await findPip(env)
  if (!pip) throw new Error('there is no pip on PATH')
  const [command, ...first] = pip
  // pip writes to TMPDIR first: there its progress can be seen, and a small /tmp does not matter
  const parts = join(folder, 'pip')
  await mkdir(parts)
  const timer = setInterval(async () => report.bytes(await sizeOf(folder), undefined), 1_000)
  const fixed = ['download', `torch==${LIBTORCH_VERSION}+cpu`, '--no-deps', '--only-binary=:all:', '--dest', folder]
  const quiet = ['--quiet', '--no-input', '--disable-pip-version-check', '--retries', '0', '--extra-index-url', index]
  let reason = ''
  try {
    // a wheel is a zip: a build for another Python does as well as one for this pip's
    for (const python of [undefined, '3.12', '3.13', '3.11', '3.10']) {
      const version = python ? ['--python-version', python] : []
      try {
        await run(command!, [...first, ...fixed, ...quiet, ...version], { env: { ...env, TMPDIR: parts } })
        const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
        if (wheel) return join(folder, wheel)
      } catch (error) {
        const { stderr, message } = error as Error & { stderr?: string }
        reason = (stderr || message).trim().split('\n').at(-1)!
      }
    }
  } finally {
    clearInterval(timer)
  }
  throw new Error(`pip download: ${reason}`)
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

/** The same wheel without pip: its address and SHA-256 from the index page, the part that is there already kept. */
async function wheelByIndex(folder: string, options: Parameters<typeof fetchWheel>[1]): Promise<string> {
  const { env, report, index = PYTORCH_CPU_INDEX, retryDelay = 1_000 } = options
  const page = `${index.replace(/\/$/, '')}/torch/`
  const response = await fetch(page).catch((error: Error) => {
    throw new Error(`${page}: ${error.cause instanceof Error ? error.cause.message : error.message}`)
  })
  if (!response.ok) throw new Error(`${page}: the server answered ${response.status} ${response.statusText}`)
  const { url, name, sha256 } = chooseWheel(await response.text(), page)
  const path = join(cacheFolder(env), 'downloads', name)
  await download({ url, path, sha256, retryDelay, onProgress: (done, total) => report.bytes(done, total) })
  // into the temporary folder, so that it goes with it
  const wheel = join(folder, name)
  await rename(path, wheel)
  return wheel
}

/** The CPU wheel of the pinned version for this machine, from an index page in pip's simple layout. */
export function chooseWheel(
  html: string,
  page: string,
  arch: string = process.arch,
): { url: string; name: string; sha256: string } {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[arch] ?? arch
  for (const [, href] of html.matchAll(/href="([^"]+)"/g)) {
    const url = new URL(href!.replaceAll('&amp;', '&'), page)
    const name = decodeURIComponent(url.pathname.split('/').at(-1)!)
    const sha256 = url.hash.match(/^#sha256=([0-9a-f]{64})$/)?.[1]
    if (
      !name.startsWith(`torch-${LIBTORCH_VERSION}+cpu-`) ||
      !new RegExp(`linux(_\\d+)*_${machine}\\.whl$`).test(name) ||
      !sha256
    )
      continue
    url.hash = ''
    return { url: url.href, name, sha256 }
  }
  throw new Error(`${page} lists no torch ${LIBTORCH_VERSION}+cpu wheel with a checksum for linux ${machine}`)
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0
  }
  return bytes
}
