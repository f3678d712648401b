import type { z } from 'zod'

/** One key of a schema: its dotted path, `[]` for any item of a list, its sentence, and its default where that is a constant. */
export interface KnownKey {
  path: string
  description: string
  defaultValue?: unknown
}

/** Every key of an object schema, nested ones with dotted paths (`stages[].steps`), in the order of the schema. */
export function knownKeys(schema: z.ZodObject, prefix = ''): KnownKey[] {
  return Object.entries(schema.shape).flatMap(([key, child]) => {
    const type = child as z.ZodType
    const path = prefix + key
    const { type: kind, defaultValue } = type.def as { type: string; defaultValue?: unknown }
    const own = { path, description: describedAs(type), ...(kind === 'default' && { defaultValue }) }
    return [own, ...innerObjects(type, path).flatMap(({ object, at }) => knownKeys(object, `${at}.`))]
  })
}

/** A path of keys and indices as `knownKeys` has it: `stages.0.steps` is `stages[].steps`. */
export function patternOf(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (isIndex(part) ? '[]' : `${index > 0 ? '.' : ''}${String(part)}`)).join('')
}

/** A pattern with the indices of a path that starts the same way: `stages[].steps` along `stages.1.x` is `stages.1.steps`. */
export function alongPath(pattern: string, path: readonly PropertyKey[]): string {
  const indices = path.filter(isIndex)
  return patternOf(path).startsWith(pattern.slice(0, pattern.lastIndexOf('[]') + 2))
    ? pattern.replaceAll('[]', () => `.${String(indices.shift())}`)
    : pattern
}

function isIndex(part: PropertyKey): boolean {
  return typeof part === 'number' || /^\d+$/.test(String(part))
}

/** The sentence of a type, or of the one that it makes optional. */
function describedAs(type: z.ZodType): string {
  const { innerType } = type.def as { innerType?: z.ZodType }
  return type.description ?? (innerType ? describedAs(innerType) : '')
}

/** The objects inside defaults, optionals, lists and unions. */
function innerObjects(type: z.ZodType, at: string): { object: z.ZodObject; at: string }[] {
  const definition = type.def as { type: string; innerType?: z.ZodType; element?: z.ZodType; options?: z.ZodType[] }
  if (definition.type === 'object') return [{ object: type as z.ZodObject, at }]
  if (definition.type === 'array' && definition.element) return innerObjects(definition.element, `${at}[]`)
  if (definition.options) return definition.options.flatMap((option) => innerObjects(option, at))
  return definition.innerType ? innerObjects(definition.innerType, at) : []
}
