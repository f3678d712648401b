import { cacheFolder, type Environment, LIBTORCH_VERSION, torchOfPythons } from './libtorch.ts'

/** Compiles the installed package's addon, whatever installed it: `npm rebuild` takes the flag up to npm 11 only. */
export const BUILD_FROM_SOURCE = 'node node_modules/magic-grpo/scripts/install.mjs --build-from-source'

/** What a person can do who has no libtorch, or one of another version: for the end of an error message. */
export function libtorchSolutions(env: Environment = process.env, cwd: string = process.cwd()): string {
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
