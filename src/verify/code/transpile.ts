import { createRequire } from 'node:module'
import type { Language } from './extract-code.ts'

interface Esbuild {
  transform(code: string, options: object): Promise<{ code: string }>
}

/** Runs of more than this are no answers, and no work for a compiler. */
const MAX_LENGTH = 100_000

let esbuild: Esbuild | undefined

/**
 * An answer in JavaScript or TypeScript as a CommonJS script; types are erased, not checked.
 *
 * @returns the script, or what is wrong with its syntax
 */
export async function transpile(
  code: string,
  language: Exclude<Language, 'python'>,
): Promise<{ script: string } | { syntax: string }> {
  if (code.length > MAX_LENGTH) return { syntax: `more than ${MAX_LENGTH} characters` }
  // tsx, which runs users' reward functions, comes with it.
  esbuild ??= createRequire(createRequire(import.meta.url).resolve('tsx'))('esbuild') as Esbuild
  try {
    const loader = language === 'typescript' ? 'ts' : 'js'
    const result = await esbuild.transform(code, { loader, format: 'cjs', target: 'node20', logLevel: 'silent' })
    return { script: result.code }
  } catch (error) {
    const [first] = (error as { errors?: { text: string; location?: { line: number } }[] }).errors ?? []
    if (!first) throw error
    return { syntax: `SyntaxError: ${first.text} (line ${first.location?.line ?? 1})` }
  }
}
