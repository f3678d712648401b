import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { note, orFail, stage } from '../../src/install/progress.ts'
import { packagesOf } from './packages.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = join(root, 'build/gpu-bundle')

/** What the bundle may weigh, bytes. */
const LIMIT = 64e6

/** Of the repository, what builds and what is run there. */
const SOURCES = ['package.json', 'CMakeLists.txt', 'native', 'src', 'scripts', 'bench', 'examples', 'schema', 'test']
/** What the tests and benchmarks there need beside the package's own dependencies. */
const TOOLS = ['ava', 'tsx', 'node-api-headers']

/** `npm run gpu-bundle`: build/gpu-bundle, for a machine with a GPU and PyTorch but neither Node nor a network. */
await orFail(async () => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await stage('Node', () => {
    const node = join(folder, 'node')
    copyFileSync(process.execPath, node)
    chmodSync(node, 0o755)
    execFileSync('strip', [node])
    execFileSync('xz', ['-T0', '-6', node])
  })
  await stage('sources', () => {
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z', ...SOURCES], { cwd: root })
    archive('sources', files.toString())
  })
  await stage('dependencies', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
    archive('node_modules', packagesOf(lock, TOOLS).join('\0'))
  })
  copyFileSync(join(root, 'scripts/gpu-bundle/run.sh'), join(folder, 'run.sh'))
  const sizes = readdirSync(folder).map((name) => ({ name, size: statSync(join(folder, name)).size }))
  for (const { name, size } of sizes) note(`${(size / 1e6).toFixed(1).padStart(6)} MB  ${name}`)
  const total = sizes.reduce((sum, { size }) => sum + size, 0)
  note(`${(total / 1e6).toFixed(1)} MB in ${folder}; there: bash run.sh`)
  if (total > LIMIT) throw new Error(`the bundle is larger than ${LIMIT / 1e6} MB`)
})

/** These files and folders, separated by NUL, as folder/NAME.tar.xz. */
function archive(name: string, list: string): void {
  const args = ['-C', root, '-cJf', join(folder, `${name}.tar.xz`), '--null', '-T', '-']
  execFileSync('tar', args, { input: list, env: { ...process.env, XZ_OPT: '-T0 -6' } })
}
