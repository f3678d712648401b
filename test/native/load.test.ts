import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { contractDigest } from '../../src/native/contract-digest.ts'
import { LIBTORCH_VERSION } from '../../src/native/libtorch.ts'
import { type BuiltAddon, chooseLibtorch, findAddon, loadAddon } from '../../src/native/load.ts'

const built = findAddon()
const libtorch = chooseLibtorch(built, process.env)
const root = fileURLToPath(new URL('../..', import.meta.url))

function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'load-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A copy of the built addon with what it says it was built against, `change`d where that is given. */
function copiedAddon(
  t: ExecutionContext,
  written: Omit<BuiltAddon, 'path'>,
  change?: [from: string, to: string],
): string {
  const folder = temporary(t)
  const release = join(folder, 'build/Release')
  mkdirSync(release, { recursive: true })
  const binary = readFileSync(built.path)
  if (change) {
    const at = binary.indexOf(`${change[0]}\0`)
    t.true(at > 0, `the addon holds ${change[0]}`)
    binary.write(change[1], at, 'latin1')
  }
  writeFileSync(join(release, 'magic_grpo.node'), binary)
  copyFileSync(join(dirname(built.path), 'magic_grpo_preload.so'), join(release, 'magic_grpo_preload.so'))
  writeFileSync(join(release, 'magic_grpo.json'), JSON.stringify(written))
  return folder
}

/** Loads the addon of that folder in a process of its own; LIBTORCH as given. */
function loadIn(folder: string, env: Record<string, string>): { version?: string; code?: string; message?: string } {
  const script = `import { loadAddon } from ${JSON.stringify(new URL('../../src/native/load.ts', import.meta.url).href)}
    try { console.log(JSON.stringify({ version: loadAddon().versions().libtorch })) }
    catch (error) { console.log(JSON.stringify({ code: error.code, message: error.message })) }`
  const child = spawnSync(process.execPath, ['--import=tsx', '--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: '', HOME: folder, XDG_CACHE_HOME: '', MAGIC_GRPO_PREBUILD: folder, ...env },
  })
  if (child.status !== 0) throw new Error(`the process died (${child.signal ?? child.status}): ${child.stderr}`)
  return JSON.parse(child.stdout)
}

test('the addon loads once and says what it is', (t) => {
  const versions = loadAddon().versions()
  t.is(loadAddon(), loadAddon())
  t.is(versions.libtorch, libtorch.version.split('+')[0]!)
  t.is(versions.builtAgainst, built.version.split('+')[0]!)
  t.true(versions.threads >= 1)
})

test('a prebuilt addon is tried in a child process on the libtorch that it finds, once', (t) => {
  const folder = copiedAddon(t, { version: built.version, libtorch: '' })
  const version = libtorch.version.split('+')[0]!
  t.deepEqual(loadIn(folder, { LIBTORCH: libtorch.root }), { version })
  const marks = join(folder, '.cache/magic-grpo/probed')
  t.is(readdirSync(marks).length, 1)
  t.deepEqual(loadIn(folder, { LIBTORCH: libtorch.root }), { version })
  t.is(readdirSync(marks).length, 1)
  rmSync(marks, { recursive: true })
  writeFileSync(marks, 'a file where the folder would be: nothing can be noted')
  t.deepEqual(loadIn(folder, { LIBTORCH: libtorch.root }), { version })
})

test('an addon that kills its process is an error', (t) => {
  const folder = copiedAddon(t, { version: built.version, libtorch: '' })
  const source = '__attribute__((constructor)) static void die(void) { __builtin_trap(); }'
  const addon = join(folder, 'build/Release/magic_grpo.node')
  const compiled = spawnSync('cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', addon], { input: source })
  if (compiled.status !== 0) return t.log('not tested: no C compiler here')
  const { code, message } = loadIn(folder, { LIBTORCH: libtorch.root })
  t.is(code, 'ADDON_CRASHED')
  t.regex(message!, /magic_grpo\.node does not load: on libtorch 2\.\S+ at \S+, a probe .* died of SIG(ILL|TRAP)/)
  t.regex(message!, /Possible solutions/)
})

test('an addon that does not load is an error with what to do, not a crash', (t) => {
  const folder = copiedAddon(t, { version: built.version, libtorch: libtorch.root }, ['libc10.so', 'libc11.so'])
  const { code, message } = loadIn(folder, { LIBTORCH: libtorch.root })
  t.is(code, 'ADDON_MISSING')
  t.regex(message!, /magic_grpo\.node does not load: .*cannot open shared object file.*Possible solutions/s)
  writeFileSync(join(folder, 'build/Release/magic_grpo.json'), JSON.stringify({ version: built.version, libtorch: '' }))
  const probed = loadIn(folder, { LIBTORCH: libtorch.root })
  t.is(probed.code, 'ADDON_CRASHED')
  t.regex(probed.message!, /libc11\.so: cannot open shared object file/)
})

test('an addon of another contract is refused', (t) => {
  const contract = contractDigest()
  t.regex(contract, /^[0-9a-f]{16}$/)
  const other = contract.replace(/./g, 'e')
  const folder = copiedAddon(t, { version: built.version, libtorch: libtorch.root }, [contract, other])
  const { code, message } = loadIn(folder, { LIBTORCH: libtorch.root })
  t.is(code, 'ADDON_VERSION')
  t.regex(message!, new RegExp(`built from other sources than this package: its contract is ${other}, ${contract} is`))
})

test('a libtorch of another version is refused before anything is loaded', (t) => {
  const folder = copiedAddon(t, { version: '2.12.0+cpu', libtorch: '' })
  const { code, message } = loadIn(folder, { LIBTORCH: libtorch.root })
  t.is(code, 'LIBTORCH_VERSION')
  t.true(message!.includes(`built against libtorch 2.12.0+cpu, but ${libtorch.root} is ${libtorch.version}`), message)
  t.regex(message!, /Possible solutions/)
})

test('no libtorch at all: the folder that is gone is named, with what to do', (t) => {
  const folder = copiedAddon(t, { version: built.version, libtorch: '/gone/libtorch' })
  const { code, message } = loadIn(folder, { MAGIC_GRPO_CACHE: join(folder, 'cache') })
  t.is(code, 'LIBTORCH_MISSING')
  t.regex(message!, /built against \/gone\/libtorch: \/gone\/libtorch does not exist.*LIBTORCH=DIR/s)
})

test('a damaged libtorch in the cache folder is named, whether its header shows it or not', (t) => {
  const folder = copiedAddon(t, { version: built.version, libtorch: '' })
  const cached = join(folder, `the user's/libtorch-${LIBTORCH_VERSION}-cpu`)
  mkdirSync(join(cached, 'lib'), { recursive: true })
  symlinkSync(dirname(cached), join(folder, 'cache'))
  symlinkSync(join(libtorch.root, 'include'), join(cached, 'include'))
  writeFileSync(join(cached, 'build-version'), `${LIBTORCH_VERSION}+cpu`)
  for (const name of ['libtorch.so', 'libc10.so'])
    copyFileSync(join(libtorch.root, 'lib', name), join(cached, 'lib', name))
  const cpu = join(cached, 'lib/libtorch_cpu.so')
  copyFileSync(join(libtorch.root, 'lib/libc10.so'), cpu)
  truncateSync(cpu, 100_000)
  const env = { MAGIC_GRPO_CACHE: join(folder, 'cache') }
  const half = loadIn(folder, env)
  t.is(half.code, 'LIBTORCH_MISSING')
  t.regex(
    half.message!,
    /The one in the cache folder is damaged: \S+libtorch_cpu\.so is cut off: it has 100000 of at least/,
  )
  t.regex(half.message!, /npx magic-grpo libtorch install/)

  // whole, but without what is asked of it
  copyFileSync(join(libtorch.root, 'lib/libc10.so'), cpu)
  const wrong = loadIn(folder, env)
  t.is(wrong.code, 'ADDON_CRASHED')
  const quoted = `'${realpathSync(cached).replace("'", "'\\''")}'`
  t.true(wrong.message!.includes(`rm -r ${quoted}, then npx magic-grpo libtorch install --cpu`), wrong.message)
})

test('LIBTORCH that names nothing is told by its name', (t) => {
  const folder = copiedAddon(t, { version: built.version, libtorch: libtorch.root })
  const { code, message } = loadIn(folder, { LIBTORCH: '/gone/too' })
  t.is(code, 'LIBTORCH_MISSING')
  t.regex(message!, /LIBTORCH names no libtorch: \/gone\/too does not exist/)
})

test('no addon, and one whose build did not finish', (t) => {
  const folder = temporary(t)
  t.throws(() => findAddon(folder), { code: 'ADDON_MISSING', message: /no native addon for .*npm run build/s })
  mkdirSync(join(folder, 'build/Release'), { recursive: true })
  writeFileSync(join(folder, 'build/Release/magic_grpo.node'), '')
  for (const written of [undefined, '{', 'null', '{}', '{"version":2,"libtorch":""}']) {
    if (written) writeFileSync(join(folder, 'build/Release/magic_grpo.json'), written)
    t.throws(() => findAddon(folder), { code: 'ADDON_MISSING', message: /its build did not finish/ }, written)
  }
})

test('the libtorch of the build is taken without a search, and LIBTORCH overrides it', (t) => {
  const own = { path: built.path, version: libtorch.version, libtorch: libtorch.root }
  t.is(chooseLibtorch(own, { PATH: '' }).foundBy, 'build')
  t.is(chooseLibtorch(own, { PATH: '', LIBTORCH: libtorch.root }).foundBy, 'LIBTORCH')
})
