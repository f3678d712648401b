import { basename, extname } from 'node:path'
import { ConfigError } from '../config/config-error.ts'
import { type DroppedRows, type LoadPromptsOptions, loadPrompts } from '../data/load-prompts.ts'
import type { EvaluationSet } from './evaluate.ts'

/**
 * A set a file, named after its file.
 *
 * @param key what gave the paths, for errors
 * @throws ConfigError where two files have the same name
 */
export async function loadEvaluationSets(
  paths: readonly string[],
  options: LoadPromptsOptions,
  key: string,
): Promise<(EvaluationSet & { dropped: DroppedRows })[]> {
  const named = new Map<string, string>()
  for (const path of paths) {
    const name = basename(path, extname(path))
    if (named.has(name))
      throw new ConfigError(
        `'${key}': ${named.get(name)} and ${path} would both be eval/${name} in the metrics; rename one`,
      )
    named.set(name, path)
  }
  return Promise.all(
    [...named].map(async ([name, path]) => {
      const { prompts, dropped } = await loadPrompts([path], options)
      return { name, prompts, dropped }
    }),
  )
}
