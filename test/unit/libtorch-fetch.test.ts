import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { cachedLibtorch } from '../../src/native/libtorch.ts'
import { withLock } from '../../src/native/lock.ts'
import { freeBytes, systemLibc } from '../../src/native/machine.ts'
import { unpack } from '../../src/native/unpack.ts'
import { SHARED_LIBRARY } from './shared-library.ts'
import { fakePip, fetchHere, index, temporary, wheel, wheelName, zip } from './wheel-fixtures.ts'

test('without pip the wheel comes from the index, and only what C++ needs is unpacked', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  const { url, asked } = await index(t)
  const notes: string[] = []
  const bytes: (number | undefined)[][] = []
  const report = {
    note: (text: string) => notes.push(text),
    bytes: (...counts: (number | undefined)[]) => bytes.push(counts),
  }
  const found = await fetchHere({ env, index: url, report })
  const root = cachedLibtorch(env)
  t.deepEqual(found, { root, version: '2.13.0+cpu', foundBy: 'cache', cuda: false })
  t.deepEqual(readdirSync(root).sort(), ['include', 'lib', 'licenses', 'share', 'version.py'])
  t.deepEqual(readdirSync(join(root, 'lib')).sort(), ['libc10.so', 'libtorch.so', 'libtorch_cpu.so'])
  t.is(readFileSync(join(root, 'lib/libtorch_cpu.so'), 'latin1'), SHARED_LIBRARY)
  t.truthy(statSync(join(root, 'lib/libtorch_cpu.so')).mode & 0o100)
  t.deepEqual(readdirSync(env.MAGIC_GRPO_CACHE).sort(), ['downloads', 'libtorch-2.13.0-cpu'])
  t.deepEqual(readdirSync(join(env.MAGIC_GRPO_CACHE, 'downloads')), [])
  t.true(notes.includes('there is no pip on PATH'))
  t.is(bytes.at(-1)![0], wheel.length)

  await fetchHere({ env, index: url })
  t.is(asked.wheels, 1, 'a second time nothing is fetched')
})

test('pip is asked for the CPU build first, with the index as an extra one', async (t) => {
  const folder = temporary(t)
  writeFileSync(join(folder, wheelName), wheel)
  const script = `echo "$@" > '${folder}/asked'
while [ "$1" != --dest ]; do shift; done
/bin/cat '${join(folder, wheelName)}' > "$2/${wheelName}"`
  const env = { MAGIC_GRPO_CACHE: join(folder, 'cache'), PATH: fakePip(join(folder, 'bin'), script) }
  const { url, asked } = await index(t)
  t.is((await fetchHere({ env, index: url })).version, '2.13.0+cpu')
  t.is(asked.wheels, 0)
  const words = readFileSync(join(folder, 'asked'), 'utf8').trim().split(' ')
  t.deepEqual(words.slice(0, 3), ['download', 'torch==2.13.0+cpu', '--no-deps'])
  t.is(words[words.indexOf('--extra-index-url') + 1], url)
  t.is(words[words.indexOf('--retries') + 1], '0')
})

test('a pip that finds nothing gives way to the index; where both fail, both reasons are told', async (t) => {
  const folder = temporary(t)
  const path = fakePip(join(folder, 'bin'), 'echo "ERROR: No matching distribution found for $2" >&2; exit 1')
  const env = { MAGIC_GRPO_CACHE: join(folder, 'cache'), PATH: path }
  const dead = await t.throwsAsync(fetchHere({ env, index: 'http://127.0.0.1:1/whl/cpu', retryDelay: 1 }), {
    code: 'LIBTORCH_MISSING',
  })
  t.regex(dead.message, /pip download: ERROR: No matching distribution found for torch==2\.13\.0\+cpu/)
  t.regex(dead.message, /http:\/\/127\.0\.0\.1:1\/whl\/cpu\/torch\/: /)
  t.regex(dead.message, /LIBTORCH=DIR/)
  t.deepEqual(readdirSync(env.MAGIC_GRPO_CACHE), [], 'nothing half is left behind')

  const { url } = await index(t)
  t.is((await fetchHere({ env, index: url })).foundBy, 'cache')
})

test('a wheel with a wrong checksum is refused', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  const { url } = await index(t, '12'.repeat(32))
  await t.throwsAsync(fetchHere({ env, index: url }), { code: 'LIBTORCH_MISSING', message: /SHA-256 .* but 1212/ })
  t.false(existsSync(cachedLibtorch(env)))
})

test('a broken folder in the cache is replaced', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  mkdirSync(join(cachedLibtorch(env), 'lib'), { recursive: true })
  writeFileSync(join(cachedLibtorch(env), 'lib/stale.so'), '')
  const { url } = await index(t)
  await fetchHere({ env, index: url })
  t.false(existsSync(join(cachedLibtorch(env), 'lib/stale.so')))
})

test('what a killed fetch left is used or removed', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  const { url, asked } = await index(t)
  for (const name of ['downloads', 'fetch-cpu-abc', 'fetch-cuda-abc']) mkdirSync(join(env.MAGIC_GRPO_CACHE, name))
  writeFileSync(join(env.MAGIC_GRPO_CACHE, 'downloads', wheelName), wheel)
  await fetchHere({ env, index: url })
  t.is(asked.wheels, 0, 'the wheel was there')
  const left = ['downloads', 'fetch-cuda-abc', 'libtorch-2.13.0-cpu']
  t.deepEqual(readdirSync(env.MAGIC_GRPO_CACHE).sort(), left, 'another build is being fetched by another')
  t.deepEqual(readdirSync(join(env.MAGIC_GRPO_CACHE, 'downloads')), [])
})

test('a pip that fails for another reason than the Python is not asked for other Pythons', async (t) => {
  const folder = temporary(t)
  const script = `echo asked >> '${folder}/asked'; echo "ERROR: [Errno 28] No space left on device" >&2; exit 1`
  const env = { MAGIC_GRPO_CACHE: join(folder, 'cache'), PATH: fakePip(join(folder, 'bin'), script) }
  const { url } = await index(t)
  await fetchHere({ env, index: url })
  t.is(readFileSync(join(folder, 'asked'), 'utf8'), 'asked\n')
})

test('a signal that ends the fetch ends its pip', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const folder = temporary(t)
    // ends with the test where nobody ends it
    const script = `trap "echo > '${folder}/ended'; exit 1" TERM
echo > '${folder}/begun'
while [ -d '${folder}' ]; do /bin/sleep 0.1; done`
    const env = { MAGIC_GRPO_CACHE: join(folder, 'cache'), PATH: fakePip(join(folder, 'bin'), script) }
    const source = `import { fetchHere } from ${JSON.stringify(new URL('wheel-fixtures.ts', import.meta.url).href)}
      await fetchHere({ env: ${JSON.stringify(env)}, index: 'http://127.0.0.1:1/' })`
    const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', source], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    while (!existsSync(join(folder, 'begun')) && child.exitCode === null) await sleep(50)
    child.kill(signal)
    t.deepEqual(await ended, [null, signal])
    for (let tries = 0; tries < 300 && !existsSync(join(folder, 'ended')); tries++) await sleep(50)
    t.true(existsSync(join(folder, 'ended')), signal)
  }
})

test('a cache folder that cannot be written is named, with the variable for another', async (t) => {
  const file = join(temporary(t), 'file')
  writeFileSync(file, '')
  await t.throwsAsync(fetchHere({ env: { MAGIC_GRPO_CACHE: join(file, 'cache'), PATH: '' } }), {
    code: 'FILE',
    message: /file\/cache cannot be written: ENOTDIR.* MAGIC_GRPO_CACHE=DIR names another folder/,
  })
})

test('nothing is fetched for musl', async (t) => {
  const env = { MAGIC_GRPO_CACHE: join(temporary(t), 'cache'), PATH: '' }
  await t.throwsAsync(fetchHere({ env, libc: 'musl' }), {
    code: 'UNSUPPORTED',
    message: /libtorch for glibc alone, and this system's C library is musl.*Possible solutions:.*bookworm-slim/s,
  })
  t.false(existsSync(env.MAGIC_GRPO_CACHE))
})

test('this machine answers for itself', async (t) => {
  t.is(systemLibc(), existsSync('/etc/alpine-release') ? 'musl' : 'glibc')
  t.false((process.report as { excludeNetwork?: boolean }).excludeNetwork, 'as it was')
  const free = await freeBytes(temporary(t))
  t.true(free === undefined || (Number.isSafeInteger(free) && free >= 0))
})

test('two fetches at once: one downloads, both have it', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  const { url, asked } = await index(t)
  const found = await Promise.all([fetchHere({ env, index: url }), fetchHere({ env, index: url })])
  t.is(found[0].root, found[1].root)
  t.is(asked.wheels, 1)
})

test('a lock keeps others out while its holder lives, and falls when the holder is gone', async (t) => {
  const path = join(temporary(t), 'lock')
  const order: string[] = []
  let waited = 0
  const first = withLock(path, async () => {
    order.push('first in')
    await sleep(300)
    order.push('first out')
  })
  await sleep(50)
  await withLock(
    path,
    async () => void order.push('second in'),
    () => waited++,
  )
  await first
  t.deepEqual(order, ['first in', 'first out', 'second in'])
  t.is(waited, 1)

  await t.throwsAsync(
    withLock(path, () => Promise.reject(new Error('broke'))),
    { message: 'broke' },
  )
  t.false(existsSync(path), 'released after a failure')

  writeFileSync(path, JSON.stringify({ pid: 2 ** 30, host: hostname() }))
  t.is(await withLock(path, async () => 'taken'), 'taken')
})

test('an archive that wants out of its folder is refused', async (t) => {
  const folder = temporary(t)
  const archive = join(folder, 'evil.zip')
  for (const name of ['../outside', '/absolute', 'a/../../outside', 'a\\..\\..\\outside']) {
    writeFileSync(archive, zip({ [name]: 'evil' }))
    await t.throwsAsync(
      unpack(archive, join(folder, 'in'), (entry) => entry),
      undefined,
      name,
    )
    t.deepEqual(readdirSync(folder), ['evil.zip'], name)
  }
})
