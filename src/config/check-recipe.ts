import type { z } from 'zod'
import { stepMetricNames } from '../metrics/step-metrics.ts'
import type { DType } from '../native/contract.ts'
import { merged, valueAt } from './merge.ts'
import { nearestKey } from './nearest-key.ts'
import type { RecipeConfig } from './recipe-schema.ts'

type Step = Omit<RecipeConfig, 'stages'>

/** Two settings that do not fit together: what each would have to be, beside the other. */
interface Clash {
  keys: readonly { path: readonly string[]; expected: string }[]
}

/** Settings that do not fit together, of the run or of each of its stages. */
export function checkRecipe(config: RecipeConfig, context: z.RefinementCtx): void {
  const told = new Set<string>()
  const tell = (path: readonly PropertyKey[], message: string) => {
    if (!told.has(path.join('.'))) context.addIssue({ code: 'custom', path: [...path], message })
    told.add(path.join('.'))
  }
  if (config.stages === undefined)
    for (const { keys } of clashes(config)) tell(keys[0]!.path, `expected ${keys[0]!.expected}`)
  for (const [index, { until }] of (config.stages ?? []).entries())
    if (until && !until.metric.startsWith('eval/') && !stepMetricNames.includes(until.metric))
      tell(['stages', index, 'until', 'metric'], `expected a name of metrics.jsonl${like(until.metric)}`)
  for (const [index, stage] of (config.stages ?? []).entries())
    for (const { keys } of clashes(merged<Step>(config, stage))) {
      // At the key that the stage itself sets, where there is one.
      const own = keys.find(({ path }) => valueAt(stage, path) !== undefined)
      if (own) tell(['stages', index, ...own.path], `expected ${own.expected}`)
      else tell(keys[0]!.path, `expected ${keys[0]!.expected} in stage ${index}`)
    }
}

interface GradientDtype {
  gradientDtype?: DType | undefined
}

/** Gradients are kept in bfloat16 only where that is what they are computed in. */
export function checkGradientDtype(
  run: { dtype: DType; stages?: readonly GradientDtype[] | undefined } & GradientDtype,
  context: z.RefinementCtx,
): void {
  if (run.dtype === 'bfloat16') return
  const settings = [run, ...(run.stages ?? [])]
  for (const [index, { gradientDtype }] of settings.entries()) {
    const path = index === 0 ? [] : ['stages', index - 1]
    if (gradientDtype === 'bfloat16')
      context.addIssue({
        code: 'custom',
        path: [...path, 'gradientDtype'],
        message: "expected 'float32', or dtype bfloat16 as well",
      })
  }
}

function like(metric: string): string {
  const nearest = nearestKey(metric, stepMetricNames)
  return nearest ? `, as '${nearest}'` : ', times aside'
}

function clashes(step: Step): Clash[] {
  const { promptsPerStep, promptsPerUpdate = promptsPerStep, reuse, maxResponseLength, truncation } = step
  const { refill, maxPrompts = promptsPerStep } = step.rejection
  const found: Clash[] = []
  const clash = (...keys: [key: string, expected: string][]) =>
    found.push({ keys: keys.map(([key, expected]) => ({ path: key.split('.'), expected })) })

  if (promptsPerStep % promptsPerUpdate !== 0)
    clash(
      ['promptsPerUpdate', `a divisor of promptsPerStep (${promptsPerStep})`],
      ['promptsPerStep', `a multiple of promptsPerUpdate (${promptsPerUpdate})`],
    )
  if (truncation.overlongBuffer > maxResponseLength)
    clash(
      ['truncation.overlongBuffer', `at most maxResponseLength (${maxResponseLength})`],
      ['maxResponseLength', `at least truncation.overlongBuffer (${truncation.overlongBuffer})`],
    )
  if (refill && maxPrompts < promptsPerStep)
    clash(
      ['rejection.maxPrompts', `at least promptsPerStep (${promptsPerStep})`],
      ['promptsPerStep', `at most rejection.maxPrompts (${maxPrompts})`],
    )
  const updates = (promptsPerStep / promptsPerUpdate) * reuse
  if (step.importanceSamplingCap > 0 && step.oldLogprobs === 'sampled' && updates > 1)
    clash(
      ['importanceSamplingCap', `0 (with oldLogprobs sampled and ${updates} updates a step its weight is always 1)`],
      ['oldLogprobs', `recomputed (with ${updates} updates a step importanceSamplingCap has no effect otherwise)`],
    )
  return found
}
