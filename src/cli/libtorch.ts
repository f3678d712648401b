import { byteProgress, note } from '../install/progress.ts'
import {
  hasNvidiaDriver,
  LIBTORCH_VERSION,
  type Libtorch,
  type LibtorchBuild,
  locateLibtorch,
  releaseOf,
  torchOfPythons,
} from '../native/libtorch.ts'
import { fetchLibtorch } from '../native/libtorch-fetch.ts'

/** `magic-grpo libtorch install`: what is on this machine already is used; else it is fetched into the cache folder. */
export async function installLibtorch(options: { cpu?: boolean; cuda?: boolean }): Promise<void> {
  const build: LibtorchBuild = options.cuda || (!options.cpu && hasNvidiaDriver()) ? 'cuda' : 'cpu'
  const found = locateLibtorch()
  if (found && releaseOf(found.version) !== LIBTORCH_VERSION) {
    note(`${describe(found)} is not ${LIBTORCH_VERSION}, which the prebuilt addon is for. To run on it: npm rebuild`)
    note(`magic-grpo --build-from-source; to fetch ${LIBTORCH_VERSION}: unset ${found.foundBy} and do this again`)
    process.exitCode = 1
    return
  }
  if (found && (build === 'cpu' || found.cuda)) {
    note(`${describe(found)} is used; nothing to fetch`)
    return
  }
  if (found) note(`${describe(found)} is for the CPU`)
  else
    for (const torch of torchOfPythons(process.env, process.cwd()))
      note(`${describe(torch)} is not ${LIBTORCH_VERSION} and stays unused`)
  note(`fetching libtorch ${LIBTORCH_VERSION} for ${build === 'cuda' ? 'CUDA (3 GB)' : 'the CPU (190 MB)'}`)
  const fetched = await fetchLibtorch({ build, report: { note, bytes: byteProgress() } })
  note(`libtorch ${fetched.version} is at ${fetched.root}; every later run finds it there`)
}

function describe({ version, root, foundBy }: Libtorch): string {
  return `libtorch ${version} at ${root} (found by ${foundBy})`
}
