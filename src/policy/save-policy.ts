import { randomUUID } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { planShards, shardIndex } from '../checkpoint/shards.ts'
import { syncFolder, writeAtomic } from '../metrics/atomic-write.ts'
import type { DType } from '../native/contract.ts'
import { NativeError } from '../native/errors.ts'
import type { ModelConfig } from './model-config.ts'

/** What a model folder says beside its weights. */
const companions = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'tokenizer.model',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
]
const weightFile = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/

/** What is saved; the weights themselves come from `write`. */
export interface SavedModel {
  config: ModelConfig
  dtype: DType
  parameters: readonly { name: string; shape: number[] }[]
  /** The folder whose tokenizer files come along. */
  source: string | undefined
}

/** Writes these parameters into one safetensors file. */
export type WriteParameters = (path: string, names: string[]) => Promise<void>

/**
 * Writes a Hugging Face folder: a new one by renaming, an existing one file by file, config.json last. What `write`
 * starts is started before the first await: the weights are those of the moment of the call.
 */
export async function savePolicy(dir: string, model: SavedModel, write: WriteParameters): Promise<void> {
  try {
    const target = resolve(dir)
    if (statSync(target, { throwIfNoEntry: false })) await writeFiles(target, model, write)
    else await writeFolder(target, model, write)
  } catch (error) {
    if (error instanceof NativeError || (error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new NativeError('FILE', `cannot save to ${dir}: ${(error as Error).message}`)
  }
}

async function writeFolder(target: string, model: SavedModel, write: WriteParameters): Promise<void> {
  const parent = dirname(target)
  mkdirSync(parent, { recursive: true })
  const partial = join(parent, `.${basename(target)}.${randomUUID()}.partial`)
  mkdirSync(partial)
  try {
    await writeFiles(partial, model, write)
    await rename(partial, target)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
  await syncFolder(parent)
}

async function writeFiles(dir: string, model: SavedModel, write: WriteParameters): Promise<void> {
  const shards = planShards(model.parameters, model.dtype === 'float32' ? 4 : 2)
  // All at once: they queue one after another, so that no update comes between two shards.
  await Promise.all(shards.map(({ file, names }) => write(join(dir, file), names)))
  const written = new Set(shards.map(({ file }) => file))
  const index = shardIndex(shards)
  if (index !== undefined) {
    await writeAtomic(join(dir, 'model.safetensors.index.json'), json(index))
    written.add('model.safetensors.index.json')
  }
  // A weight file of an earlier save would be read in place of, or together with, the new ones.
  for (const name of await readdir(dir)) if (weightFile.test(name) && !written.has(name)) await rm(join(dir, name))
  if (model.source !== undefined) await copyCompanions(model.source, dir)
  await writeAtomic(join(dir, 'config.json'), json(savedConfig(model)))
}

/** transformers 5 reads `dtype`, those before it `torch_dtype`. */
function savedConfig({ config, dtype }: SavedModel): ModelConfig {
  return { ...config, dtype, ...('torch_dtype' in config && { torch_dtype: dtype }) }
}

async function copyCompanions(source: string, dir: string): Promise<void> {
  const names = await readdir(source).catch(() => [] as string[])
  if (names.length === 0 || (await realpath(source)) === (await realpath(dir))) return
  for (const name of companions)
    if (names.includes(name)) await writeAtomic(join(dir, name), await readFile(join(source, name)))
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
