import type { z } from 'zod'
import { alongPath, type KnownKey, patternOf } from './known-keys.ts'
import { valueAt } from './merge.ts'
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
      const nearest = nearestKey(
        patternOf(path),
        keys.map((known) => known.path),
      )
      const hint = nearest ? `did you mean '${alongPath(nearest, path)}'?` : `known keys: ${siblings(issue.path, keys)}`
      return `${located(path)}: unknown key '${path.join('.')}'; ${hint}`
    })
  const pattern = patternOf(issue.path)
  const known = keys.findLast(
    ({ path }) => pattern === path || pattern.startsWith(`${path}.`) || pattern.startsWith(`${path}[]`),
  )
  const value = valueAt(values, issue.path)
  const expected = issue.message
    .replace(/^(Invalid input|Invalid option|Too small|Too big): /, '')
    .replace(/, received .*$/, '')
  const got = value === undefined ? 'it is missing' : `got ${JSON.stringify(value)}`
  return [
    `${located(issue.path)}: '${issue.path.join('.')}': ${expected}; ${got}. ${known?.description ?? ''}`.trimEnd(),
  ]
}

function siblings(parent: readonly PropertyKey[], keys: readonly KnownKey[]): string {
  const prefix = parent.length > 0 ? `${patternOf(parent)}.` : ''
  return keys
    .map(({ path }) => path)
    .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes('.'))
    .map((path) => alongPath(path, parent))
    .join(', ')
}
