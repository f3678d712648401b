import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { ConfigError } from './config-error.ts'
import { describeIssue } from './describe-issue.ts'
import { knownKeys, patternOf } from './known-keys.ts'
import { parseOverride } from './override.ts'
import { isPresetName, presets } from './presets/presets.ts'
import { Settings } from './settings.ts'
import { readYamlFile } from './yaml-file.ts'

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

/** A config and where its values were set. */
export interface ResolvedConfig<C> {
  config: C
  /** `run.yaml:12`, `override 'steps=8'` or `preset or1-7b-paper`; undefined for what nobody set. */
  originOf: (path: readonly PropertyKey[]) => string | undefined
}

/**
 * Reads, overrides, checks and completes a config. Where the schema has a `preset`, its settings are the base.
 *
 * Relative paths resolve against the folder of the file where they stand in the file, against `cwd` where
 * they stand in an override.
 *
 * @param schema one of `schema.ts`
 * @param pathKeys dotted keys whose values are paths (or lists of paths), `[]` for any item of a list,
 *   `key.**` for the key itself and all below it, and how each resolves
 * @throws ConfigError with one line a problem: file, line, key, value and what was expected
 */
export async function resolveConfig<S extends z.ZodObject>(
  schema: S,
  source: ConfigSource,
  pathKeys: Readonly<Record<string, PathResolver>>,
): Promise<ResolvedConfig<z.output<S>>> {
  const cwd = source.cwd ?? process.cwd()
  const shown = source.file ?? 'config'
  const file = source.file === undefined ? undefined : resolve(cwd, source.file)
  const document = file === undefined ? undefined : await readYamlFile(file, shown)
  const overrides = (source.overrides ?? []).map(parseOverride)

  const settings = new Settings()
  const preset = overrides.findLast(({ path }) => path.join('.') === 'preset')?.value ?? document?.values.preset
  if ('preset' in schema.shape && isPresetName(preset))
    settings.merge(structuredClone(presets[preset].settings), () => ({ text: `preset ${preset}`, folder: cwd }))
  if (document)
    settings.merge(document.values, (path) => ({
      text: `${shown}:${document.lineOf(path)}`,
      folder: dirname(file!),
    }))
  for (const { path, value, text } of overrides) settings.set(path, value, { text: `override '${text}'`, folder: cwd })

  settings.mapValues((path, value, { folder }) => {
    const pattern = patternOf(path)
    const toAbsolute = pathKeys[pattern] ?? pathKeys[pattern.replace(/\[\]$/, '')] ?? pathKeys[`${String(path[0])}.**`]
    return typeof value === 'string' && value && toAbsolute ? toAbsolute(value, folder) : value
  })

  const originOf = (path: readonly PropertyKey[]): string | undefined => settings.originOf(path)?.text
  const parsed = schema.safeParse(settings.values)
  if (parsed.success) return { config: parsed.data, originOf }

  const located = (path: readonly PropertyKey[]): string => {
    const own = originOf(path)
    if (own !== undefined) return own
    const override = overrides.findLast(({ path: set }) => along(set, path.map(String)))
    if (override) return `override '${override.text}'`
    const line = document?.lineOf(path)
    return line === undefined ? shown : `${shown}:${line}`
  }
  const keys = knownKeys(schema)
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describeIssue(issue, keys, settings.values, located)))
}

/** The config of `resolveConfig` alone. */
export async function loadConfig<S extends z.ZodObject>(
  ...parameters: Parameters<typeof resolveConfig<S>>
): Promise<z.output<S>> {
  return (await resolveConfig(...parameters)).config
}

/** Whether one path starts with the other. */
function along(a: readonly string[], b: readonly string[]): boolean {
  return a.every((part, index) => index >= b.length || part === b[index])
}
