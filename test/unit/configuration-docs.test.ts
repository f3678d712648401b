import { readFileSync } from 'node:fs'
import test from 'ava'
import { configurationPage } from '../../scripts/configuration-docs.ts'
import { knownKeys } from '../../src/config/known-keys.ts'
import { trainSchema } from '../../src/config/schema.ts'

test('docs/configuration.md is what the schema says', (t) => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  t.is(page, configurationPage(), 'run: node --import=tsx scripts/configuration-docs.ts')
})

test('every key has its sentence', (t) => {
  for (const { path, description } of knownKeys(trainSchema)) t.true(description.length > 10, path)
})
