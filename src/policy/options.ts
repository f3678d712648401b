import { nearestKey } from '../config/nearest-key.ts'
import { describe, NativeError } from '../native/errors.ts'

/** One option: what it is when absent, what it may be, and that in words. */
export interface Option<T> {
  /** undefined: the option must be given */
  fallback: T | undefined
  test(value: unknown): boolean
  expected: string
}

type Resolved<R> = { [K in keyof R]: R[K] extends Option<infer T> ? T : never }

/**
 * Checks a call's options against their rules and fills in the defaults.
 *
 * @param what the call: `trainStep options`
 * @throws NativeError INVALID_ARGUMENT naming the option, its value and what it must be; for an unknown option the
 * nearest known one
 */
export function resolveOptions<R extends Record<string, Option<unknown>>>(
  what: string,
  given: object,
  rules: R,
): Resolved<R> {
  refuseUnknownKeys(what, given, Object.keys(rules))
  const values = given as Record<string, unknown>
  const resolved = Object.entries(rules).map(([name, rule]) => {
    const value = values[name] === undefined ? rule.fallback : values[name]
    if (!rule.test(value)) invalid(`${what}.${name}`, rule.expected, value)
    return [name, value]
  })
  return Object.fromEntries(resolved) as Resolved<R>
}

/** @throws NativeError INVALID_ARGUMENT for a key that is not known, with the nearest that is */
export function refuseUnknownKeys(what: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) invalid(what, 'an object', given)
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    const near = nearestKey(key, known)
    throw new NativeError(
      'INVALID_ARGUMENT',
      `${what} has no ${describe(key)}; ${near === undefined ? `known: ${known.join(', ')}` : `did you mean ${near}?`}`,
    )
  }
}

/** @throws NativeError INVALID_ARGUMENT */
export function invalid(field: string, expected: string, value: unknown): never {
  throw new NativeError('INVALID_ARGUMENT', `${field} must be ${expected}, got ${describe(value)}`)
}

/** A finite number from `least` to `most`; with `above`, more than `least`. */
export function number(
  fallback: number,
  limits: { least?: number; above?: number; most?: number } = {},
): Option<number> {
  const { least, above, most } = limits
  const words = [
    least !== undefined && most === undefined ? `at least ${least}` : '',
    above !== undefined ? `above ${above}` : '',
    least !== undefined && most !== undefined ? `from ${least} to ${most}` : '',
    above !== undefined && most !== undefined ? `up to ${most}` : '',
  ]
  return {
    fallback,
    test: (value) =>
      typeof value === 'number' &&
      Number.isFinite(value) &&
      !(least !== undefined && value < least) &&
      !(above !== undefined && value <= above) &&
      !(most !== undefined && value > most),
    expected: ['a finite number', ...words.filter((word) => word !== '')].join(' '),
  }
}

/** A whole number that the native side can hold. */
export function integer(fallback: number | undefined, least: number, most = 2 ** 31 - 1): Option<number> {
  return {
    fallback,
    test: (value) => typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most,
    expected: `a whole number from ${least} to ${most}`,
  }
}

export function flag(fallback: boolean): Option<boolean> {
  return { fallback, test: (value) => typeof value === 'boolean', expected: 'true or false' }
}

/** One of some words; the first is the default. */
export function oneOf<T extends string>(words: readonly [T, ...T[]]): Option<T> {
  return {
    fallback: words[0],
    test: (value) => words.includes(value as T),
    expected: words.map((word) => `"${word}"`).join(' or '),
  }
}

/** An option that may be absent. */
export function optional<T>(test: (value: unknown) => value is T, expected: string): Option<T | undefined> {
  return { fallback: undefined, test: (value) => value === undefined || test(value), expected }
}

/** The same option, absent where it is not given. */
export function absentOr<T>({ test, expected }: Option<T>): Option<T | undefined> {
  return { fallback: undefined, test: (value) => value === undefined || test(value), expected }
}

export const signal = optional((value): value is AbortSignal => value instanceof AbortSignal, 'an AbortSignal')

/** A 64-bit seed; bits above are dropped. */
export const seed = {
  fallback: 0 as number | bigint,
  test: (value) =>
    (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) ||
    (typeof value === 'bigint' && value >= 0n),
  expected: 'a whole number of at least 0',
} satisfies Option<number | bigint>
