import type { z } from 'zod'
import type { KnownKey } from './known-keys.ts'
import { nearestKey } from './nearest-key.ts'

/** One line a problem: where, which key, what was expected, what was there, and what the key means. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  keys: readonly KnownKey[],
  values: unknown,
  located: (path: readonly PropertyKey[]) => string,
): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const path = [...issue.path, key]
      const name = path.join('.')
      const nearest = nearestKey(
        name,
        keys.map((known) => known.path),
      )
      const hint = nearest ? `did you mean '${nearest}'?` : `known keys: ${siblings(issue.path, keys)}`
      return `${located(path)}: unknown key '${name}'; ${hint}`
    })
  const name = issue.path.join('.')
  const known = keys.findLast(({ path }) => name === path || name.startsWith(`${path}.`))
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], values)
  const expected = issue.message
    .replace(/^(Invalid input|Invalid option|Too small|Too big): /, '')
    .replace(/, received .*$/, '')
  const got = value === undefined ? 'it is missing' : `got ${JSON.stringify(value)}`
  return [`${located(issue.path)}: '${name}': ${expected}; ${got}. ${known?.description ?? ''}`.trimEnd()]
}

function siblings(parent: readonly PropertyKey[], keys: readonly KnownKey[]): string {
  const prefix = parent.length > 0 ? `${parent.join('.')}.` : ''
  return keys
    .map(({ path }) => path)
    .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes('.'))
    .join(', ')
}
