import { spawnSync } from 'node:child_process'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { note, orFail, stage } from '../src/install/progress.ts'
import { digest, filesOf, readStamp, writeStamp } from '../src/install/stamp.ts'
import { contractDigest } from '../src/native/contract-digest.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Compiles src/ to dist/, with what dist/ needs beside JavaScript, where anything has changed. */
export async function buildTypeScript(): Promise<void> {
  const stampPath = join(root, 'dist/.stamp')
  const stamp = digest(root, filesOf(root, ['src', 'tsconfig.json', 'tsconfig.build.json']), {})
  if (readStamp(stampPath) === stamp) {
    note('TypeScript: up to date')
    return
  }
  await stage('TypeScript: compiling to dist', () => {
    // what was renamed would be published with the rest
    rmSync(join(root, 'dist'), { recursive: true, force: true })
    const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    const child = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
    if (child.status !== 0) throw new Error('tsc failed; its messages are above')
    cpSync(join(root, 'src/verify/code/harness'), join(root, 'dist/verify/code/harness'), { recursive: true })
    writeFileSync(join(root, 'dist/native/contract.digest'), `${contractDigest()}\n`)
  })
  writeStamp(stampPath, stamp)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await orFail(buildTypeScript)
