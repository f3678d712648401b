import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { note, orFail } from '../src/install/progress.ts'
import { smokeInstall } from './smoke-install.ts'
import { beyondFloor } from './symbol-floor.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Every file that a published package has for a platform. */
const PREBUILDS = {
  'linux-x64': ['magic-grpo.glibc.node', 'magic_grpo_preload.so', 'magic_grpo_cuda.so', 'magic_grpo.json'],
}

function prebuilds(): string[] {
  return Object.entries(PREBUILDS).flatMap(([platform, names]) => names.map((name) => `prebuilds/${platform}/${name}`))
}

/** What is still missing for a release of a version. */
export function missingForRelease(folder: string, version: string): string[] {
  const missing = prebuilds()
    .filter((path) => !existsSync(join(folder, path)))
    .map((path) => `${path}: npm run prebuild, with nvcc on PATH`)
  const changelog = existsSync(join(folder, 'CHANGELOG.md')) ? readFileSync(join(folder, 'CHANGELOG.md'), 'utf8') : ''
  if (!changelog.split('\n').some((line) => line.trim() === `## ${version}` || line.startsWith(`## ${version} `)))
    missing.push(`CHANGELOG.md: a section "## ${version}"`)
  return missing
}

/** `npm run release`: checks, packs and tries the package, and leaves the very tarball that was tried; publishing is left to who calls it. */
async function release(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const missing = missingForRelease(root, version)
  if (missing.length > 0) throw new Error(`${version} can't be released; missing:\n  ${missing.join('\n  ')}`)
  const newer = prebuilds()
    .filter((path) => !path.endsWith('.json'))
    .flatMap((path) =>
      (beyondFloor(join(root, path)) ?? ['readelf, to be checked']).map((symbol) => `${path} needs ${symbol}`),
    )
  if (newer.length > 0)
    throw new Error(`${version} can't be released; beyond what docs/install.md promises:\n  ${newer.join('\n  ')}`)
  const { path, size } = await smokeInstall(root)
  note(`${path}, ${(size / 1e6).toFixed(2)} MB; to publish it: npm publish ${path} --provenance --access public`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await orFail(release)
