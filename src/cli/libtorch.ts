import { byteProgress, note } from '../install/progress.ts'
import {
  damagedCache,
  hasNvidiaDriver,
  LIBTORCH_VERSION,
  type Libtorch,
  type LibtorchBuild,
  locateLibtorch,
  releaseOf,
  torchOfPythons,
} from '../native/libtorch.ts'
import { fetchLibtorch } from '../native/libtorch-fetch.ts'
import { BUILD_FROM_SOURCE } from '../native/libtorch-help.ts'
import { chooseLibtorch, findAddon } from '../native/load.ts'

/** `magic-grpo libtorch install`: what is on this machine already is used; else it is fetched into the cache folder. */
export async function installLibtorch(options: { cpu?: boolean; cuda?: boolean }): Promise<void> {
  const build: LibtorchBuild = options.cuda || (!options.cpu && hasNvidiaDriver()) ? 'cuda' : 'cpu'
  const found = locateLibtorch()
  if (found && releaseOf(found.version) !== LIBTORCH_VERSION) {
    note(`${describe(found)} is not ${LIBTORCH_VERSION}, which the prebuilt addon is for`)
    note(`to run on it: ${BUILD_FROM_SOURCE}`)
    note(`to fetch ${LIBTORCH_VERSION}: unset ${found.foundBy} and do this again`)
    process.exitCode = 1
    return
  }
  if (found && (build === 'cpu' || found.cuda)) {
    note(`${describe(found)}: nothing to fetch; ${whatRunsTake(found, nextTaken())}`)
    return
  }
  if (found) note(`${describe(found)} is for the CPU`)
  else
    for (const torch of torchOfPythons(process.env, process.cwd()))
      note(`${describe(torch)} is not ${LIBTORCH_VERSION} and stays unused`)
  const damage = damagedCache(process.env)
  if (damage) note(`the one in the cache folder is damaged: ${damage}`)
  note(`fetching libtorch ${LIBTORCH_VERSION} for ${build === 'cuda' ? 'CUDA (3 GB)' : 'the CPU (190 MB)'}`)
  const fetched = await fetchLibtorch({ build, report: { note, bytes: byteProgress() } })
  note(`libtorch ${fetched.version} is at ${fetched.root}; ${whatRunsTake(fetched, nextTaken())}`)
}

/** The libtorch that the next run takes. */
function nextTaken(): Libtorch | undefined {
  try {
    return chooseLibtorch(findAddon(), process.env)
  } catch {
    return locateLibtorch()
  }
}

/** Another than the one in hand may come first: one that LIBTORCH names, or that the addon was built against. */
export function whatRunsTake({ root, foundBy }: Libtorch, taken: Libtorch | undefined): string {
  if (!taken || taken.root === root) {
    const named = foundBy === 'LIBTORCH' || foundBy === 'LIBTORCH_USE_PYTORCH'
    return `every later run${named ? ` with ${foundBy} set` : ''} finds it there`
  }
  const how = taken.foundBy === 'build' ? 'which the addon was built against' : `found by ${taken.foundBy}`
  return `runs still take ${taken.root}, ${how}. To run on this one: LIBTORCH=${root}`
}

function describe({ version, root, foundBy }: Libtorch): string {
  return `libtorch ${version} at ${root} (found by ${foundBy})`
}
