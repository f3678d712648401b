import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { locateLibtorch } from '../src/native/libtorch.ts'
import { fetchLibtorch } from '../src/native/libtorch-fetch.ts'
import { byteProgress, note, orFail, stage } from './progress.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`)

/** Builds prebuilds/<platform>-<arch>: the addon without an RPATH, its preloader, and what it was built against. */
await orFail(async () => {
  const libtorch = locateLibtorch() ?? (await fetchLibtorch({ report: { note, bytes: byteProgress() } }))
  await stage('prebuild', () => {
    const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js')
    const child = spawnSync(process.execPath, [prebuildify, '--napi', '--strip'], {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        LIBTORCH: libtorch.root,
        MAGIC_GRPO_PORTABLE: '1',
        // node-gyp would download headers, though this build needs none from it
        npm_config_nodedir: process.env.npm_config_nodedir ?? nodePrefix(),
      },
    })
    if (child.status !== 0) throw new Error('prebuildify failed; its messages are above')
    mkdirSync(folder, { recursive: true })
    copyFileSync(join(root, 'build/Release/magic_grpo_preload.so'), join(folder, 'magic_grpo_preload.so'))
    writeFileSync(join(folder, 'magic_grpo.json'), `${JSON.stringify({ libtorch: '', version: libtorch.version })}\n`)
  })
})

/** The folder whose include/node belongs to the running Node; empty where it was installed without headers. */
function nodePrefix(): string {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : ''
}
