import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { contractDigest, digestOf } from '../../src/native/contract-digest.ts'

const native = fileURLToPath(new URL('../../src/native/', import.meta.url))
const contracts = readdirSync(native).filter((name) => /^([\w-]+-)?contract\.ts$/.test(name))

test('every contract is in the digest, its comments are not', (t) => {
  t.true(contracts.length >= 4, String(contracts))
  const folder = mkdtempSync(join(tmpdir(), 'contract-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const name of contracts) copyFileSync(join(native, name), join(folder, name))
  const digest = () => digestOf(join(folder, 'contract.ts'))
  t.is(digest(), contractDigest())
  for (const name of contracts) {
    const text = readFileSync(join(folder, name), 'utf8')
    writeFileSync(join(folder, name), `${text}\n// a comment\n`)
    t.is(digest(), contractDigest(), `${name}: a comment`)
    writeFileSync(join(folder, name), `${text}\nexport type Added = 1\n`)
    t.not(digest(), contractDigest(), `${name}: a type`)
    writeFileSync(join(folder, name), text)
  }
})
