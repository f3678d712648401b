import { cacheFolder, type Environment, LIBTORCH_VERSION, torchOfPythons } from './libtorch.ts'
import { type Libc, systemLibc } from './machine.ts'

/** Compiles the installed package's addon, whatever installed it: `npm rebuild` takes the flag up to npm 11 only. */
export const BUILD_FROM_SOURCE = 'node node_modules/magic-grpo/scripts/install.mjs --build-from-source'

/** Why nothing is fetched on Alpine and the like, and how to go on. */
export const NO_LIBTORCH_FOR_MUSL = `PyTorch publishes libtorch for glibc alone, and this system's C library is musl (as on Alpine).
Possible solutions:
  - run on a system with glibc 2.34 or later, as Debian 12 or Ubuntu 22.04: in a container, node:22-bookworm-slim in place of node:22-alpine
  - use a libtorch that you built here from PyTorch's sources, and build the addon against it:
    LIBTORCH=DIR ${BUILD_FROM_SOURCE}`

/** What a person can do who has no libtorch, or one of another version: for the end of an error message. */
export function libtorchSolutions(
  env: Environment = process.env,
  cwd: string = process.cwd(),
  libc: Libc = systemLibc(),
): string {
  if (libc === 'musl') return NO_LIBTORCH_FOR_MUSL
  // whatever is found here is of another version, else it had been taken
  const others = [...new Map([...torchOfPythons(env, cwd)].map((torch) => [torch.root, torch])).values()]
  const seen = others.map(
    ({ version, root }) =>
      `  - build for the PyTorch ${version} that is here, where that is 2.11 to 2.14:\n` +
      `    LIBTORCH=${root} ${BUILD_FROM_SOURCE}\n`,
  )
  return `Possible solutions:
  - fetch it (190 MB, into ${cacheFolder(env)}): npx magic-grpo libtorch install
    for an NVIDIA GPU (3 GB): npx magic-grpo libtorch install --cuda; elsewhere: MAGIC_GRPO_CACHE=DIR
  - use PyTorch ${LIBTORCH_VERSION} of a Python environment: activate it, or put its python3 on PATH
  - use a copy you have: LIBTORCH=DIR, the folder with include/ and lib/ of an unpacked libtorch or of a torch wheel
${seen.join('')}magic-grpo doctor shows what is found on this machine.`
}
