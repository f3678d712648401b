/**
 * Writes schema/train.schema.json, by which editors complete and check a run's YAML file.
 *
 *     node --import=tsx scripts/config-schema.ts
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { trainSchema } from '../src/config/schema.ts'
import { writeAtomic } from '../src/metrics/atomic-write.ts'

/** The JSON Schema of what a user writes, as text. */
export function configSchemaText(): string {
  const schema = z.toJSONSchema(trainSchema, {
    target: 'draft-7', // what yaml-language-server reads
    io: 'input',
    override: ({ jsonSchema, path }) => {
      // A key that the command line or the preset gives is not missing from the file.
      if (path.length === 0 || path.join('/') === 'properties/data') delete jsonSchema.required
      // The bounds of a double's whole numbers say nothing to a reader.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
    },
  })
  return `${JSON.stringify({ title: 'A training run of magic-grpo', ...schema }, null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await writeAtomic(join(import.meta.dirname, '../schema/train.schema.json'), configSchemaText())
