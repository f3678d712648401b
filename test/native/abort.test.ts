import test from 'ava'
import { Policy } from '../../src/index.ts'
import { batch, config, prompt, slowBatch, slowConfig } from './tiny.ts'

const reason = new Error('the user pressed Ctrl-C')

/** A signal that is aborted after some milliseconds, and how long after that the promise rejected. */
async function abortAfter(milliseconds: number, call: (signal: AbortSignal) => Promise<unknown>) {
  const controller = new AbortController()
  let abortedAt = 0
  setTimeout(() => {
    abortedAt = performance.now()
    controller.abort(reason)
  }, milliseconds)
  const outcome = await call(controller.signal).then(
    () => 'resolved',
    (error: unknown) => error,
  )
  return { outcome, latency: performance.now() - abortedAt }
}

const calls: Record<string, (policy: Policy, signal: AbortSignal) => Promise<unknown>> = {
  generate: (policy, signal) => policy.generate(prompt(8), { maxNewTokens: 100_000, signal }),
  score: (policy, signal) => {
    const { advantages: _, ...given } = slowBatch()
    return policy.score(given, { signal, maxTokensPerMicroBatch: 128 })
  },
  computeGradients: (policy, signal) => policy.computeGradients(slowBatch(), { signal, maxTokensPerMicroBatch: 128 }),
  trainStep: (policy, signal) => policy.trainStep(slowBatch(), { signal, maxTokensPerMicroBatch: 128 }),
}

for (const [name, call] of Object.entries(calls)) {
  test.serial(`${name} stops on abort and rejects with the signal's reason`, async (t) => {
    using policy = await Policy.create(slowConfig)
    const { outcome, latency } = await abortAfter(100, (signal) => call(policy, signal))
    t.is(outcome, reason)
    t.true(latency < 2000, `it took ${latency} ms to stop`)
    // The policy is as usable as before.
    t.is((await policy.generate(prompt(), { maxNewTokens: 1 }))[0]!.completions.length, 1)
  })

  test.serial(`${name} rejects at once where the signal is aborted already`, async (t) => {
    using policy = await Policy.create(slowConfig)
    const start = performance.now()
    t.is(await call(policy, AbortSignal.abort(reason)).catch((error: unknown) => error), reason)
    t.true(performance.now() - start < 50)
    const withoutReason = await call(policy, AbortSignal.abort()).catch((error: unknown) => error)
    t.is((withoutReason as DOMException).name, 'AbortError')
  })
}

test.serial('abort stops generation within a token', async (t) => {
  using policy = await Policy.create(config(), { seed: 1 })
  const controller = new AbortController()
  let drawn = 0
  const call = policy.generate(prompt(), {
    maxNewTokens: 100_000,
    signal: controller.signal,
    onProgress: ({ tokens }) => {
      drawn = tokens
      controller.abort(reason)
    },
  })
  t.is(await call.catch((error: unknown) => error), reason)
  t.true(drawn >= 1 && drawn < 100_000)
})

test.serial('an aborted update changes nothing', async (t) => {
  using policy = await Policy.create(slowConfig)
  const names = policy.parameterShapes().map(({ name }) => name)
  const weights = () => Promise.all([names[0]!, names.at(-1)!].map((name) => policy.parameter(name)))
  const before = await weights()
  const { outcome } = await abortAfter(50, (signal) =>
    policy.trainStep(slowBatch(), { learningRate: 1, signal, maxTokensPerMicroBatch: 128 }),
  )
  t.is(outcome, reason)
  t.deepEqual(await weights(), before)
})

test.serial('a call that waits for its turn never starts once it is aborted', async (t) => {
  using policy = await Policy.create(slowConfig)
  const first = policy.score({ ...withoutAdvantages(slowBatch()) })
  const controller = new AbortController()
  const second = policy.generate(prompt(), { maxNewTokens: 100_000, signal: controller.signal })
  controller.abort(reason)
  t.is(await second.catch((error: unknown) => error), reason)
  t.true((await first).logprobs.length > 0)
})

test.serial('an abort after the end is harmless', async (t) => {
  using policy = await Policy.create(config())
  const controller = new AbortController()
  await policy.trainStep(batch(), { signal: controller.signal })
  controller.abort(reason)
  t.pass()
})

test.serial('what onProgress throws stops the call and is its rejection', async (t) => {
  using policy = await Policy.create(config())
  const call = policy.generate(prompt(), {
    maxNewTokens: 100_000,
    onProgress: () => {
      throw reason
    },
  })
  t.is(await call.catch((error: unknown) => error), reason)
})

const withoutAdvantages = ({ tokenIds, offsets, promptLengths }: ReturnType<typeof batch>) => ({
  tokenIds,
  offsets,
  promptLengths,
})
