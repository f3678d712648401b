import { z } from 'zod'
import { namedVerifier, verifierHint } from '../verify/verifier-names.ts'

const name = z
  .string()
  .min(1)
  .refine(namedVerifier, { error: ({ input }) => `unknown verifier; ${verifierHint(String(input))}` })

const sum = z.strictObject({
  sum: z
    .array(
      z.strictObject({
        verifier: name.describe('A verifier by its name.'),
        weight: z.number().default(1).describe('What its reward is multiplied by.'),
        whenCorrect: z.boolean().default(false).describe('Counts only where the main part is correct.'),
      }),
    )
    .min(1)
    .describe('A weighted sum of rewards.'),
  correct: name.optional().describe('The part of the sum that says what is correct; default the first.'),
})

const reward = z.union([name, sum], { error: "expected a verifier's name, or { sum: [{ verifier, weight }] }" })
const routes = z
  .record(z.string(), reward)
  .refine((map) => Object.keys(map).length > 0, 'expected at least one verifier')

/** What a run is rewarded for. */
export const verifierSchema = z
  .union(
    [
      name,
      sum,
      z.strictObject({ bySource: routes.describe('A verifier for each data_source, and `default`.') }),
      z.strictObject({ byAbility: routes.describe('A verifier for each ability, and `default`.') }),
    ],
    {
      error:
        "expected 'math', 'code', './reward.ts#name', { sum: [{ verifier, weight }] }, { bySource: { NAME: verifier } } or { byAbility: { NAME: verifier } }",
    },
  )
  .default('math')
  .describe(
    "The reward: 'math', 'code', 'format', 'length', or an exported function as './reward.ts#name'; a weighted sum of these; or one for each data source or ability. See [verifiers.md](verifiers.md).",
  )

/** How verifier 'math' grades. */
export const mathSchema = z
  .strictObject({
    extraction: z
      .enum(['boxed', 'any'])
      .default('boxed')
      .describe(
        "Where the answer is: 'boxed' only in \\boxed{}; 'any' also announced in prose, after ####, or the last formula or number.",
      ),
    precision: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .describe('Digits after the decimal point to which decimals have to agree; default what the gold answer states.'),
    renamedVariables: z.boolean().default(false).describe('Take f(t) = t^2 for f(x) = x^2.'),
  })
  .prefault({})
  .describe("How verifier 'math' grades.")

/** How verifier 'format' grades. */
export const formatSchema = z
  .strictObject({
    boxed: z.boolean().default(true).describe('The answer has to be in a \\boxed{} after the thinking.'),
    thinking: z.boolean().default(false).describe('There has to be one </think>, and no <think> but at the start.'),
    pattern: z
      .string()
      .min(1)
      .optional()
      .describe('A JavaScript regular expression that has to match in the response, within 5 s; default none.'),
  })
  .prefault({})
  .describe("How verifier 'format' grades: 1 where the response meets all of it, else 0.")

/** How verifier 'length' grades. */
export const lengthSchema = z
  .strictObject({
    short: z.int().min(0).default(0).describe('Tokens up to which a response has reward 1.'),
    long: z.int().min(1).describe('Tokens from which on it has reward 0; a straight line between.'),
  })
  .refine(({ short, long }) => short < long, { error: 'expected more than short', path: ['long'] })
  .optional()
  .describe("How verifier 'length' grades; default none, and needed where 'length' is used.")
