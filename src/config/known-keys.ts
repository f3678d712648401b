import type { z } from 'zod'

/** One key of a schema: its dotted path and its sentence. */
export interface KnownKey {
  path: string
  description: string
}

/** Every key of an object schema, nested ones with dotted paths, in the order of the schema. */
export function knownKeys(schema: z.ZodObject, prefix = ''): KnownKey[] {
  return Object.entries(schema.shape).flatMap(([key, child]) => {
    const type = child as z.ZodType
    const path = prefix + key
    const nested = innerObject(type)
    const own = { path, description: type.description ?? '' }
    return nested ? [own, ...knownKeys(nested, `${path}.`)] : [own]
  })
}

/** The object inside defaults and optionals, where there is one. */
function innerObject(type: z.ZodType): z.ZodObject | undefined {
  const definition = type.def as { type: string; innerType?: z.ZodType }
  if (definition.type === 'object') return type as z.ZodObject
  return definition.innerType ? innerObject(definition.innerType) : undefined
}
