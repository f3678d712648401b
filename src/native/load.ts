import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NativeAddon } from './contract.ts'
import { contractDigest } from './contract-digest.ts'
import { NativeError } from './errors.ts'
import {
  cacheFolder,
  damagedCache,
  type Environment,
  inspectLibtorch,
  LIBTORCH_VERSION,
  type Libtorch,
  locateLibtorch,
  releaseOf,
} from './libtorch.ts'
import { BUILD_FROM_SOURCE, libtorchSolutions } from './libtorch-help.ts'
import { withShortSpins } from './openmp.ts'
import { probe } from './probe.ts'

const require = createRequire(import.meta.url)
/** src/native or dist/native are equally deep. */
const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** An addon on disk and what it was built against, as the build wrote it beside it. */
export interface BuiltAddon {
  path: string
  /** of the libtorch that it was compiled against, as `2.13.0+cpu` */
  version: string
  /** the folder of that libtorch; empty in a prebuilt one */
  libtorch: string
}

let loaded: NativeAddon | undefined
let cudaReason: string | undefined

/**
 * The native addon, loaded once a thread. libtorch is found and its version compared with the one that the addon was
 * built against before anything is loaded: a mismatch would crash the process, not throw. On any libtorch but the one
 * that it was built against, an addon is loaded in a child process first. One that was compiled from another contract
 * than this package's is refused.
 *
 * @throws NativeError ADDON_MISSING, ADDON_CRASHED, ADDON_VERSION, LIBTORCH_MISSING or LIBTORCH_VERSION, with what to do
 */
export function loadAddon(): NativeAddon {
  loaded ??= open(findAddon(), process.env)
  return loaded
}

/** Where node-gyp-build finds the addon: build/Release of a local build, else prebuilds/. */
export function findAddon(root: string = packageRoot): BuiltAddon {
  let path: string
  try {
    const { path: find } = require('node-gyp-build') as { path(folder: string): string }
    path = find(root)
  } catch {
    throw new NativeError(
      'ADDON_MISSING',
      `no native addon for ${process.platform} ${process.arch} in ${root}.\n${addonSolutions}`,
    )
  }
  try {
    const { version, libtorch } = JSON.parse(readFileSync(join(dirname(path), 'magic_grpo.json'), 'utf8'))
    if (typeof version === 'string' && typeof libtorch === 'string') return { path, version, libtorch }
  } catch {
    // as good as none
  }
  throw new NativeError(
    'ADDON_MISSING',
    `${path} has no magic_grpo.json beside it, or a broken one: its build did not finish.\n${addonSolutions}`,
  )
}

/**
 * The libtorch that an addon is going to run on: what LIBTORCH or LIBTORCH_USE_PYTORCH name, else the one it was
 * built against, else the first that {@link locateLibtorch} finds.
 */
export function chooseLibtorch(addon: BuiltAddon, env: Environment, cwd: string = process.cwd()): Libtorch {
  const explicit = env.LIBTORCH || (env.LIBTORCH_USE_PYTORCH && env.LIBTORCH_USE_PYTORCH !== '0')
  const own = explicit || !addon.libtorch ? undefined : inspectLibtorch(addon.libtorch, 'build')
  const libtorch = own && !('missing' in own) ? own : locateLibtorch(env, cwd)
  if (!libtorch) {
    const gone = own && 'missing' in own ? ` The addon was built against ${addon.libtorch}: ${own.missing}.` : ''
    const damage = damagedCache(env)
    const broken = damage && !gone.includes(damage) ? ` The one in the cache folder is damaged: ${damage}.` : ''
    const wanted = releaseOf(addon.version)
    throw new NativeError(
      'LIBTORCH_MISSING',
      `no libtorch ${wanted} found.${gone}${broken}\n${libtorchSolutions(env, cwd)}`,
    )
  }
  if (releaseOf(libtorch.version) !== releaseOf(addon.version)) {
    throw new NativeError(
      'LIBTORCH_VERSION',
      `the addon was built against libtorch ${addon.version}, but ${libtorch.root} is ${libtorch.version}.\n` +
        `Possible solutions:\n` +
        `  - build the addon against it: ${BUILD_FROM_SOURCE}, or npm run build:all in a clone\n` +
        `  - run it on ${releaseOf(addon.version)}: LIBTORCH=DIR, or unset LIBTORCH so that it is looked for` +
        `${releaseOf(addon.version) === LIBTORCH_VERSION ? '; npx magic-grpo libtorch install fetches it' : ''}`,
    )
  }
  return libtorch
}

/** Throws what {@link loadAddon} would for want of an addon or a libtorch, without loading anything. */
export function needNative(): void {
  chooseLibtorch(findAddon(), process.env)
}

/** Why a CUDA libtorch was loaded without its CUDA part; undefined where it was not, or nothing is loaded. */
export function withoutCuda(): string | undefined {
  return cudaReason
}

function open(addon: BuiltAddon, env: Environment): NativeAddon {
  const libtorch = chooseLibtorch(addon, env)
  const failed = (code: 'ADDON_MISSING' | 'ADDON_CRASHED', reason: string, cause?: unknown) =>
    new NativeError(code, `${addon.path} does not load: ${reason}.\n${fetchAnew(libtorch, env)}${addonSolutions}`, {
      cause,
    })
  const preloader = join(dirname(addon.path), 'magic_grpo_preload.so')
  if (libtorch.root !== addon.libtorch) {
    const reason = probe(addon.path, preloader, libtorch, env)
    if (reason) throw failed('ADDON_CRASHED', `on libtorch ${libtorch.version} at ${libtorch.root}, ${reason}`)
  }
  let native: NativeAddon
  try {
    native = withShortSpins(() => {
      cudaReason = openLibtorch(preloader, libtorch)
      return require(addon.path) as NativeAddon
    })
  } catch (error) {
    throw failed('ADDON_MISSING', (error as Error).message, error)
  }
  checkContract(addon.path, native)
  return native
}

/**
 * The addon has no RPATH: libtorch is opened by its path, and its libraries then answer to the names that the addon asks
 * for. libtorch.so pulls in CUDA where there is one; where NVIDIA's libraries are missing, its CPU part runs alone.
 *
 * @returns why it does so
 */
function openLibtorch(preloader: string, { root, cuda }: Libtorch): string | undefined {
  const opener: { exports: { preload?(path: string): void } } = { exports: {} }
  process.dlopen(opener, preloader)
  const preload = opener.exports.preload!
  try {
    preload(join(root, 'lib/libtorch.so'))
    return undefined
  } catch (error) {
    if (!cuda) throw error
    preload(join(root, 'lib/libtorch_cpu.so'))
    return (error as Error).message
  }
}

/** An addon of other sources would take the arguments of a call for others, and hang or crash. */
function checkContract(path: string, native: Partial<NativeAddon>): void {
  const expected = contractDigest()
  if (native.contract === expected) return
  throw new NativeError(
    'ADDON_VERSION',
    `${path} was built from other sources than this package: its contract is ${native.contract ?? 'an older one'}, ` +
      `${expected} is needed.\n${addonSolutions}`,
  )
}

/** A fetched libtorch may have been damaged since: what the first look at it can't see. */
function fetchAnew({ root, cuda }: Libtorch, env: Environment): string {
  // a libtorch's root is without symbolic links
  const cache = existsSync(cacheFolder(env)) ? realpathSync(cacheFolder(env)) : undefined
  const folder = [root, dirname(root)].find((path) => dirname(path) === cache)
  if (!folder) return ''
  return `If its message names a library of ${root}, that one is damaged: rm -r ${shellWord(folder)}, then npx magic-grpo libtorch install ${cuda ? '--cuda' : '--cpu'}\n`
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

const addonSolutions = `Possible solutions:
  - install the package again: npm install magic-grpo brings a prebuilt addon for Linux on x64 with glibc 2.34 or later
  - build it (needs a libtorch, cmake, ninja or make, g++ 11 or later): ${BUILD_FROM_SOURCE},
    or npm run build:all in a clone
magic-grpo doctor shows what is found on this machine.`
