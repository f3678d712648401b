import { sampleSeed } from '../rollout/sample-seed.ts'
import { promptKeys } from './call-options.ts'
import { integer, invalid, refuseUnknownKeys } from './options.ts'

/** One prompt and how many completions of it are asked for. */
export interface GeneratePrompt {
  promptTokenIds: Int32Array
  /** default 1 */
  n?: number | undefined
  /** [n] in place of those that `seed` would make */
  seeds?: BigUint64Array | undefined
  /** [n] most new tokens of each completion, at most the call's `maxNewTokens`, which it is when absent */
  maxNewTokens?: Int32Array | undefined
}

/** A prompt as the native side takes it: with a seed for each of its completions. */
export function nativePrompt(prompt: GeneratePrompt, index: number, seed: number | bigint) {
  const what = `generate prompts[${index}]`
  refuseUnknownKeys(what, prompt, promptKeys)
  const { promptTokenIds, n = 1, seeds, maxNewTokens } = prompt
  const halves = [BigInt(seed) >> 32n, BigInt(seed) & 0xffffffffn].map((half) => Number(BigInt.asUintN(32, half)))
  if (!integer(1, 1).test(n)) invalid(`${what}.n`, integer(1, 1).expected, n)
  if (!(promptTokenIds instanceof Int32Array) || promptTokenIds.length === 0)
    invalid(`${what}.promptTokenIds`, 'an Int32Array of at least one token', promptTokenIds)
  if (seeds !== undefined && !(seeds instanceof BigUint64Array && seeds.length === n))
    invalid(`${what}.seeds`, `a BigUint64Array of n = ${n}`, seeds)
  if (maxNewTokens !== undefined && !(maxNewTokens instanceof Int32Array && maxNewTokens.length === n))
    invalid(`${what}.maxNewTokens`, `an Int32Array of n = ${n}`, maxNewTokens)
  return {
    promptTokenIds,
    n,
    ...(maxNewTokens && { maxNewTokens }),
    seeds: seeds ?? BigUint64Array.from({ length: n }, (_, sample) => sampleSeed(...halves, index, sample)),
  }
}
