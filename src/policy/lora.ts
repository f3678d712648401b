import type { ModelShape, NativeLora, TargetModule } from '../native/contract.ts'
import { expectedTensors } from './check-tensors.ts'
import { integer, number, type Option, optional, resolveOptions, seed } from './options.ts'

/** The linear layers that can be adapted, by their names in Hugging Face models. */
export const targetModules = [
  'q_proj',
  'k_proj',
  'v_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'down_proj',
] as const satisfies TargetModule[]

/**
 * A low-rank adapter (LoRA, Hu et al. 2021): y = W x + (alpha / rank) B A x with A [rank, in] and B [out, rank]. Only A
 * and B are trained; what they adapt is frozen and needs neither gradients nor optimizer states.
 */
export interface LoraOptions {
  /** Rows of A, at least 1, default 16. */
  rank?: number | undefined
  /** Above 0, default 32. */
  alpha?: number | undefined
  /** What is adapted in every layer, default `all-linear`: all seven. */
  targetModules?: 'all-linear' | readonly TargetModule[] | undefined
  /** Of the random A (uniform in +-1 / sqrt(in), as PEFT draws it), default 0. B starts as zeros. */
  seed?: number | bigint | undefined
}

/** The adapter that a policy has. */
export type Lora = Readonly<Pick<NativeLora, 'rank' | 'alpha' | 'targetModules'>>

const targets = {
  fallback: 'all-linear' as 'all-linear' | readonly TargetModule[],
  test: (value) => value === 'all-linear' || isTargetModules(value),
  expected: `"all-linear" or an array of ${targetModules.join(', ')}`,
} satisfies Option<'all-linear' | readonly TargetModule[]>

export const loraRules = {
  rank: integer(16, 1),
  alpha: number(32, { above: 0 }),
  targetModules: targets,
  seed,
}

export const lora = optional(
  (value): value is LoraOptions => typeof value === 'object' && value !== null && !Array.isArray(value),
  'an object of rank, alpha, targetModules and seed',
)

export function loraOf({ rank, alpha, targetModules }: Lora): Lora {
  return { rank, alpha, targetModules }
}

/** What the native side needs for a new adapter. */
export function newLora(what: string, given: LoraOptions): NativeLora {
  const { targetModules, seed, ...sizes } = resolveOptions(what, given, loraRules)
  return { ...sizes, targetModules: sortedTargets(targetModules), seed: BigInt.asUintN(64, BigInt(seed)) }
}

export function isTargetModules(value: unknown): value is TargetModule[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => targetModules.includes(name))
}

/** What PEFT puts before the name of a module. */
export const adapterPrefix = 'base_model.model.'

/** In the order of the layers, whatever the order given. */
export function sortedTargets(given: 'all-linear' | readonly TargetModule[]): TargetModule[] {
  return targetModules.filter((name) => given === 'all-linear' || given.includes(name))
}

/** PEFT's names and the shapes of an adapter's tensors for a model of this shape. */
export function* adapterTensors(shape: ModelShape, { rank, targetModules }: Lora): Generator<[string, number[]]> {
  for (const [name, [rows, columns]] of expectedTensors(shape)) {
    const module = name.replace(/\.weight$/, '')
    if (module === name || !targetModules.some((target) => module.endsWith(`.${target}`))) continue
    yield [`${adapterPrefix}${module}.lora_A.weight`, [rank, columns!]]
    yield [`${adapterPrefix}${module}.lora_B.weight`, [rows!, rank]]
  }
}
