/**
 * Writes docs/configuration.md from the schema, so that the two cannot part.
 *
 *     node --import=tsx scripts/configuration-docs.ts
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'
import { type KnownKey, knownKeys } from '../src/config/known-keys.ts'
import { sftSchema, trainSchema } from '../src/config/schema.ts'
import { writeAtomic } from '../src/metrics/atomic-write.ts'

/** The page's text. */
export function configurationPage(): string {
  return `# Configuration

Made from the schema by \`node --import=tsx scripts/configuration-docs.ts\`.

A run is a YAML file; \`key.sub=value\` on the command line overrides it, read as YAML. Relative paths in the file start at the
file's folder, those on the command line at the current one. \`--dry-run\` prints the settings that result. A key that does
not exist is an error that names the nearest one. The names in TRL and verl: [trl-verl.md](trl-verl.md).

## magic-grpo train

${table(trainSchema)}
## magic-grpo sft

${table(sftSchema)}`
}

function table(schema: z.ZodObject): string {
  const rows = knownKeys(schema).map(
    (key) => `| \`${key.path}\` | ${defaultOf(schema, key)} | ${cell(key.description)} |`,
  )
  return `| key | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
}

/** The default as YAML would have it; empty for required keys and for those whose sentence says it. */
function defaultOf(schema: z.ZodObject, key: KnownKey): string {
  let type: unknown = schema
  for (const part of key.path.split('.')) type = (unwrap(type) as z.ZodObject).shape[part]
  const { type: kind, defaultValue } = (type as z.ZodType).def as { type: string; defaultValue?: unknown }
  return kind === 'default' ? `\`${JSON.stringify(defaultValue)}\`` : ''
}

function unwrap(type: unknown): unknown {
  const definition = (type as z.ZodType).def as { type: string; innerType?: unknown }
  return definition.type === 'object' ? type : unwrap(definition.innerType)
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await writeAtomic(join(import.meta.dirname, '../docs/configuration.md'), configurationPage())
