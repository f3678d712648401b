/**
 * Writes docs/configuration.md from the schema, so that the two cannot part.
 *
 *     node --import=tsx scripts/configuration-docs.ts
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'
import { type KnownKey, knownKeys } from '../src/config/known-keys.ts'
import { presetNames, presets } from '../src/config/presets/presets.ts'
import { sftSchema, trainSchema } from '../src/config/schema.ts'
import { stepShape } from '../src/config/step-shape.ts'
import { writeAtomic } from '../src/metrics/atomic-write.ts'

/** The page's text. */
export function configurationPage(): string {
  return `# Configuration

Made from the schema by \`node --import=tsx scripts/configuration-docs.ts\`.

A run is a YAML file; \`key.sub=value\` on the command line overrides it, read as YAML. Relative paths in the file start at the
file's folder, those on the command line at the current one. \`--dry-run\` prints the settings that result and where each came from. A key
that does not exist is an error that names the nearest one. The names in TRL and verl: [trl-verl.md](trl-verl.md).

A run is a list of stages where \`stages\` says so. Each has the keys \`stages[]\` below and sets anew any of the keys of a step,
from \`promptsPerStep\` on: \`stages: [{ steps: 100, maxResponseLength: 4096 }, { steps: 50, maxResponseLength: 8192, entropy: { target: 0.3 } }]\`.
On the command line a stage is its index from 0: \`stages.1.entropy.target=0.3\`.

\`preset: NAME\` makes a published recipe the base of the file: maps go together, anything else that the file has replaces what
the preset has, \`stages\` as a whole. \`magic-grpo presets\` lists them, \`magic-grpo presets NAME\` prints one:

| preset | what it is | model that it starts from |
|---|---|---|
${presetNames.map((name) => `| \`${name}\` | ${presets[name].summary} | ${presets[name].model} |`).join('\n')}

Editors that read JSON Schema complete and check a file that starts with
\`# yaml-language-server: $schema=node_modules/magic-grpo/schema/train.schema.json\`.

## magic-grpo train

${table(trainSchema)}
## magic-grpo sft

${table(sftSchema)}`
}

function table(schema: z.ZodObject): string {
  const keys = knownKeys(schema).filter(({ path }) => !isStepKey(path))
  const rows = keys.map((key) => `| \`${key.path}\` | ${defaultOf(key)} | ${cell(key.description)} |`)
  return `| key | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
}

/** Whether a key of a stage is one of a step, which the table has at the top level. */
function isStepKey(path: string): boolean {
  return path.startsWith('stages[].') && path.split('.')[1]! in stepShape
}

/** The default as YAML would have it; empty for required keys and for those whose sentence says it. */
function defaultOf({ defaultValue }: KnownKey): string {
  return defaultValue === undefined ? '' : `\`${JSON.stringify(defaultValue)}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await writeAtomic(join(import.meta.dirname, '../docs/configuration.md'), configurationPage())
