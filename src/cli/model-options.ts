import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { Device, DType } from '../native/contract.ts'

/** What a command that samples from a model is given. */
export interface SamplingArguments {
  model: string
  samples: number
  maxNewTokens: number
  temperature: number
  topP: number
  topK: number
  seed: number
  system?: string
  device: Device
  dtype: DType
}

/** What one that samples responses to problems and verifies them is given. */
export interface ProblemArguments extends SamplingArguments {
  data: string[]
  verifier: string
  suffix?: string
  maxPromptLength: number
}

export const VERIFIER_HELP =
  "'math', 'code', 'format', an exported function as ./reward.ts#name, or a config (.yaml) for its verifier"

/** The options of `SamplingArguments` but `samples` and `system`, which mean something else in each command. */
export function samplingOptions(command: Command, maxNewTokens: number): Command {
  return command
    .requiredOption('-m, --model <dir>', 'Hugging Face folder, or a checkpoint of a run')
    .option('--max-new-tokens <count>', 'most tokens of a response', positive, maxNewTokens)
    .option('--temperature <value>', '0 is greedy', number, 1)
    .option('--top-p <value>', 'nucleus sampling, 1 is off', number, 1)
    .option('--top-k <count>', 'sample among the k most likely, 0 is off', whole, 0)
    .option('--seed <number>', 'seed of the samples', whole, 0)
    .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
    .option('--dtype <dtype>', 'float32 or bfloat16', 'float32')
}

/** The options of `ProblemArguments` but `samples`. */
export function problemOptions(command: Command, maxNewTokens: number): Command {
  return samplingOptions(command.argument('<data...>', 'files of problems, .jsonl or .parquet'), maxNewTokens)
    .option('--verifier <spec>', VERIFIER_HELP, 'math')
    .option('--system <text>', 'system message for problems that have none')
    .option('--suffix <text>', 'text after the last user message, where that does not end so already')
    .option('--max-prompt-length <count>', 'longer prompts are dropped', positive, 2048)
}

/** What answers follow from, as records of them say it: the model, how it is sampled, and the verifier in one text. */
export function howAnswered(
  { model, samples, maxNewTokens, temperature, topP, topK, seed }: ProblemArguments,
  verifier: string,
) {
  return { model: resolve(model), verifier, samples, maxNewTokens, temperature, topP, topK, seed }
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('expected a number >= 0')
  return value
}

export function rate(text: string): number {
  const value = number(text)
  if (value > 1) throw new InvalidArgumentError('expected a share from 0 to 1')
  return value
}

function whole(text: string): number {
  const value = number(text)
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('expected a whole number >= 0')
  return value
}

export function positive(text: string): number {
  const value = whole(text)
  if (value === 0) throw new InvalidArgumentError('expected a whole number >= 1')
  return value
}
