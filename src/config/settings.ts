import { ConfigError } from './config-error.ts'
import { isPlain, type Plain, setOwn, valueAt } from './merge.ts'

/** Where a value was set. */
export interface Origin {
  /** As shown to the user: `run.yaml:12`, `override 'steps=8'`, `preset or1-7b-paper`. */
  text: string
  /** What a relative path starts at: an absolute folder. */
  folder: string
}

/** Settings in layers, the later ones on top, that remember where each value was set. */
export class Settings {
  readonly values: Plain = {}
  readonly #origins = new Map<string, { path: string[]; origin: Origin }>()

  /** Puts a layer on top: maps go together, any other value, and a verifier of whatever form, replaces what was there. */
  merge(layer: Plain, originOf: (path: readonly string[]) => Origin, at: readonly string[] = []): void {
    for (const [key, value] of Object.entries(layer)) {
      const path = [...at, key]
      if (isPlain(value) && isPlain(this.at(path)) && path.join('.') !== 'verifier') this.merge(value, originOf, path)
      else this.#put(this.at(at) as Plain, path, value, originOf)
    }
  }

  /**
   * Sets one value by its path: `['stages', '0', 'steps']`. Maps on the way are made where they are missing.
   *
   * @throws ConfigError where the path leads through a plain value, or to an item that a list does not have
   */
  set(path: readonly string[], value: unknown, origin: Origin): void {
    let at: object = this.values
    for (const [index, key] of path.slice(0, -1).entries()) {
      const way = path.slice(0, index + 1)
      requireItem(at, way, origin)
      if (this.at(way) === undefined || this.at(way) === null) {
        if (/^\d+$/.test(path[index + 1]!))
          throw new ConfigError(`${origin.text}: '${way.join('.')}' is not set, so it has no item ${path[index + 1]}`)
        setOwn(at, key, {})
      }
      const next = this.at(way)
      if (typeof next !== 'object') throw new ConfigError(`${origin.text}: '${way.join('.')}' has no keys below it`)
      at = next as object
    }
    requireItem(at, path, origin)
    this.#put(at, path, value, () => origin)
  }

  /** The value at a path; undefined where there is none. */
  at(path: readonly string[]): unknown {
    return valueAt(this.values, path)
  }

  /** Where the value at a path was set: a scalar, or an empty list or map. */
  originOf(path: readonly PropertyKey[]): Origin | undefined {
    return this.#origins.get(keyOf(path.map(String)))?.origin
  }

  /** Replaces each value by what `map` makes of it. */
  mapValues(map: (path: readonly string[], value: unknown, origin: Origin) => unknown): void {
    for (const { path, origin } of this.#origins.values())
      setOwn(this.at(path.slice(0, -1)) as object, path.at(-1)!, map(path, this.at(path), origin))
  }

  #put(holder: object, path: readonly string[], value: unknown, originOf: (path: readonly string[]) => Origin): void {
    for (const [key, { path: own }] of this.#origins)
      if (path.every((part, index) => part === own[index])) this.#origins.delete(key)
    setOwn(holder, path.at(-1)!, value)
    for (const leaf of leaves(value, [...path])) this.#origins.set(keyOf(leaf), { path: leaf, origin: originOf(leaf) })
  }
}

function requireItem(holder: object, path: readonly string[], origin: Origin): void {
  if (!Array.isArray(holder)) return
  const [list, item] = [path.slice(0, -1).join('.'), path.at(-1)!]
  if (/^\d+$/.test(item) && Number(item) < holder.length) return
  const items = holder.length === 0 ? 'it is empty' : `its last is ${list}.${holder.length - 1}`
  throw new ConfigError(`${origin.text}: '${list}' is a list without an item '${item}'; ${items}`)
}

function leaves(value: unknown, path: string[]): string[][] {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return entries.length === 0 ? [path] : entries.flatMap(([key, child]) => leaves(child, [...path, key]))
}

function keyOf(path: readonly string[]): string {
  return JSON.stringify(path)
}
