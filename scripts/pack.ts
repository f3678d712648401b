import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** A tarball: where it is, its bytes, and what it holds. */
export interface Tarball {
  path: string
  size: number
  files: { path: string; size: number }[]
}

/** The registry takes no more than about 180 MB; this is what the package is meant to weigh with its CUDA kernels. */
export const SIZE_LIMIT = 30e6

/** `npm pack` into a folder, without its scripts: dist/ has to be built. `dryRun`: nothing is written. */
export function pack(folder: string, dryRun = false): Tarball {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder, ...(dryRun ? ['--dry-run'] : [])]
  const output = execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const [tarball] = JSON.parse(output) as [{ filename: string; size: number; files: Tarball['files'] }]
  return { path: join(folder, tarball.filename), size: tarball.size, files: tarball.files }
}

/** What a package holds: what runs, and what a build from source takes. */
const ALLOWED = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^dist\/.*\.(js|d\.ts)$/,
  /^dist\/native\/contract\.digest$/,
  /^dist\/verify\/code\/harness\/\w+\.(py|cjs)$/,
  /^prebuilds\/[\w-]+\/(magic-grpo\.glibc\.node|magic_grpo_(preload|cuda)\.so|magic_grpo\.json)$/,
  /^schema\/train\.schema\.json$/,
  /^examples\/quickstart\.yaml$/,
  /^(CMakeLists\.txt|scripts\/install\.mjs|native\/.*\.(cc|h|inl|cu|cuh))$/,
]

/** The files of a tarball that do not belong into it. */
export function strangers(files: readonly { path: string }[]): string[] {
  return files.map(({ path }) => path).filter((path) => !ALLOWED.some((pattern) => pattern.test(path)))
}
