import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CodeVerifier, type CodeVerifierOptions } from './code/code-verifier.ts'
import { type FormatOptions, FormatVerifier } from './format-verifier.ts'
import { FunctionVerifier } from './function-verifier.ts'
import { type LengthOptions, LengthVerifier } from './length-verifier.ts'
import { MathVerifier, type MathVerifierOptions } from './math/math-verifier.ts'
import { RoutedVerifier } from './routed-verifier.ts'
import { type SumPart, SumVerifier } from './sum-verifier.ts'
import type { RewardFunction, Verifier } from './verifier.ts'
import { type BuiltIn, namedVerifier, verifierHint } from './verifier-names.ts'

const TYPESCRIPT = /\.[cm]?ts$/

/** One reward of a weighted sum. */
export interface SumPartSpec {
  verifier: string
  /** 1 unless given */
  weight?: number | undefined
  /** the part counts only where the main part is correct */
  whenCorrect?: boolean | undefined
}

/** A verifier by its name, or a sum of such; `correct` names the part that says what is correct, the first unless given. */
export type RewardSpec = string | { sum: readonly SumPartSpec[]; correct?: string | undefined }

/** A reward for all prompts, or one for each data source or ability; `default` is for all others. */
export type VerifierSpec =
  | RewardSpec
  | { bySource: Readonly<Record<string, RewardSpec>> }
  | { byAbility: Readonly<Record<string, RewardSpec>> }

/** How the built-in verifiers grade, as in a config. */
export interface VerifierSettings {
  math?: MathVerifierOptions
  code?: CodeVerifierOptions
  format?: FormatOptions
  /** needed by `length` */
  length?: LengthOptions | undefined
}

/**
 * The verifier of a config: `math`, `code`, `format`, `length`, or a function of a file, as `./reward.ts#name` (without `#name` its
 * default export); sums of these, and one for each data source or ability. TypeScript files need no build.
 *
 * @param spec as in the config
 * @param baseDir what a relative path starts from: the config's folder
 * @throws Error that names the file or export and what there is instead
 */
export async function loadVerifier(
  spec: VerifierSpec,
  baseDir: string,
  settings: VerifierSettings = {},
): Promise<Verifier> {
  // one of each, with its workers, however often it is named
  const named = new Map<string, Promise<Verifier>>()
  const load = (name: string) => {
    if (!named.has(name)) named.set(name, loadNamed(name, baseDir, settings))
    return named.get(name)!
  }
  const loadReward = async (reward: RewardSpec): Promise<Verifier> => {
    if (typeof reward === 'string') return load(reward)
    const parts: SumPart[] = []
    for (const { verifier, weight = 1, whenCorrect = false } of reward.sum)
      parts.push({ verifier: await load(verifier), weight, whenCorrect })
    const main = reward.sum.findIndex(({ verifier }) => verifier === (reward.correct ?? verifier))
    if (main < 0)
      throw new Error(
        `verifier: correct is '${reward.correct}': name a part of the sum, ${reward.sum.map(({ verifier }) => verifier).join(' or ')}`,
      )
    return new SumVerifier(parts, parts[main])
  }
  if (typeof spec === 'string' || 'sum' in spec) return loadReward(spec)
  const routes = new Map<string, Verifier>()
  for (const [key, reward] of Object.entries('bySource' in spec ? spec.bySource : spec.byAbility))
    routes.set(key, await loadReward(reward))
  return new RoutedVerifier('bySource' in spec ? 'source' : 'ability', routes)
}

async function loadNamed(spec: string, baseDir: string, settings: VerifierSettings): Promise<Verifier> {
  const named = namedVerifier(spec)
  if (named === undefined) throw new Error(`verifier '${spec}' is not known; ${verifierHint(spec)}`)
  if (typeof named === 'string') return builtIn(named, settings)
  const { file, export: name } = named
  const path = resolve(baseDir, file)
  const exports = await importFile(path, spec)
  const reward = exports[name]
  if (reward === undefined) {
    const names = Object.keys(exports).filter((key) => typeof exports[key] === 'function')
    throw new Error(
      `verifier '${spec}': ${path} has no ${name === 'default' ? 'default export' : `export '${name}'`}; ` +
        (names.length > 0 ? `it has ${names.map((key) => `#${key}`).join(', ')}` : 'it exports no function'),
    )
  }
  if (typeof reward !== 'function') {
    throw new Error(
      `verifier '${spec}': the export '${name}' is ${reward === null ? 'null' : `a ${typeof reward}`}, not a function: ` +
        'export a function (sample) => reward',
    )
  }
  return new FunctionVerifier(`./${basename(path)}#${name}`, reward as RewardFunction)
}

function builtIn(name: BuiltIn, settings: VerifierSettings): Verifier {
  if (name === 'math') return new MathVerifier(settings.math)
  if (name === 'code') return new CodeVerifier(settings.code)
  if (name === 'format') return new FormatVerifier(settings.format)
  if (settings.length) return new LengthVerifier(settings.length)
  throw new Error("verifier 'length' needs its limits in tokens: length: { short: 512, long: 4096 }")
}

async function importFile(path: string, spec: string): Promise<Record<string, unknown>> {
  const info = await stat(path).catch(() => null)
  if (!info?.isFile()) throw new Error(`verifier '${spec}': no such file: ${path}`)
  const url = pathToFileURL(path).href
  try {
    if (!TYPESCRIPT.test(path)) return await import(url)
    const { tsImport } = await import('tsx/esm/api')
    const module = await tsImport(url, import.meta.url)
    // Where no package.json says module, a TypeScript file is CommonJS and all its exports lie in the default one.
    return module.default?.__esModule ? module.default : module
  } catch (error) {
    throw new Error(`verifier '${spec}': ${path} could not be loaded: ${(error as Error).message}`, { cause: error })
  }
}
