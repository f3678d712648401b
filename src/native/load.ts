import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NativeAddon } from './contract.ts'
import { NativeError } from './errors.ts'
import {
  type Environment,
  inspectLibtorch,
  LIBTORCH_VERSION,
  type Libtorch,
  libtorchSolutions,
  locateLibtorch,
  releaseOf,
} from './libtorch.ts'
import { withShortSpins } from './openmp.ts'

const require = createRequire(import.meta.url)
/** src/native or dist/native are equally deep. */
const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** An addon on disk and what it was built against, as the build wrote it beside it. */
export interface BuiltAddon {
  path: string
  /** of the libtorch that it was compiled against, as `2.13.0+cpu` */
  version: string
  /** the folder that its RPATH names; empty in a prebuilt one */
  libtorch: string
}

let loaded: NativeAddon | undefined

/**
 * The native addon, loaded once a thread. libtorch is found and its version compared with the one that the addon was
 * built against before anything is loaded: a mismatch would crash the process, not throw.
 *
 * @throws NativeError ADDON_MISSING, LIBTORCH_MISSING or LIBTORCH_VERSION, with what to do
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
    const built = JSON.parse(readFileSync(join(dirname(path), 'magic_grpo.json'), 'utf8')) as Omit<BuiltAddon, 'path'>
    return { path, version: built.version, libtorch: built.libtorch }
  } catch {
    throw new NativeError(
      'ADDON_MISSING',
      `${path} has no magic_grpo.json beside it: its build did not finish.\n${addonSolutions}`,
    )
  }
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
    throw new NativeError(
      'LIBTORCH_MISSING',
      `no libtorch ${releaseOf(addon.version)} found.${gone}\n${libtorchSolutions(env)}`,
    )
  }
  if (releaseOf(libtorch.version) !== releaseOf(addon.version)) {
    throw new NativeError(
      'LIBTORCH_VERSION',
      `the addon was built against libtorch ${addon.version}, but ${libtorch.root} is ${libtorch.version}.\n` +
        `Possible solutions:\n` +
        `  - build the addon against it: npm run build in a clone, or npm rebuild magic-grpo --build-from-source\n` +
        `  - run it on ${releaseOf(addon.version)}: LIBTORCH=DIR, or unset LIBTORCH so that it is looked for` +
        `${releaseOf(addon.version) === LIBTORCH_VERSION ? ' and fetched' : ''}`,
    )
  }
  return libtorch
}

function open(addon: BuiltAddon, env: Environment): NativeAddon {
  const libtorch = chooseLibtorch(addon, env)
  try {
    // The addon's RPATH names one folder. Another one is opened first, by its path: its libraries then answer to the names.
    if (libtorch.root !== addon.libtorch)
      withShortSpins(() =>
        preload(join(dirname(addon.path), 'magic_grpo_preload.so'), join(libtorch.root, 'lib/libtorch.so')),
      )
    return withShortSpins(() => require(addon.path) as NativeAddon)
  } catch (error) {
    const reason = (error as Error).message
    throw new NativeError('ADDON_MISSING', `${addon.path} does not load: ${reason}.\n${addonSolutions}`, {
      cause: error,
    })
  }
}

function preload(addon: string, library: string): void {
  const preloader: { exports: { preload?(path: string): void } } = { exports: {} }
  process.dlopen(preloader, addon)
  preloader.exports.preload!(library)
}

const addonSolutions = `Possible solutions:
  - build it: npm run build in a clone, or npm rebuild magic-grpo (needs cmake, ninja or make, g++ 11 or later)
  - where install scripts are switched off, allow this package's: npm install-scripts approve magic-grpo, or --ignore-scripts=false
magic-grpo doctor shows what is found on this machine.`
