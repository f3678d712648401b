import { updatesPerStep } from '../train/update.ts'
import type { Stage } from './resolve-stages.ts'
import type { StageTransition } from './stage-scheduler.ts'

/** A stage on one line: `stage 2/3: 100 steps of 64 x 16 responses of up to 1024 tokens, N_SGD 1 (on-policy)`. */
export function describeStage(stage: Stage, number: number, count: number): string {
  const { steps, until, promptsPerStep, groupSize, maxResponseLength } = stage
  const updates = updatesPerStep(stage)
  return [
    `${count > 1 ? `stage ${number}/${count}: ` : ''}${until ? 'up to ' : ''}${steps} steps of ${promptsPerStep} x ${groupSize} responses`,
    ` of up to ${maxResponseLength} tokens, N_SGD ${updates} (${updates === 1 ? 'on-policy' : 'off-policy'})`,
  ].join('')
}

/** What changed between two stages, on one line. */
export function describeTransition({ stage, step, reason, dropped, prompts, ...resets }: StageTransition): string {
  const why = { steps: 'is over', converged: 'has converged', epochs: 'has used up its prompts' }[reason]
  return [
    `stage ${stage} begins with step ${step}: stage ${stage - 1} ${why}`,
    ...(dropped > 0 ? [`${dropped} prompts that were always solved are left out`] : []),
    `${prompts} prompts`,
    ...(resets.resetOptimizer ? ['new optimizer'] : []),
    ...(resets.resetController ? ['new controller'] : []),
  ].join(', ')
}
