/** A map, as YAML has it: not a list, not null. */
export type Plain = Record<string, unknown>

export function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Sets an own key: `__proto__` from a file or a command line must not reach the prototype of all objects. */
export function setOwn(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

/** `base` with the keys of `over` on top: maps go together, any other value replaces; undefined leaves the base. */
export function merged<T extends object>(base: T, over: object): T {
  const result = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = (base as Plain)[key]
    if (value !== undefined) setOwn(result, key, isPlain(before) && isPlain(value) ? merged(before, value) : value)
  }
  return result
}

/** The value at a path of keys and indices; undefined where there is none. */
export function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Plain)[String(key)] : undefined,
    values,
  )
}
