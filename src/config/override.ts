import { parse } from 'yaml'
import { ConfigError } from './config-error.ts'

/** A `key.sub=value` text: `steps=8`, `stages.0.entropy.target=0.3`. */
export interface Override {
  text: string
  path: string[]
  value: unknown
}

/** @throws ConfigError where there is no key, or the value is not YAML */
export function parseOverride(text: string): Override {
  const split = text.indexOf('=')
  if (split < 1) throw new ConfigError(`override '${text}': expected key=value, as steps=8 or entropy.target=0.3`)
  const path = text.slice(0, split).split('.')
  try {
    return { text, path, value: parse(text.slice(split + 1)) }
  } catch (error) {
    const problem = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new ConfigError(`override '${text}': the value is not YAML: ${problem}`)
  }
}
