import { z } from 'zod'
import { loadConfig } from './load.ts'
import { trainSchema } from './schema.ts'
import { verifierPath } from './train-config.ts'

const { preset, verifier, math, code, format, length } = trainSchema.shape
const read = { preset, verifier, math, code, format, length }
const unread = Object.fromEntries(Object.keys(trainSchema.shape).map((key) => [key, z.unknown().optional()]))
const schema = z.strictObject({ ...(unread as Record<never, z.ZodOptional<z.ZodUnknown>>), ...read })

/** How a config rewards: its `verifier`, and how the built-in ones grade. */
type VerifierConfig = Pick<z.output<typeof schema>, 'verifier' | 'math' | 'code' | 'format' | 'length'>

/**
 * The rewards of a config file, of a run or with these keys alone; the other keys are not looked at, so that what they name need not be there.
 *
 * @throws ConfigError where a key is unknown, or one of these wrong
 */
export async function loadVerifierConfig(file: string): Promise<VerifierConfig> {
  const config = await loadConfig(schema, { file }, { 'verifier.**': verifierPath })
  return {
    verifier: config.verifier,
    ...{ math: config.math, code: config.code, format: config.format, length: config.length },
  }
}
