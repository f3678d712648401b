import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { NativeError } from './errors.ts'
import { damageOf } from './shared-library.ts'

/** The libtorch that this package is built for, tested with, and fetches. */
export const LIBTORCH_VERSION = '2.13.0'

/** Minor versions that the sources compile against, where LIBTORCH names one. */
const OLDEST_MINOR = 11
const NEWEST_MINOR = 14

/** Which rule found a libtorch; `build`: it is the one that the addon was built against. */
export type LibtorchSource = 'LIBTORCH' | 'LIBTORCH_USE_PYTORCH' | 'build' | 'cache' | 'python'

/** A libtorch on this machine. */
export interface Libtorch {
  /** the folder that holds include/ and lib/ */
  root: string
  /** with its build tag, as `2.13.0+cpu` */
  version: string
  foundBy: LibtorchSource
  /** it brings CUDA kernels */
  cuda: boolean
}

export type Environment = Record<string, string | undefined>

/** `2.13.0+cpu` -> `2.13.0` */
export function releaseOf(version: string): string {
  return version.split('+')[0]!
}

/** Where this package keeps what it fetches: MAGIC_GRPO_CACHE, else magic-grpo in the user's cache folder. */
export function cacheFolder(env: Environment = process.env): string {
  if (env.MAGIC_GRPO_CACHE) return resolve(env.MAGIC_GRPO_CACHE)
  return join(env.XDG_CACHE_HOME || join(env.HOME || home(), '.cache'), 'magic-grpo')
}

/** A user without an entry in /etc/passwd, as containers run, has none. */
function home(): string {
  try {
    return homedir()
  } catch {
    return tmpdir()
  }
}

/** Which of its two builds; the CUDA one runs on the CPU as well. */
export type LibtorchBuild = 'cpu' | 'cuda'

/** The folder of a fetched libtorch, whether it is there or not. */
export function cachedLibtorch(env: Environment = process.env, build: LibtorchBuild = 'cpu'): string {
  const folder = join(cacheFolder(env), `libtorch-${LIBTORCH_VERSION}-${build}`)
  // NVIDIA's libraries lie beside it, where its own RPATH looks for them
  return build === 'cuda' ? join(folder, 'torch') : folder
}

/** Signs of an NVIDIA driver: its kernel module, its device in a container, and what Windows lends to WSL 2, which has neither. */
const NVIDIA_DRIVER = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/usr/lib/wsl/lib/libcuda.so.1']

/** Whether this machine has an NVIDIA driver. */
export function hasNvidiaDriver(exists: (path: string) => boolean = existsSync): boolean {
  return NVIDIA_DRIVER.some((path) => exists(path))
}

/**
 * The version of the libtorch in a folder, with its build tag where one is written down.
 * Reads version.py (a wheel), build-version (an archive) or version.h (anything else); undefined where none is there.
 */
export function libtorchVersion(root: string): string | undefined {
  const wheel = readText(join(root, 'version.py'))?.match(/^__version__\s*=\s*['"]([^'"]+)['"]/m)?.[1]
  if (wheel) return wheel
  const archive = readText(join(root, 'build-version'))?.trim()
  if (archive) return archive
  for (const header of ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h']) {
    const text = readText(join(root, 'include', header)) ?? ''
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`#define TORCH_VERSION_${part} (\\d+)`)?.[1])
    if (parts.every((part) => part !== undefined)) return parts.join('.')
  }
  return undefined
}

/** What each has; libtorch.so stands for all of them. */
const LIBRARIES = ['lib/libtorch.so', 'lib/libtorch_cpu.so', 'lib/libc10.so']
const CUDA_LIBRARY = 'lib/libtorch_cuda.so'

/** Looks at one folder: its libtorch, or why it is none. */
export function inspectLibtorch(root: string, foundBy: LibtorchSource): Libtorch | { missing: string } {
  if (!existsSync(root)) return { missing: `${root} does not exist` }
  for (const file of ['include/ATen/core/Tensor.h', ...LIBRARIES]) {
    if (!existsSync(join(root, file))) return { missing: `${root} holds no ${file}` }
  }
  const cuda = existsSync(join(root, CUDA_LIBRARY))
  for (const file of cuda ? [...LIBRARIES, CUDA_LIBRARY] : LIBRARIES) {
    const damage = damageOf(join(root, file))
    if (damage) return { missing: damage }
  }
  const version = libtorchVersion(root)
  if (!version) return { missing: `${root} says nowhere which version it is (version.py, build-version, version.h)` }
  return { root: realpathSync(root), version, foundBy, cuda }
}

/**
 * Finds libtorch without fetching: LIBTORCH, LIBTORCH_USE_PYTORCH=1, this package's cache folder, a Python that has
 * torch of the right version. Undefined where there is none.
 *
 * What the two variables name must be there (LIBTORCH_MISSING) and be 2.11 to 2.14 (LIBTORCH_VERSION); the other
 * places count only with exactly {@link LIBTORCH_VERSION}.
 */
export function locateLibtorch(env: Environment = process.env, cwd: string = process.cwd()): Libtorch | undefined {
  if (env.LIBTORCH) {
    return explicit(
      resolve(cwd, env.LIBTORCH),
      'LIBTORCH',
      'Set LIBTORCH to a folder with include/ and lib/, or unset it.',
    )
  }
  if (env.LIBTORCH_USE_PYTORCH && env.LIBTORCH_USE_PYTORCH !== '0') {
    const python = ['python3', 'python'].map((name) => onPath(name, env)).find((path) => path !== undefined)
    const help = 'Install torch for the python3 on PATH, or unset LIBTORCH_USE_PYTORCH.'
    if (!python)
      throw new NativeError('LIBTORCH_MISSING', `LIBTORCH_USE_PYTORCH is set, but PATH holds no python3. ${help}`)
    const root = torchOfPython(python, env)
    if (!root)
      throw new NativeError('LIBTORCH_MISSING', `LIBTORCH_USE_PYTORCH is set, but ${python} has no torch. ${help}`)
    return explicit(root, 'LIBTORCH_USE_PYTORCH', help)
  }
  const builds: LibtorchBuild[] = hasNvidiaDriver() ? ['cuda', 'cpu'] : ['cpu', 'cuda']
  for (const build of builds) {
    const cached = inspectLibtorch(cachedLibtorch(env, build), 'cache')
    if (!('missing' in cached) && releaseOf(cached.version) === LIBTORCH_VERSION) return cached
  }
  for (const found of torchOfPythons(env, cwd)) if (releaseOf(found.version) === LIBTORCH_VERSION) return found
  return undefined
}

/** What is wrong with a libtorch in the cache folder that is there, but not whole. */
export function damagedCache(env: Environment): string | undefined {
  for (const build of ['cpu', 'cuda'] as const) {
    const root = cachedLibtorch(env, build)
    const found = existsSync(root) ? inspectLibtorch(root, 'cache') : undefined
    if (found && 'missing' in found) return found.missing
  }
  return undefined
}

/** Every PyTorch that {@link locateLibtorch} looks at, of whatever version. */
export function* torchOfPythons(env: Environment, cwd: string): Generator<Libtorch> {
  for (const python of pythons(env, cwd)) {
    const root = torchOfPython(python, env)
    const found = root ? inspectLibtorch(root, 'python') : undefined
    if (found && !('missing' in found)) yield found
  }
}

/** The first executable of that name on PATH. */
export function onPath(name: string, env: Environment = process.env): string | undefined {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder && existsSync(join(folder, name))) return join(folder, name)
  }
  return undefined
}

function explicit(root: string, foundBy: LibtorchSource, help: string): Libtorch {
  const found = inspectLibtorch(root, foundBy)
  if ('missing' in found)
    throw new NativeError('LIBTORCH_MISSING', `${foundBy} names no libtorch: ${found.missing}. ${help}`)
  const [major, minor] = found.version.split('.').map((part) => Number.parseInt(part, 10))
  if (major !== 2 || !(minor! >= OLDEST_MINOR && minor! <= NEWEST_MINOR)) {
    throw new NativeError(
      'LIBTORCH_VERSION',
      `${foundBy} names libtorch ${found.version} at ${found.root}, but 2.${OLDEST_MINOR} to 2.${NEWEST_MINOR} is needed ` +
        `(${LIBTORCH_VERSION} is what is tested). ${help}`,
    )
  }
  return found
}

function pythons(env: Environment, cwd: string): string[] {
  const folders = [env.VIRTUAL_ENV, env.CONDA_PREFIX, join(cwd, '.venv')]
  const inFolders = folders.flatMap((folder) =>
    folder ? [join(folder, 'bin', 'python3'), join(folder, 'bin', 'python')] : [],
  )
  const all = [...inFolders, onPath('python3', env), onPath('python', env)]
  return [...new Set(all.filter((path): path is string => path !== undefined && existsSync(path)))]
}

/** The torch folder of a Python, found without importing torch, which takes seconds. */
function torchOfPython(python: string, env: Environment): string | undefined {
  const find =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")'
  try {
    return (
      execFileSync(python, ['-c', find], {
        env,
        encoding: 'utf8',
        timeout: 20_000,
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim() || undefined
    )
  } catch {
    return undefined
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
