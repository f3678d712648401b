import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'

const SOURCES = ['contract.ts', 'head-contract.ts']

/**
 * A digest of contract.ts and head-contract.ts without their comments. The addon carries the one that it was compiled
 * with: where the two differ, TypeScript and C++ do not agree on what goes across, and a call could hang or crash.
 * In the package, where these sources are not, it is read from the file that the build left.
 */
export function contractDigest(): string {
  const sources = SOURCES.map((name) => new URL(name, import.meta.url))
  if (!existsSync(sources[0]!)) return readFileSync(new URL('contract.digest', import.meta.url), 'utf8').trim()
  const hash = createHash('sha256')
  for (const source of sources) hash.update(withoutComments(readFileSync(source, 'utf8')))
  return hash.digest('hex').slice(0, 16)
}

/** Comments and the white space around them; the contract holds no string that looks like one. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}
