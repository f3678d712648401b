import { setMaxListeners } from 'node:events'
import type { RewardFunction, RewardSample, Verdict, Verifier } from './verifier.ts'

/** A user's reward function as a verifier: what it returns is checked, what it throws is named. */
export class FunctionVerifier implements Verifier {
  readonly name: string
  readonly #reward: RewardFunction

  constructor(name: string, reward: RewardFunction) {
    this.name = name
    this.#reward = reward
  }

  async verify(sample: RewardSample, signal?: AbortSignal): Promise<Verdict> {
    signal?.throwIfAborted()
    let result: unknown
    try {
      result = await raceAbort(this.#reward(sample), signal)
    } catch (error) {
      signal?.throwIfAborted()
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`reward function ${this.name} threw on prompt ${sample.prompt.id}: ${message}`, { cause: error })
    }
    return this.#verdict(result, sample)
  }

  #verdict(result: unknown, { prompt }: RewardSample): Verdict {
    if (typeof result === 'boolean') return { reward: result ? 1 : 0, correct: result }
    if (typeof result === 'number') {
      this.#checkFinite(result, 'returned', prompt.id)
      return { reward: result, correct: result >= 1 }
    }
    if (result === null || typeof result !== 'object') {
      throw new TypeError(
        `reward function ${this.name} returned ${describe(result)} on prompt ${prompt.id}: ` +
          'return a number, true or false, or { reward, correct }',
      )
    }
    const { reward, correct, extracted, reason, outcome } = result as Partial<Verdict>
    this.#checkFinite(reward, 'returned reward', prompt.id)
    if (typeof correct !== 'boolean') {
      throw new TypeError(
        `reward function ${this.name} returned correct ${describe(correct)} on prompt ${prompt.id}: it must be true or false`,
      )
    }
    return {
      reward: reward as number,
      correct,
      ...(extracted === undefined ? {} : { extracted: String(extracted) }),
      ...(reason === undefined ? {} : { reason: String(reason) }),
      ...(outcome === undefined ? {} : { outcome: String(outcome) }),
    }
  }

  #checkFinite(reward: unknown, what: string, promptId: string): void {
    if (typeof reward === 'number' && Number.isFinite(reward)) return
    throw new TypeError(
      `reward function ${this.name} ${what} ${describe(reward)} on prompt ${promptId}: a reward must be a finite number; ` +
        'return 0 where there is nothing to grade',
    )
  }
}

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

/** The function itself cannot be stopped, but the caller need not wait for it. */
async function raceAbort<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal || !(value instanceof Promise)) return value
  // A listener a response that is waited for, each removed below: any number of them is no leak.
  setMaxListeners(0, signal)
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([value, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
