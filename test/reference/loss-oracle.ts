import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { LossOptions, Policy } from '../../src/index.ts'
import type { StepStats } from '../../src/policy/policy.ts'
import { norm } from './compare.ts'

/** What autograd says of one loss; of each gradient the norm and the inner products with cos(i) and sin(2 i). */
export interface LossResult {
  /** Tokens that count. */
  tokens: number
  figures: Record<Figure, number>
  gradients: Record<string, [number, number, number]>
}

type Figure = (typeof figures)[number]

const figures = [
  ...(['loss', 'policyLoss', 'entropy', 'entropySampled', 'kl', 'approxKl', 'gradNorm'] as const),
  ...(['clipFraction', 'clipFractionLow', 'clipFractionHigh'] as const),
]

interface Oracle {
  batch: {
    sequences: number[][]
    promptLengths: number[]
    advantages: number[]
    old: number[][]
    reference: number[][]
    sampler: number[][]
    mask: number[][]
  }
  losses: ({ uses: string; options: LossOptions } & LossResult)[]
  step: {
    prompt: number[]
    responses: number[][]
    sampledLogprobs: number[][]
    rewards: number[]
    truncated: boolean[]
  }[]
  updates: ({ settings: Settings; advantages: number[][] } & LossResult)[]
}

/** Keys of a step, and the entropy coefficient that a controller would give. */
export type Settings = { entropyCoefficient?: number; reuse: number } & Record<string, unknown>

/** The model that loss-oracle.py computes with. */
export const oracleModel = fileURLToPath(new URL('../golden/qwen2-tied', import.meta.url))

/** test/golden/loss-oracle.json */
export function loadLossOracle(): Oracle {
  return JSON.parse(readFileSync(new URL('../golden/loss-oracle.json', import.meta.url), 'utf8'))
}

/** Holds the figures, and the policy's gradients as they are now, against the oracle's, to 1e-4 relative. */
export async function closeToOracle(
  t: ExecutionContext,
  stats: StepStats,
  policy: Policy,
  expected: LossResult,
  what: string,
): Promise<void> {
  const bound = 1e-4
  t.is(stats.tokens, expected.tokens, what)
  for (const name of figures) {
    const [actual, value] = [stats[name], expected.figures[name]]
    t.true(
      Math.abs(actual - value) <= bound * Math.max(Math.abs(value), 1e-2),
      `${what}: ${name} ${actual}, not ${value}`,
    )
  }
  for (const [name, [size, cosines, sines]] of Object.entries(expected.gradients)) {
    const gradient = await policy.gradient(name)
    const against = (direction: (i: number) => number) =>
      gradient.reduce((sum, value, i) => sum + value * direction(i), 0)
    const actual = [norm(gradient), against(Math.cos), against((i) => Math.sin(2 * i))]
    // A gradient that is zero but for rounding has no relative error of its own.
    for (const [index, value] of [size, cosines, sines].entries())
      t.true(
        Math.abs(actual[index]! - value) <= bound * Math.max(size, 1e-3 * expected.figures.gradNorm),
        `${what}: gradient of ${name}: ${actual}, not ${[size, cosines, sines]}`,
      )
  }
}
