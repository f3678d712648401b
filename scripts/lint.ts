import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { note } from '../src/install/progress.ts'
import { filesOf } from '../src/install/stamp.ts'
import { onPath } from '../src/native/libtorch.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const fix = process.argv.includes('--fix')

/** Biome for TypeScript and JSON, clang-format for C++; `--fix` writes what they would change. */
const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome')
const failed = [
  run(process.execPath, [
    biome,
    ...(fix ? ['check', '--write'] : ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off'])]),
  ]),
]
if (onPath('clang-format')) {
  const sources = filesOf(root, ['native', 'test/reference/cuda-on-cpu', 'test/reference/cpu-variants']).filter(
    (file) => /\.(cc|h|inl|cu|cuh)$/.test(file),
  )
  failed.push(run('clang-format', [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources]))
} else {
  note('clang-format is not on PATH: C++ is left unchecked (apt-get install clang-format)')
}
process.exitCode = failed.some(Boolean) ? 1 : 0

function run(command: string, args: string[]): boolean {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status !== 0
}
