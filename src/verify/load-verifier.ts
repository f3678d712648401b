import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CodeVerifier, type CodeVerifierOptions } from './code/code-verifier.ts'
import { FunctionVerifier } from './function-verifier.ts'
import { MathVerifier, type MathVerifierOptions } from './math/math-verifier.ts'
import type { RewardFunction, Verifier } from './verifier.ts'

const SCRIPT = /\.[cm]?[jt]s$/
const TYPESCRIPT = /\.[cm]?ts$/

/**
 * The verifier that a config names: `math`, `code`, or a function of a file, as `./reward.ts#name` (without `#name` its default
 * export). TypeScript files need no build.
 *
 * @param spec as in the config
 * @param baseDir what a relative path starts from: the config's folder
 * @throws Error that names the file or export and what there is instead
 */
export async function loadVerifier(
  spec: string,
  baseDir: string,
  options: MathVerifierOptions & CodeVerifierOptions = {},
): Promise<Verifier> {
  if (spec === 'math') return new MathVerifier(options)
  if (spec === 'code') return new CodeVerifier(options)
  const hash = spec.lastIndexOf('#')
  const file = hash < 0 ? spec : spec.slice(0, hash)
  const name = hash < 0 ? 'default' : spec.slice(hash + 1)
  if (!SCRIPT.test(file)) {
    throw new Error(
      `verifier '${spec}' is not known: use 'math', 'code', or a function of your own as './reward.ts#name'`,
    )
  }
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
