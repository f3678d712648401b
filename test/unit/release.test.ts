import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { strangers } from '../../scripts/pack.ts'
import { missingForRelease } from '../../scripts/release.ts'
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
