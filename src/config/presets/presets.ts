import { or17b } from './or1-7b.ts'
import { or132b } from './or1-32b.ts'
import { or1Math7b } from './or1-math-7b.ts'
import type { Preset } from './preset.ts'

/** The published recipes by name (Skywork-OR1, section 3 and its training code). */
export const presets = {
  'or1-math-7b-paper': or1Math7b.paper,
  'or1-math-7b-release': or1Math7b.release,
  'or1-7b-paper': or17b.paper,
  'or1-7b-release': or17b.release,
  'or1-32b-paper': or132b.paper,
  'or1-32b-release': or132b.release,
} as const satisfies Record<string, Preset>

export type PresetName = keyof typeof presets

export const presetNames = Object.keys(presets) as PresetName[]

/** Whether a value, as read from YAML, is the name of a preset. */
export function isPresetName(value: unknown): value is PresetName {
  return typeof value === 'string' && Object.hasOwn(presets, value)
}
