import { followsFrom } from '../config/complete.ts'
import { formatAnnotated } from '../config/format.ts'
import type { ResolvedConfig } from '../config/load.ts'

/** What `--dry-run` prints: the resolved config, at each value where it came from. It reads back as the same config. */
export function dryRun({ config, originOf }: ResolvedConfig<object>): string {
  return formatAnnotated(config, (path) => {
    const followed = followsFrom(path)
    return originOf(path) ?? (followed === undefined ? 'default' : `follows from ${followed}`)
  })
}
