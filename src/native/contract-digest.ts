import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * A digest of contract.ts and of the contracts that it imports, without their comments. The addon carries the one that it was compiled
 * with: where the two differ, TypeScript and C++ do not agree on what goes across, and a call could hang or crash.
 * In the package, where these sources are not, it is read from the file that the build left.
 */
export function contractDigest(): string {
  const main = new URL('contract.ts', import.meta.url)
  if (!existsSync(main)) return readFileSync(new URL('contract.digest', import.meta.url), 'utf8').trim()
  return digestOf(fileURLToPath(main))
}

/** {@link contractDigest} of the contract in this file. */
export function digestOf(contract: string): string {
  const text = readFileSync(contract, 'utf8')
  const imported = [...text.matchAll(/from '\.\/([\w-]+-contract\.ts)'/g)].map(([, name]) =>
    join(dirname(contract), name!),
  )
  const hash = createHash('sha256')
  for (const part of [text, ...imported.map((file) => readFileSync(file, 'utf8'))]) hash.update(withoutComments(part))
  return hash.digest('hex').slice(0, 16)
}

/** Comments and the white space around them; the contract holds no string that looks like one. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}
