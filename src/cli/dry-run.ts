import { followsFrom } from '../config/complete.ts'
import { formatAnnotated } from '../config/format.ts'
import type { ResolvedConfig } from '../config/load.ts'
import { NativeError } from '../native/errors.ts'
import { describeMemory, type RunMemory } from '../train/run-memory.ts'

/** What `--dry-run` prints: the resolved config, at each value where it came from. It reads back as the same config. */
export function dryRun({ config, originOf }: ResolvedConfig<object>): string {
  return formatAnnotated(config, (path) => {
    const followed = followsFrom(path)
    return originOf(path) ?? (followed === undefined ? 'default' : `follows from ${followed}`)
  })
}

/** What the run takes, as YAML comments; where that cannot be told (a model that is not supported, no addon), why. */
export async function memoryComment(predict: () => Promise<RunMemory>): Promise<string> {
  const text = await predict().then(describeMemory, (error) => {
    if (error instanceof NativeError) return `memory: not predicted: ${error.message.split('\n')[0]}`
    throw error
  })
  return text.replaceAll(/^/gm, '# ')
}
