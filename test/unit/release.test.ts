import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { pack, SIZE_LIMIT, strangers } from '../../scripts/pack.ts'
import { missingForRelease } from '../../scripts/release.ts'
import { newerThanFloor } from '../../scripts/symbol-floor.ts'
import { temporaryFolder } from '../native/tiny.ts'

test('a release names every prebuilt file that is missing, and the section of the changelog', (t) => {
  const folder = temporaryFolder(t)
  t.is(missingForRelease(folder, '1.2.3').length, 5)
  mkdirSync(join(folder, 'prebuilds/linux-x64'), { recursive: true })
  for (const name of ['magic-grpo.glibc.node', 'magic_grpo_preload.so', 'magic_grpo.json'])
    writeFileSync(join(folder, 'prebuilds/linux-x64', name), '')
  writeFileSync(join(folder, 'CHANGELOG.md'), '# Changelog\n\n## 1.2.30\n')
  t.deepEqual(missingForRelease(folder, '1.2.3'), [
    'prebuilds/linux-x64/magic_grpo_cuda.so: npm run prebuild, with nvcc on PATH',
    'CHANGELOG.md: a section "## 1.2.3"',
  ])
  writeFileSync(join(folder, 'prebuilds/linux-x64/magic_grpo_cuda.so'), '')
  writeFileSync(join(folder, 'CHANGELOG.md'), '# Changelog\n\n## 1.2.3 - 2026-11-23\n')
  t.deepEqual(missingForRelease(folder, '1.2.3'), [])
})

test('a tag is published only after all tests, and what is published is what was tried', (t) => {
  const workflow = (name: string) =>
    parse(readFileSync(new URL(`../../.github/workflows/${name}`, import.meta.url), 'utf8'))
  const { jobs, permissions } = workflow('release.yml')
  t.is(jobs.test.uses, './.github/workflows/ci.yml')
  t.true('workflow_call' in workflow('ci.yml').on)
  t.is(jobs.publish.needs, 'test')
  const commands: string[] = jobs.publish.steps.flatMap(({ run = [] }) => run)
  t.regex(commands.at(-2)!, /^npm run release$/)
  t.regex(commands.at(-1)!, /publish \.\/magic-grpo-\*\.tgz --provenance/)
  t.deepEqual(
    commands.filter((command) => command.includes('npm pack')),
    [],
  )
  t.deepEqual([permissions['id-token'], jobs.publish.permissions['id-token']], [undefined, 'write'])
})

test('a package holds nothing that does not belong there', (t) => {
  const files = [
    'package.json',
    'dist/index.js',
    'native/cpu/rows.inl',
    'prebuilds/linux-x64/magic_grpo.json',
    'src/index.ts',
    'test/x.ts',
  ]
  t.deepEqual(strangers(files.map((path) => ({ path }))), ['src/index.ts', 'test/x.ts'])
})

test('the package of this clone: what belongs there, and its size', (t) => {
  t.timeout(120_000)
  const { size, files } = pack(temporaryFolder(t), true)
  t.log(`${(size / 1e6).toFixed(2)} MB, ${files.length} files`)
  t.true(size < SIZE_LIMIT)
  t.deepEqual(strangers(files), [])
  for (const needed of ['CMakeLists.txt', 'native/addon.cc', 'scripts/install.mjs', 'schema/train.schema.json'])
    t.true(
      files.some(({ path }) => path === needed),
      needed,
    )
})

test('what a compiler of a newer system leaves in a binary is named', (t) => {
  const versions = `  000000: Version: 1  File: libc.so.6  Cnt: 3
  0x0010:   Name: GLIBC_2.38  Flags: none  Version: 9
  0x0020:   Name: GLIBC_2.4  Flags: none  Version: 8
  0x0030:   Name: GLIBC_2.34  Flags: none  Version: 7
  0x0040: Version: 1  File: libstdc++.so.6  Cnt: 2
  0x0050:   Name: GLIBCXX_3.4.32  Flags: none  Version: 6
  0x0060:   Name: GLIBCXX_3.4.9  Flags: none  Version: 5
`
  t.deepEqual(newerThanFloor(versions), ['GLIBC_2.38', 'GLIBCXX_3.4.32'])
})
