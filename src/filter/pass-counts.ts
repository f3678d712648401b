import type { Prompt } from '../data/prompt.ts'
import type { LocalEngine, SamplingOptions } from '../rollout/local-engine.ts'
import { isTruncated, type Sampled } from '../rollout/rollout.ts'
import { verifyGroup } from '../train/grade.ts'
import type { Verifier } from '../verify/verifier.ts'

/** How often a model solved a prompt. */
export interface PassCount {
  /** Of the prompt. */
  id: string
  /** Responses sampled. */
  samples: number
  correct: number
  /** Responses that reached the limit without a stop token. */
  truncated: number
  /** Tokens of all responses. */
  tokens: number
}

export interface PassCountOptions {
  sampling: SamplingOptions
  seed: number
  /** Ids that are counted already. */
  counted: ReadonlySet<string>
  /** Called as counts come in, some prompts at a time, in the order of the prompts. */
  onCounts: (counts: PassCount[]) => Promise<void>
  signal?: AbortSignal | undefined
  onProgress?: ((progress: { tokens: number }) => void) | undefined
}

// Keeps these random streams apart from those of evaluation (0) and training steps (1, 2, ...) of the same seed.
const stream = 2 ** 32

/**
 * Counts how often a model solves each prompt that is not counted yet. The prompts of one native call are the same
 * whatever was counted before, and each response has a random stream of its own: an interrupted count that goes on
 * finds what an uninterrupted one would have found. A truncated response is graded as any other.
 */
export async function countPasses(
  engine: LocalEngine,
  verifier: Pick<Verifier, 'verify'>,
  prompts: readonly Prompt[],
  { sampling, seed, counted, onCounts, signal, onProgress }: PassCountOptions,
): Promise<void> {
  // Enough for rows that finish early to be followed by others, and little to lose.
  const perCall = Math.max(1, Math.ceil((2 * sampling.maxBatchSize) / sampling.samples))
  let grading: Promise<void> = Promise.resolve()
  const grade = async (sampled: readonly Sampled[]) =>
    onCounts(await Promise.all(sampled.map((group) => passCount(group, verifier, signal))))
  try {
    for (let start = 0; start < prompts.length; start += perCall) {
      const batch = prompts.slice(start, start + perCall)
      if (batch.every(({ id }) => counted.has(id))) continue
      const sampled = await engine.rollout(batch, sampling, { seeds: [seed, stream, start], signal, onProgress })
      // One batch is graded while the next is sampled.
      await grading
      grading = grade(sampled)
      grading.catch(() => {})
    }
  } finally {
    await grading
  }
}

async function passCount(
  sampled: Sampled,
  verifier: Pick<Verifier, 'verify'>,
  signal: AbortSignal | undefined,
): Promise<PassCount> {
  const verdicts = await verifyGroup(sampled, verifier, 'graded', signal)
  const { prompt, rollouts } = sampled
  return {
    id: prompt.id,
    samples: rollouts.length,
    correct: verdicts.filter(({ correct }) => correct).length,
    truncated: rollouts.filter(isTruncated).length,
    tokens: rollouts.reduce((sum, { completionTokenIds }) => sum + completionTokenIds.length, 0),
  }
}
