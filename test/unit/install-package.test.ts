import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'

const script = fileURLToPath(new URL('../../src/install/package.ts', import.meta.url))

/** Runs the published package's install script where there is no libtorch and no compiler. */
function install(t: ExecutionContext, args: string[], env: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'install-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'build/Release'), { recursive: true })
  writeFileSync(join(folder, 'build/Release/magic_grpo.node'), '')
  writeFileSync(join(folder, 'build/Release/magic_grpo.json'), '{ "version": "2.13.0", "libtorch": "" }')
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import=tsx', script, ...args], {
    encoding: 'utf8',
    env: { PATH: '', HOME: folder, MAGIC_GRPO_PREBUILD: folder, ...env },
  })
  return { status, text: stdout + stderr }
}

test('an addon that is there is enough; a build that others ask for is not meant', (t) => {
  for (const setting of ['', 'false', 'better-sqlite3'])
    t.deepEqual(install(t, [], { npm_config_build_from_source: setting }), { status: 0, text: '' }, setting)
})

test('a build is asked for by npm or by the flag, and says that it needs a libtorch', (t) => {
  const asked: [string[], string][] = [
    [[], 'true'],
    [[], 'other,magic-grpo'],
    [['--build-from-source'], ''],
  ]
  for (const [args, setting] of asked) {
    const { status, text } = install(t, args, { npm_config_build_from_source: setting })
    t.is(status, 1)
    t.regex(text, /building needs a libtorch\.\nPossible solutions/)
  }
})

test('without an addon an installation goes on, with what is missing and what to type', (t) => {
  const then = /then: node node_modules\/magic-grpo\/scripts\/install\.mjs --build-from-source/
  const without = install(t, [], { MAGIC_GRPO_PREBUILD: '/nowhere' })
  t.is(without.status, 0)
  t.regex(without.text, /no prebuilt addon for .*building needs a libtorch\.\nPossible solutions.*libtorch install/s)
  t.regex(without.text, then)
  const wrong = install(t, [], { MAGIC_GRPO_PREBUILD: '/nowhere', LIBTORCH: '/nowhere' })
  t.is(wrong.status, 0)
  t.regex(wrong.text, /none was built: .*LIBTORCH/s)
  t.regex(wrong.text, then)
})
