import { type Expression, number, times } from './expression.ts'
import { Unreadable } from './limits.ts'
import { rational } from './rational.ts'

export type Quantity = Extract<Expression, { kind: 'quantity' }>

/** What of one kind is told in parts, and how many of the least each is; in the spelling of a unit without its plural. */
const FAMILIES: Record<string, bigint>[] = [
  {
    ...{ week: 604_800n, day: 86_400n, hour: 3600n, hr: 3600n, hrs: 3600n, h: 3600n },
    ...{ minute: 60n, min: 60n, second: 1n, sec: 1n, s: 1n },
  },
  { year: 12n, month: 1n },
  { mile: 5280n * 12n, yard: 36n, foot: 12n, feet: 12n, ft: 12n, inch: 1n, inche: 1n, in: 1n },
  { kilometer: 1_000_000n, km: 1_000_000n, meter: 1000n, m: 1000n, centimeter: 10n, cm: 10n, millimeter: 1n, mm: 1n },
  { pound: 16n, lb: 16n, lbs: 16n, ounce: 1n, oz: 1n },
  { kilogram: 1000n, kg: 1000n, gram: 1n, g: 1n },
  { liter: 1000n, litre: 1000n, l: 1000n, milliliter: 1n, ml: 1n },
  { dollar: 100n, cent: 1n },
]

const familyOf = (unit: string) => FAMILIES.find((family) => Object.hasOwn(family, unit))

export function isQuantity(node: Expression): node is Quantity {
  return node.kind === 'quantity'
}

/** `hr` and `hours`, `lb` and `pounds` are one unit. */
export function isSameUnit(a: string, b: string): boolean {
  const family = familyOf(a)
  return a === b || (family !== undefined && Object.hasOwn(family, b) && family[a] === family[b])
}

/** Whether a smaller unit may follow: `3 hours 30 minutes`. */
export function hasParts(unit: string): boolean {
  return familyOf(unit) !== undefined
}

/** Whether quantities are the parts of one: each of the same kind and smaller than the one before. */
export function isCompound(parts: readonly Quantity[]): boolean {
  const family = familyOf(parts[0]!.unit)
  if (!family || parts.length < 2) return false
  return parts.every(({ unit, value }, i) => {
    const [size, before] = [family[unit], i === 0 ? undefined : family[parts[i - 1]!.unit]]
    return value.kind === 'number' && size !== undefined && (before === undefined || size < before)
  })
}

/** `3 hours 30 minutes` as 3.5 hours. @throws Unreadable where these are no parts of one quantity */
export function compound(parts: readonly Quantity[]): Quantity {
  if (!isCompound(parts)) throw new Unreadable('a number after a unit')
  const { unit } = parts[0]!
  const family = familyOf(unit)!
  const terms = parts.map(({ value, unit: own }) => times(value, number(rational(family[own]!, family[unit]!))))
  return { kind: 'quantity', value: { kind: 'sum', terms }, unit }
}
