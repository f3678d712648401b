import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LIBTORCH_VERSION, type Libtorch, locateLibtorch, releaseOf } from '../src/native/libtorch.ts'
import { fetchLibtorch } from '../src/native/libtorch-fetch.ts'
import { buildNative } from './build-native.ts'
import { byteProgress, note, orFail, stage } from './progress.ts'
import { digest, filesOf, readStamp, writeStamp } from './stamp.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const settings = join(root, 'tsconfig.build.json')
/** The published package brings dist/ and no compiler settings. */
const inClone = existsSync(settings)

/** Everything between `npm ci` and a package that runs. Each stage finds out by itself whether it has anything to do. */
await orFail(async () => {
  // first: what the errors of the other stages send people to, the doctor, is TypeScript
  await buildTypeScript()
  const libtorch = await findLibtorch()
  if (prebuiltFor(libtorch)) note('native addon: prebuilt')
  else await buildNative(libtorch)
})

/** There is a prebuilt addon for this machine and this libtorch, and nobody asked for a build (npm rebuild --build-from-source). */
function prebuiltFor(libtorch: Libtorch): boolean {
  const text = readStamp(join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'magic_grpo.json'))
  // in a clone a prebuilt one is older than what is being worked on
  if (text === undefined || inClone || process.env.npm_config_build_from_source) return false
  return releaseOf((JSON.parse(text) as { version: string }).version) === releaseOf(libtorch.version)
}

async function findLibtorch(): Promise<Libtorch> {
  const found = locateLibtorch()
  if (found) {
    note(`libtorch ${found.version} at ${found.root} (${found.foundBy})`)
    return found
  }
  return await stage(`libtorch ${LIBTORCH_VERSION}: none on this machine, fetching it (190 MB)`, () =>
    fetchLibtorch({ report: { note, bytes: byteProgress() } }),
  )
}

async function buildTypeScript(): Promise<void> {
  const compiler = tryResolve('typescript/bin/tsc')
  if (!inClone || !compiler) return
  const stampPath = join(root, 'dist/.stamp')
  const stamp = digest(root, filesOf(root, ['src', 'tsconfig.json', 'tsconfig.build.json']), {})
  if (readStamp(stampPath) === stamp) {
    note('TypeScript: up to date')
    return
  }
  await stage('TypeScript: compiling to dist', () => {
    const child = spawnSync(process.execPath, [compiler, '-p', settings], { cwd: root, stdio: 'inherit' })
    if (child.status !== 0) throw new Error('tsc failed; its messages are above')
  })
  writeStamp(stampPath, stamp)
}

function tryResolve(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name)
  } catch {
    return undefined
  }
}
