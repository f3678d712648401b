import { z } from 'zod'

/** The code verifier's settings. */
export const codeSchema = z
  .strictObject({
    reward: z
      .enum(['all', 'share'])
      .default('all')
      .describe("What tests earn: 'all' is 1 where every one passes, else 0; 'share' is the part that passes."),
    shared: z
      .boolean()
      .default(true)
      .describe(
        'Grade an answer in one process with its tests where these hand it objects; false: it then earns nothing. See [verifiers.md](verifiers.md).',
      ),
    unsafe: z
      .boolean()
      .default(false)
      .describe('Run what the model writes WITHOUT a sandbox where none works; otherwise that is an error.'),
  })
  .prefault({})
  .describe("How verifier 'code' grades.")
