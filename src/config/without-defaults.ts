import { z } from 'zod'

type Deep<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: Deep<T[K]> | undefined } : T

/** The shape with every key optional and no default, at any depth: what overrides settings that are complete. */
export function withoutDefaults<S extends z.ZodRawShape>(
  shape: S,
): { [K in keyof S]: z.ZodOptional<z.ZodType<Deep<z.output<S[K]>>, Deep<z.input<S[K]>>>> } {
  const bare = Object.entries(shape).map(([key, type]) => [key, strip(type as z.ZodType).optional()])
  return Object.fromEntries(bare)
}

function strip(type: z.ZodType): z.ZodType {
  const { description } = type
  const bare = innermost(type)
  const stripped = bare instanceof z.ZodObject ? z.strictObject(withoutDefaults(bare.shape)) : bare
  return description === undefined ? stripped : stripped.describe(description)
}

function innermost(type: z.ZodType): z.ZodType {
  const { type: kind, innerType } = type.def as { type: string; innerType?: z.ZodType }
  return innerType && ['default', 'prefault', 'optional'].includes(kind) ? innermost(innerType) : type
}
