import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isNode, LineCounter, type ParsedNode, parse, parseDocument, stringify } from 'yaml'
import type { z } from 'zod'
import { ConfigError } from './config-error.ts'
import { describeIssue } from './describe-issue.ts'
import { knownKeys } from './known-keys.ts'

/** Where settings come from: a YAML file, `key.sub=value` texts on top of it, or both. */
export interface ConfigSource {
  file?: string
  overrides?: readonly string[]
  /** What relative paths in overrides resolve against; default the working directory. */
  cwd?: string
}

/** How the value of a key that names a file becomes absolute. */
export type PathResolver = (value: string, base: string) => string

/** A file or folder: relative to the folder of the config, or to the working directory in an override. */
export const filePath: PathResolver = (value, base) => resolve(base, value)

/**
 * Reads, overrides, checks and completes a config.
 *
 * Relative paths resolve against the folder of the file where they stand in the file, against `cwd` where
 * they stand in an override.
 *
 * @param schema one of `schema.ts`
 * @param pathKeys dotted keys whose values are paths, lists of paths or of { path }, and how each resolves
 * @throws ConfigError with one line a problem: file, line, key, value and what was expected
 */
export async function loadConfig<S extends z.ZodObject>(
  schema: S,
  source: ConfigSource,
  pathKeys: Readonly<Record<string, PathResolver>>,
): Promise<z.output<S>> {
  const cwd = source.cwd ?? process.cwd()
  const file = source.file === undefined ? undefined : resolve(cwd, source.file)
  const document = await readDocument(file, source.file ?? '')
  const overrides = (source.overrides ?? []).map(parseOverride)
  const values = document.values
  for (const override of overrides) setIn(values, override)

  const located = (path: readonly PropertyKey[]): string => {
    const override = overrides.findLast(({ path: own }) => own.every((part, index) => part === String(path[index])))
    if (override) return `override '${override.text}'`
    const line = document.lineOf(path)
    return line === undefined ? (source.file ?? 'config') : `${source.file}:${line}`
  }

  for (const [key, toAbsolute] of Object.entries(pathKeys)) {
    const path = key.split('.')
    const fromOverride = overrides.some(({ path: own }) => own.every((part, index) => part === path[index]))
    const base = fromOverride || file === undefined ? cwd : dirname(file)
    const absolute = (value: unknown) => (typeof value === 'string' && value ? toAbsolute(value, base) : value)
    mapIn(values, path, (value) => (hasPath(value) ? { ...value, path: absolute(value.path) } : absolute(value)))
  }

  const parsed = schema.safeParse(values)
  if (parsed.success) return parsed.data
  const keys = knownKeys(schema)
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describeIssue(issue, keys, values, located)))
}

/** A resolved config as YAML, for `--dry-run` and the run folder. */
export function formatConfig(config: object): string {
  return stringify(config, { lineWidth: 0 })
}

interface Override {
  text: string
  path: string[]
  value: unknown
}

function parseOverride(text: string): Override {
  const split = text.indexOf('=')
  if (split < 1) throw new ConfigError(`override '${text}': expected key=value, as steps=8 or entropy.target=0.3`)
  const path = text.slice(0, split).split('.')
  try {
    return { text, path, value: parse(text.slice(split + 1)) }
  } catch (error) {
    throw new ConfigError(`override '${text}': the value is not YAML: ${firstLine(error)}`)
  }
}

async function readDocument(file: string | undefined, shown: string) {
  if (file === undefined) return { values: {} as Record<string, unknown>, lineOf: () => undefined }
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`${shown}: the config file cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const problem = document.errors[0]
  if (problem) throw new ConfigError(`${shown}:${lines.linePos(problem.pos[0]).line}: ${firstLine(problem)}`)
  const values: unknown = document.toJS() ?? {}
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new ConfigError(`${shown}:1: expected keys and values, as 'steps: 60'`)

  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    for (let depth = path.length; depth > 0; depth--) {
      const node = keyNode(document.contents, path.slice(0, depth).map(String))
      if (node?.range) return lines.linePos(node.range[0]).line
    }
    return undefined
  }
  return { values: values as Record<string, unknown>, lineOf }
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

function hasPath(value: unknown): value is { path: unknown } {
  return typeof value === 'object' && value !== null && 'path' in value
}

function setIn(values: Record<string, unknown>, { path, value, text }: Override): void {
  let at = values
  for (const [index, key] of path.slice(0, -1).entries()) {
    // Own keys only: `__proto__` from a command line must not reach the prototype of all objects.
    const next = (Object.hasOwn(at, key) ? at[key] : undefined) ?? {}
    if (typeof next !== 'object' || next === null || Array.isArray(next))
      throw new ConfigError(`override '${text}': '${path.slice(0, index + 1).join('.')}' has no keys below it`)
    Object.defineProperty(at, key, { value: next, enumerable: true, configurable: true, writable: true })
    at = next as Record<string, unknown>
  }
  Object.defineProperty(at, path.at(-1)!, { value, enumerable: true, configurable: true, writable: true })
}

function mapIn(values: Record<string, unknown>, path: readonly string[], map: (value: unknown) => unknown): void {
  let at: unknown = values
  for (const key of path.slice(0, -1)) at = (at as Record<string, unknown> | undefined)?.[key]
  const leaf = path.at(-1)!
  if (at === null || typeof at !== 'object' || !(leaf in at)) return
  const holder = at as Record<string, unknown>
  const value = holder[leaf]
  holder[leaf] = Array.isArray(value) ? value.map(map) : map(value)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}
