import { ConfigError } from './config-error.ts'
import { describeIssue } from './describe-issue.ts'
import { knownKeys } from './known-keys.ts'
import { type RecipeConfig, type RecipeInput, recipeSchema, recipeShape } from './recipe-schema.ts'
import type { TrainConfig } from './schema.ts'

/**
 * A recipe written in code, checked and complete.
 *
 * @throws ConfigError with one line a problem
 */
export function parseRecipe(input: RecipeInput): RecipeConfig {
  const parsed = recipeSchema.safeParse(input)
  if (parsed.success) return parsed.data
  const keys = knownKeys(recipeSchema)
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describeIssue(issue, keys, input, () => 'config')))
}

/** The recipe's keys of a whole config. */
export function recipeOf(config: TrainConfig): RecipeConfig {
  const entries = Object.keys(recipeShape).map((key) => [key, config[key as keyof RecipeConfig]])
  return Object.fromEntries(entries) as RecipeConfig
}
