import { readFile } from 'node:fs/promises'
import { isNode, LineCounter, type ParsedNode, parseDocument } from 'yaml'
import { ConfigError } from './config-error.ts'
import { isPlain, type Plain } from './merge.ts'

/** The values of a YAML file and where they stand. */
export interface YamlFile {
  values: Plain
  /** The line of a key, or of the nearest key above it; undefined where none is in the file. */
  lineOf(path: readonly PropertyKey[]): number | undefined
}

/**
 * @param file absolute path
 * @param shown the path as the user wrote it, for errors
 * @throws ConfigError where the file cannot be read, is no YAML, or holds no map
 */
export async function readYamlFile(file: string, shown: string): Promise<YamlFile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`${shown}: the config file cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const problem = document.errors[0]
  if (problem)
    throw new ConfigError(`${shown}:${lines.linePos(problem.pos[0]).line}: ${problem.message.split('\n')[0]}`)
  const values: unknown = document.toJS() ?? {}
  if (!isPlain(values)) throw new ConfigError(`${shown}:1: expected keys and values, as 'steps: 60'`)

  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    for (let depth = path.length; depth > 0; depth--) {
      const node = keyNode(document.contents, path.slice(0, depth).map(String))
      if (node?.range) return lines.linePos(node.range[0]).line
    }
    return undefined
  }
  return { values, lineOf }
}

/** The node of the key itself, so that a problem is reported where the key stands. */
function keyNode(node: unknown, path: readonly string[]): ParsedNode | undefined {
  const [head, ...rest] = path
  const items = (node as { items?: unknown[] } | null)?.items
  if (!Array.isArray(items) || head === undefined) return undefined
  for (const [index, item] of items.entries()) {
    const pair = item as { key?: unknown; value?: unknown }
    const isPair = pair !== null && typeof pair === 'object' && 'key' in pair
    const name = isPair ? String((pair.key as { value?: unknown })?.value) : String(index)
    if (name !== head) continue
    const own = isPair ? pair.key : item
    const found = rest.length === 0 ? own : keyNode(isPair ? pair.value : item, rest)
    return isNode(found) ? (found as ParsedNode) : undefined
  }
  return undefined
}
