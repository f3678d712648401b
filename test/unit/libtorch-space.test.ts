import { existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { cachedLibtorch } from '../../src/native/libtorch.ts'
import { fetchHere, index, temporary, wheelName } from './wheel-fixtures.ts'

/** A file of so many bytes that takes none on the disk. */
function sparse(path: string, bytes: number): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
  truncateSync(path, bytes)
}

test('a disk that is too full is told before anything is fetched', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  const { url, asked } = await index(t)
  const fetchWith = (free: number, build: 'cpu' | 'cuda' = 'cpu') =>
    fetchHere({ env, index: url, build, freeBytes: async () => free })
  await t.throwsAsync(fetchWith(0.5e9), {
    code: 'FILE',
    message: `${env.MAGIC_GRPO_CACHE} has 0.5 GB free, and libtorch for the CPU needs 0.7 GB there (0.5 GB of it stays): make room, or MAGIC_GRPO_CACHE=DIR names another folder`,
  })
  await t.throwsAsync(fetchWith(6e9, 'cuda'), { code: 'FILE', message: /has 6\.0 GB free, .* for CUDA needs 6\.4 GB/ })
  t.is(asked.wheels, 0)
  t.deepEqual(readdirSync(env.MAGIC_GRPO_CACHE), [])
})

test('of what waits for the next try, that of the same build counts, and the other may go', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  const { url } = await index(t)
  const parts = join(env.MAGIC_GRPO_CACHE, 'downloads')
  const fetchWith = (free: number) => fetchHere({ env, index: url, freeBytes: async () => free })
  sparse(join(parts, wheelName.replace('+cpu', '')), 400e6)
  await t.throwsAsync(fetchWith(0.5e9), {
    code: 'FILE',
    message:
      /needs 0\.7 GB .*: make room \(\S+\/downloads \(0\.4 GB for the other build\) can go\), or MAGIC_GRPO_CACHE/,
  })
  sparse(join(parts, `${wheelName}.part`), 180e6)
  t.is((await fetchWith(0.5e9)).foundBy, 'cache')
})

test('a damaged folder goes first where the disk is short of its room, and is named where that would not do', async (t) => {
  const env = { MAGIC_GRPO_CACHE: temporary(t), PATH: '' }
  const { url } = await index(t)
  const stale = join(cachedLibtorch(env), 'lib/stale.so')
  let seen: boolean | undefined
  const report = { note: () => {}, bytes: () => (seen ??= existsSync(stale)) }
  const fetchWith = (free: number) => fetchHere({ env, index: url, report, freeBytes: async () => free })
  sparse(stale, 400e6)
  await t.throwsAsync(fetchWith(0.1e9), {
    code: 'FILE',
    message: /make room \(\S+\/libtorch-\S+-cpu \(0\.4 GB, damaged\) can go\), or/,
  })
  t.true(existsSync(stale))
  t.is((await fetchWith(0.4e9)).foundBy, 'cache')
  t.false(seen, 'gone while the wheel came')
  t.false(existsSync(stale))
})
