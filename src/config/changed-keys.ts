import { parse } from 'yaml'
import type { TrainConfig } from './schema.ts'

/** What a run may be resumed with another value of, without a word. */
const free = ['steps', 'output', 'checkpointEvery', 'keepCheckpoints']

/**
 * The keys of `config` whose values differ from those of `text`, the config.yaml of the run that is resumed.
 *
 * @param except keys that may differ
 */
export function changedKeys(text: string, config: TrainConfig, except: readonly string[] = free): string[] {
  const before = parse(text) as Record<string, unknown>
  const after = JSON.parse(JSON.stringify(config)) as Record<string, unknown>
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => !except.includes(key) && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map((key) => `${key} was ${JSON.stringify(before[key])}, is ${JSON.stringify(after[key])}`)
}
