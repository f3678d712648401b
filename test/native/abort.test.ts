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
    const { outcome, latency } = await abortAfter(20, (signal) => call(policy, signal))
    t.is(outcome, reason)
    t.true(latency < 2000, `it took ${latency} ms to stop`)
    // The policy is as usable as before.
    t.is((await policy.generate(prompt(), { maxNewTokens: 1 }))[0]!.completions.length, 1)
  })

  test.serial(`${name} rejects at once where the signal is aborted already`, async (t) => {
    using policy = await Policy.create(slowConfig)
    // It does not wait for what the policy is at.
    const controller = new AbortController()
    const ends: string[] = []
    const busy = call(policy, controller.signal).catch(() => ends.push('busy'))
    t.is(await call(policy, AbortSignal.abort(reason)).catch((error: unknown) => error), reason)
    ends.push('aborted')
    controller.abort()
    await busy
    t.deepEqual(ends, ['aborted', 'busy'])
    const withoutReason = await call(policy, AbortSignal.abort()).catch((error: unknown) => error)
    t.is((withoutReason as DOMException).name, 'AbortError')
  })
}

test.serial('abort stops generation within a token', async (t) => {
  // large enough that a token takes milliseconds, of which there are 100,000 to go
  using policy = await Policy.create(config({ hidden: 512, layers: 8 }), { seed: 1 })
  const latencies: number[] = []
  for (let attempt = 0; attempt < 5; attempt++) {
    const controller = new AbortController()
    const reports: { tokens: number; at: number }[] = []
    const call = policy.generate(prompt(), {
      maxNewTokens: 100_000,
      signal: controller.signal,
      onProgress: ({ tokens }) => {
        reports.push({ tokens, at: performance.now() })
        if (reports.length === 3) controller.abort(reason)
      },
    })
    t.is(await call.catch((error: unknown) => error), reason)
    const stopped = performance.now()
    const [first, last] = [reports[0]!, reports[2]!]
    latencies.push((stopped - last.at) / ((last.at - first.at) / (last.tokens - first.tokens)))
  }
  // in tokens as fast as they were drawn before; the median, since other processes delay one attempt or another
  const median = latencies.toSorted((x, y) => x - y)[2]!
  t.true(median < 5, `it took ${median} tokens to stop`)
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
