import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { note, orFail, stage } from '../src/install/progress.ts'
import { LIBTORCH_VERSION, locateLibtorch, onPath } from '../src/native/libtorch.ts'
import { buildTypeScript } from './build-typescript.ts'
import { pack, SIZE_LIMIT, strangers } from './pack.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const PROGRAM = `import { Policy } from 'magic-grpo'
const policy = await Policy.create({ model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'], vocab_size: 32, hidden_size: 16,
  intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 1, rms_norm_eps: 1e-6,
  max_position_embeddings: 64, tie_word_embeddings: true }, { device: 'cpu', dtype: 'float32', seed: 1n })
const tokenIds = Int32Array.of(1, 2, 3, 4, 5, 1, 2, 6, 7, 8)
const batch = { tokenIds, offsets: Int32Array.of(0, 5, 10), promptLengths: Int32Array.of(2, 2), advantages: Float32Array.of(1, -1) }
const stats = await policy.trainStep(batch, { learningRate: 1e-3, entropyCoefficient: 0.001 })
console.log(stats.tokens === 6 && Number.isFinite(stats.loss) ? 'trained' : 'broken', stats.loss)
policy.dispose()
`

/**
 * Packs the package, installs the tarball into an empty project with nothing on PATH but node, npm and sh, and uses it
 * as a person does: without libtorch every command says what to type; with it the doctor, a short quickstart and a
 * program of ten lines work. What has passed all that goes into `keepIn`, where one is given.
 *
 * @returns the path of the tarball that is kept, and its bytes
 */
export async function smokeInstall(keepIn?: string): Promise<{ path: string; size: number }> {
  const libtorch = locateLibtorch()
  if (!libtorch) throw new Error(`no libtorch ${LIBTORCH_VERSION}: npx magic-grpo libtorch install`)
  await buildTypeScript()
  const folder = mkdtempSync(join(tmpdir(), 'magic-smoke-'))
  try {
    const tarball = pack(folder)
    note(`${(tarball.size / 1e6).toFixed(2)} MB, ${tarball.files.length} files`)
    const wrong = strangers(tarball.files)
    if (wrong.length > 0) throw new Error(`these do not belong into the package: ${wrong.join(', ')}`)
    if (tarball.size > SIZE_LIMIT) throw new Error(`the tarball is larger than ${SIZE_LIMIT / 1e6} MB`)

    const project = join(folder, 'project')
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }')
    writeFileSync(join(project, 'program.ts'), PROGRAM)
    const env = { PATH: barePath(join(folder, 'bin')), HOME: join(folder, 'home'), NO_COLOR: '1', ...npmSettings() }
    const run = (args: string[], more: Record<string, string>, status = 0): string => {
      const child = spawnSync(args[0]!, args.slice(1), { cwd: project, env: { ...env, ...more }, encoding: 'utf8' })
      if (child.status === status) return child.stdout + child.stderr
      throw new Error(`${args.join(' ')}: status ${child.status ?? child.signal}\n${child.stdout}${child.stderr}`)
    }
    await stage('install', () => run(['npm', 'install', '--no-audit', '--no-fund', tarball.path], {}))
    const magic = ['npx', '--no', 'magic-grpo']
    for (const args of [['quickstart'], ['generate', 'x', '-m', '.'], ['eval', 'x.jsonl', '-m', '.']])
      expect(run([...magic, ...args], {}, 1), /no libtorch .* found.*npx magic-grpo libtorch install/s)

    const ready = { LIBTORCH: libtorch.root }
    expect(run([...magic, 'libtorch', 'install', '--cpu'], ready), /nothing to fetch/)
    expect(run([...magic, 'doctor'], ready), /prebuilds\/\S+\.node.*Ready to train/s)
    await stage('a program of ten lines', () => expect(run(['npx', '--no', 'tsx', 'program.ts'], ready), /^trained /m))
    const short = ['steps=2', 'evaluation.samples=1', 'promptsPerStep=8', 'promptsPerUpdate=8']
    await stage('quickstart', () => expect(run([...magic, 'quickstart', ...short], ready), /done: 2 steps in/))
    const path = join(keepIn ?? folder, basename(tarball.path))
    if (keepIn) copyFileSync(tarball.path, path)
    return { path, size: tarball.size }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A PATH with what npm needs, and no compiler, cmake, Python or headers. */
function barePath(folder: string): string {
  mkdirSync(folder)
  for (const name of ['node', 'npm', 'npx', 'sh', 'env']) {
    const path = name === 'node' ? process.execPath : onPath(name)
    if (path) symlinkSync(path, join(folder, name))
  }
  return folder
}

/** The registry and the packages that this user has already. */
function npmSettings(): Record<string, string> {
  const of = (key: string) =>
    spawnSync('npm', ['config', 'get', key], { cwd: root, encoding: 'utf8' }).stdout.trim().split('\n').at(-1)!
  return { npm_config_cache: of('cache'), npm_config_registry: of('registry'), npm_config_prefer_offline: 'true' }
}

function expect(text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new Error(`expected ${pattern} in:\n${text}`)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  await orFail(async () => void (await smokeInstall()))
