import { summariseGroups } from '../advantage/reject.ts'
import type { StepStats } from '../policy/policy.ts'
import { isTruncated, type Rollout, type RolloutGroup } from '../rollout/rollout.ts'
import type { Verdict } from '../verify/verifier.ts'
import { mean, share, spread, standardDeviation } from './statistics.ts'
import type { Stopwatch } from './stopwatch.ts'

/** One line of metrics.jsonl: `step` and numbers under the names that verl's users know. */
export type Metrics = { step: number } & Record<string, number>

/** The entropy of the actor over the trained tokens of a step, nats a token, by both estimators. */
export interface EntropyEstimates {
  /** Mean full-vocabulary entropy. */
  full: number
  /** -mean log-prob of the sampled tokens. */
  sampled: number
}

/** Weighted by tokens: each token of each rollout counts once. */
export function estimateEntropy(rollouts: readonly Rollout[]): EntropyEstimates {
  let full = 0
  let sampled = 0
  let tokens = 0
  for (const { entropy, sampledLogprobs } of rollouts) {
    for (let index = 0; index < entropy.length; index++) {
      full += entropy[index]!
      sampled -= sampledLogprobs[index]!
    }
    tokens += entropy.length
  }
  return tokens === 0 ? { full: 0, sampled: 0 } : { full: full / tokens, sampled: sampled / tokens }
}

/** What an update is told beside its groups, and the state that it came from. */
export interface UpdateRates {
  learningRate: number
  /** State of the controller when the step began. */
  coefficient: number
  /** alpha_k: 0 where the gate is closed, or nothing is trained. */
  entropyCoefficient: number
}

/** What a step did, as its metrics see it. */
export interface StepRecord {
  step: number
  /** from 1 */
  stage: number
  /** N_SGD, as the settings have it. */
  updatesPerStep: number
  groups: readonly RolloutGroup[]
  /** One an update; empty where every group was rejected. */
  updates: readonly StepStats[]
  entropy: EntropyEstimates
  rates: UpdateRates
}

/**
 * The metrics of a step, but its times. Those of the loss are means over the updates that were not skipped, weighted by
 * tokens, and 0 where there was none.
 */
export function stepMetrics(record: StepRecord): Metrics {
  const { groups, updates } = record
  const rollouts = groups.flatMap((group) => group.rollouts)
  const rewards = groups.flatMap((group) => group.rewards)
  const verdicts = groups.flatMap((group) => group.verdicts)
  const untruncated = verdicts.filter((_, index) => !isTruncated(rollouts[index]!))
  const applied = updates.filter((update) => !update.skipped)
  const tokens = applied.reduce((sum, update) => sum + update.tokens, 0)
  const weighted = (pick: (update: StepStats) => number) =>
    tokens === 0 ? 0 : applied.reduce((sum, update) => sum + pick(update) * update.tokens, 0) / tokens
  const summary = summariseGroups(
    groups.map(({ verdicts: own, advantages }) => ({ correct: own.map(({ correct }) => correct), advantages })),
  )

  return {
    step: record.step,
    stage: record.stage,
    'actor/loss': weighted((update) => update.loss),
    'actor/policy_loss': weighted((update) => update.policyLoss),
    'actor/entropy': record.entropy.full,
    'actor/entropy_sampled': record.entropy.sampled,
    'actor/entropy_coefficient': record.rates.coefficient,
    'actor/entropy_coefficient_applied': record.rates.entropyCoefficient,
    'actor/clip_fraction': weighted((update) => update.clipFraction),
    'actor/clip_fraction_low': weighted((update) => update.clipFractionLow),
    'actor/clip_fraction_high': weighted((update) => update.clipFractionHigh),
    'actor/approx_kl': weighted((update) => update.approxKl),
    'actor/kl': weighted((update) => update.kl),
    'actor/grad_norm': mean(applied.map((update) => update.gradNorm)),
    'actor/learning_rate': record.rates.learningRate,
    'actor/updates_per_step': record.updatesPerStep,
    'actor/updates': updates.length,
    'actor/updates_skipped': updates.length - applied.length,
    'reward/mean': mean(rewards),
    'reward/std': standardDeviation(rewards),
    ...prefixed('advantage', spread(groups.flatMap((group) => [...group.advantages]))),
    'group/solve_all': summary.solveAll,
    'group/solve_none': summary.solveNone,
    'group/kept': summary.kept,
    'group/all_rejected': summary.kept === 0 ? 1 : 0,
    ...prefixed('verify', outcomes(verdicts)),
    'rollout/prompts': groups.length,
    'rollout/tokens': rollouts.reduce((sum, { completionTokenIds }) => sum + completionTokenIds.length, 0),
    ...prefixed('response_length', spread(rollouts.map(({ completionTokenIds }) => completionTokenIds.length))),
    'response/truncated': share(rollouts, isTruncated),
    accuracy: share(verdicts, ({ correct }) => correct),
    accuracy_untruncated: share(untruncated, ({ correct }) => correct),
    'rollout/logprob_difference_mean': weighted((update) => update.logprobDifferenceMean),
    'rollout/logprob_difference_max': applied.reduce((max, update) => Math.max(max, update.logprobDifferenceMax), 0),
  }
}

/** What `stepMetrics` names. */
export const stepMetricNames: readonly string[] = Object.keys(
  stepMetrics({
    ...{ step: 0, stage: 1, updatesPerStep: 1, groups: [], updates: [], entropy: estimateEntropy([]) },
    rates: { coefficient: 0, entropyCoefficient: 0, learningRate: 0 },
  }),
)

/** Seconds of each phase and milliseconds a token. */
export function timingMetrics(clock: Stopwatch, groups: readonly RolloutGroup[]): Record<string, number> {
  const phases = ['rollout', 'verify', 'update', 'evaluate', 'checkpoint']
  const responseTokens = groups
    .flatMap(({ rollouts }) => rollouts)
    .reduce((sum, { completionTokenIds }) => sum + completionTokenIds.length, 0)
  const latencies = groups.flatMap(({ verifySeconds = [] }) => verifySeconds)
  const perToken = (phase: string) => (responseTokens === 0 ? 0 : (clock.seconds(phase) * 1000) / responseTokens)
  return {
    'timing_s/step': clock.total(),
    'timing_s/verify_response_mean': mean(latencies),
    'timing_s/verify_response_max': latencies.reduce((max, seconds) => Math.max(max, seconds), 0),
    ...Object.fromEntries(phases.map((phase) => [`timing_s/${phase}`, clock.seconds(phase)])),
    ...Object.fromEntries(
      ['rollout', 'verify', 'update'].map((phase) => [`timing_per_token_ms/${phase}`, perToken(phase)]),
    ),
  }
}

/** How many verdicts ended in what way: `correct`, `wrong`, and where that says more `no_answer`, `timeout` and so on; `shared` beside them. */
function outcomes(verdicts: readonly Verdict[]): Record<string, number> {
  const counts: Record<string, number> = { correct: 0, wrong: 0 }
  for (const { correct, outcome = 'wrong' } of verdicts) {
    const name = correct ? 'correct' : outcome.slice(0, 40).replace(/\W+/g, '_')
    counts[name] = (counts[name] ?? 0) + 1
  }
  const shared = verdicts.filter(({ isolation }) => isolation === 'shared').length
  if (shared > 0) counts.shared = shared
  return counts
}

function prefixed(area: string, values: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${area}/${name}`, value]))
}
