import { parseArgs } from 'node:util'
import { nearestKey } from '../src/config/nearest-key.ts'

/** One case of one part. */
interface Selected {
  part: string
  name: string
}

export interface Arguments {
  /** in the order of the command line, each once */
  selected: Selected[]
  json: string | undefined
  model: string | undefined
  python: string | undefined
  full: boolean
  help: boolean
}

/** What cannot be done as asked; main prints the message alone. */
export class UsageError extends Error {}

/**
 * The command line.
 *
 * @param parts names of the parts, each with the names of its cases; a case is named `part/case`
 * @throws UsageError for an unknown part, case or option, naming those that there are
 */
export function parseArguments(argv: readonly string[], parts: Record<string, readonly string[]>): Arguments {
  const { values, positionals } = read(argv)
  const known = Object.keys(parts)
  const asked = positionals.length > 0 ? positionals : known
  const selected = new Map<string, Selected>()
  for (const argument of asked) {
    const [part, ...rest] = argument.split('/') as [string, ...string[]]
    const cases = Object.hasOwn(parts, part) ? parts[part]! : undefined
    if (!cases) throw new UsageError(unknown('part', part, known))
    const name = rest.length > 0 ? rest.join('/') : undefined
    if (name !== undefined && !cases.includes(name)) throw new UsageError(unknown(`case of ${part}`, name, cases))
    for (const each of name === undefined ? cases : [name]) selected.set(`${part}/${each}`, { part, name: each })
  }
  return {
    selected: [...selected.values()],
    json: values.json,
    model: values.model,
    python: values.python,
    full: values.full === true,
    help: values.help === true,
  }
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: 'string' },
        model: { type: 'string' },
        python: { type: 'string' },
        full: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const near = nearestKey(name, known)
  return `unknown ${what} '${name}'${near ? `, did you mean '${near}'?` : ';'} There are: ${known.join(', ')}`
}
