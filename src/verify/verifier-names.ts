import { nearestKey } from '../config/nearest-key.ts'

const builtIn = ['math', 'code', 'format', 'length'] as const

/** A verifier that is part of the package. */
export type BuiltIn = (typeof builtIn)[number]

/** What the name of a verifier stands for. */
export type NamedVerifier = BuiltIn | { file: string; export: string }

/** A built-in one, or a function as `./reward.ts#name`, without `#name` the file's default export; undefined: neither. */
export function namedVerifier(name: string): NamedVerifier | undefined {
  const known = builtIn.find((each) => each === name)
  if (known) return known
  const hash = name.lastIndexOf('#')
  const file = hash < 0 ? name : name.slice(0, hash)
  if (!/\.[cm]?[jt]s$/.test(file)) return undefined
  return { file, export: hash < 0 ? 'default' : name.slice(hash + 1) }
}

/** The verifiers there are, for an error about a name that stands for none, and before them the one that was likely meant. */
export function verifierHint(name: string): string {
  const nearest = nearestKey(name, builtIn)
  const known = builtIn.map((each) => `'${each}'`).join(', ')
  return `${nearest ? `did you mean '${nearest}'? There` : 'there'} are ${known}, and functions of your own as './reward.ts#name'`
}
