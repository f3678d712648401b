import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { dataPaths } from '../data/load-prompts.ts'
import { namedVerifier } from '../verify/verifier-names.ts'
import { completed } from './complete.ts'
import { ConfigError } from './config-error.ts'
import { type ConfigSource, filePath, type PathResolver, type ResolvedConfig, resolveConfig } from './load.ts'
import { type SftConfig, sftSchema, type TrainConfig, trainSchema } from './schema.ts'

/**
 * The settings of a training run, complete and with absolute paths.
 *
 * @throws ConfigError where a key is unknown or wrong, or the model or the data are not there
 */
export async function loadTrainConfig(source: ConfigSource): Promise<TrainConfig> {
  return (await resolveTrainConfig(source)).config
}

/** As `loadTrainConfig`, with where each value was set. */
export async function resolveTrainConfig(source: ConfigSource): Promise<ResolvedConfig<TrainConfig>> {
  const { config, originOf } = await resolveConfig(trainSchema, source, {
    model: filePath,
    output: filePath,
    'data.train': filePath,
    'data.train[].path': filePath,
    'data.decontaminate.against': filePath,
    'evaluation.data': filePath,
    'verifier.**': verifierPath,
  })
  await requireModel(config.model)
  const { train, decontaminate } = config.data
  await requireFiles('data.train', dataPaths(train))
  if (config.evaluation.data !== undefined) await requireFiles('evaluation.data', config.evaluation.data)
  await requireFiles('data.decontaminate.against', decontaminate?.against ?? [])
  if (decontaminate && pathList(decontaminate.against ?? config.evaluation.data ?? []).length === 0)
    throw new ConfigError(
      "'data.decontaminate': nothing to compare the prompts with; give evaluation.data or data.decontaminate.against",
    )
  return { config: completed(config), originOf }
}

/** The settings of a supervised run, complete and with absolute paths. Throws as `loadTrainConfig`. */
export async function loadSftConfig(source: ConfigSource): Promise<SftConfig> {
  return (await resolveSftConfig(source)).config
}

/** As `loadSftConfig`, with where each value was set. */
export async function resolveSftConfig(source: ConfigSource): Promise<ResolvedConfig<SftConfig>> {
  const resolved = await resolveConfig(sftSchema, source, { model: filePath, output: filePath, 'data.train': filePath })
  await requireModel(resolved.config.model)
  await requireFiles('data.train', resolved.config.data.train)
  return resolved
}

/** One path or several, as a list. */
export function pathList(paths: string | readonly string[]): string[] {
  return typeof paths === 'string' ? [paths] : [...paths]
}

/** Throws a ConfigError unless `directory` is a Hugging Face folder. */
export async function requireModel(directory: string, key = 'model'): Promise<void> {
  if (await isFile(join(directory, 'config.json'))) return
  throw new ConfigError(
    `'${key}': no config.json in ${directory}; give a Hugging Face folder (config.json, *.safetensors, tokenizer.json)`,
  )
}

/** Throws a ConfigError that names the first of `paths` that is not a file. */
export async function requireFiles(key: string, paths: string | readonly string[]): Promise<void> {
  for (const path of pathList(paths))
    if (!(await isFile(path))) throw new ConfigError(`'${key}': no such file: ${path}`)
}

/** The file part of `./reward.ts#name`; a built-in verifier stays its name. */
export const verifierPath: PathResolver = (spec, base) =>
  typeof namedVerifier(spec) === 'object' ? filePath(spec, base) : spec

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  )
}
