import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { byteProgress, note, orFail, stage } from '../src/install/progress.ts'
import { locateLibtorch } from '../src/native/libtorch.ts'
import { fetchLibtorch } from '../src/native/libtorch-fetch.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const target = join(root, 'prebuilds', `${process.platform}-${process.arch}`)
/** prebuildify wants a folder to itself: it deletes build/ first and moves the addon away at the end. */
const folder = join(root, 'build/prebuild')

/**
 * What the CUDA kernels of a release are compiled for: machine code for Ampere (A100, RTX 30), Ada, Hopper and Blackwell,
 * and PTX for what comes after them.
 */
const CUDA_ARCHITECTURES = '80-real;86-real;89-real;90-real;100-real;120'

/** Builds prebuilds/<platform>-<arch>: the stripped addon, its preloader, the CUDA kernels, what it was built against. */
await orFail(async () => {
  const libtorch = locateLibtorch() ?? (await fetchLibtorch({ report: { note, bytes: byteProgress() } }))
  await stage(`prebuild for ${process.platform} ${process.arch}`, () => {
    for (const old of [folder, target]) rmSync(old, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    for (const name of ['package.json', 'binding.gyp']) copyFileSync(join(root, name), join(folder, name))
    for (const name of ['CMakeLists.txt', 'native', 'scripts', 'src', 'node_modules'])
      symlinkSync(join(root, name), join(folder, name))
    const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js')
    const child = spawnSync(process.execPath, [prebuildify, '--napi', '--strip', '--tag-libc', '--out', root], {
      cwd: folder,
      stdio: 'inherit',
      env: {
        ...process.env,
        LIBTORCH: libtorch.root,
        MAGIC_GRPO_BUILD_FOLDER: join(folder, 'build/Release'),
        MAGIC_GRPO_CUDA_ARCHITECTURES: CUDA_ARCHITECTURES,
        // node-gyp would download headers, though this build needs none from it
        npm_config_nodedir: process.env.npm_config_nodedir ?? nodePrefix(),
      },
    })
    if (child.status !== 0) throw new Error('prebuildify failed; its messages are above')
    // of whatever folder libtorch is in on the machine that it comes to
    const built = { libtorch: '', version: libtorch.version }
    writeFileSync(join(target, 'magic_grpo.json'), `${JSON.stringify(built)}\n`)
    if (!existsSync(join(target, 'magic_grpo_cuda.so')))
      note('without CUDA kernels: no nvcc on PATH. A release needs them')
  })
})

/** The folder whose include/node belongs to the running Node; empty where it was installed without headers. */
function nodePrefix(): string {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : ''
}
