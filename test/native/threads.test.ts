import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { Policy } from '../../src/index.ts'
import { batch, config, prompt, slowBatch, slowConfig } from './tiny.ts'

const tokens = Int32Array.of(1, 2, 3)
/** 71 MB of weights: twenty of them are 1.4 GB. */
const big = config({ hidden: 512, layers: 4, vocab: 16_384 })

function startWorker(endless: boolean): Worker {
  // Registers the TypeScript loader itself: with Node 20 a worker does not inherit it.
  const url = new URL('./policy-worker.ts', import.meta.url)
  const script = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(url)}, ${JSON.stringify(import.meta.url)}))`
  return new Worker(script, { eval: true, workerData: { endless } })
}

test.serial('the event loop stays free during a training step', async (t) => {
  using policy = await Policy.create(slowConfig)
  const given = slowBatch()
  await policy.trainStep(given)
  const late: number[] = []
  let due = performance.now() + 10
  let waited = waitedForProcessor()
  const timer = setInterval(() => {
    const waitedNow = waitedForProcessor()
    late.push(performance.now() - due - (waitedNow - waited))
    due = performance.now() + 10
    waited = waitedNow
  }, 10)
  const { seconds } = await policy.trainStep(given)
  clearInterval(timer)
  t.true(seconds > 0.1, `the step took only ${seconds} s`)
  t.true(late.length >= 5, `the timer fired ${late.length} times in ${seconds} s`)
  // Where the step ran on this thread, a timer would be late by all of it.
  t.true(Math.max(...late) < 500 * seconds, `a timer was ${Math.max(...late)} ms late in a step of ${seconds} s`)
})

/** Milliseconds that this thread was ready to run but other processes had the processors; 0 where it is not known. */
function waitedForProcessor(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

test.serial('two policies in one process learn as each does alone', async (t) => {
  const alone = async (seed: number) => {
    using policy = await Policy.create(config(), { seed })
    const losses = []
    for (let step = 0; step < 3; step++) losses.push((await policy.trainStep(batch(), { learningRate: 1e-2 })).loss)
    return { losses, logits: await policy.logits(tokens) }
  }
  const [first, second] = [await alone(1), await alone(2)]
  t.deepEqual(await Promise.all([alone(1), alone(2)]), [first, second])
})

test.serial('policies in worker threads compute the same, at the same time', async (t) => {
  using policy = await Policy.create(config(), { seed: 5 })
  const { loss } = await policy.trainStep(batch(), { learningRate: 1e-2 })
  const expected = { loss, logits: await policy.logits(tokens) }
  const workers = [startWorker(false), startWorker(false)]
  const exits = workers.map((worker) => once(worker, 'exit'))
  const results = await Promise.all(workers.map((worker) => once(worker, 'message')))
  t.deepEqual(results, [[expected], [expected]])
  t.deepEqual(await Promise.all(exits), [[0], [0]])
})

test.serial('a worker terminated in the middle of its work stops that and disturbs nobody', async (t) => {
  using policy = await Policy.create(config())
  const before = await policy.logits(tokens)
  for (let round = 0; round < 3; round++) {
    const worker = startWorker(true)
    t.deepEqual(await once(worker, 'message'), ['running'])
    const queued = policy.logits(tokens)
    await worker.terminate()
    t.deepEqual(await queued, before)
  }
})

test.serial('dispose lets accepted work finish and refuses later calls', async (t) => {
  const policy = await Policy.create(slowConfig)
  const running = policy.trainStep(slowBatch(), { maxTokensPerMicroBatch: 1024 })
  const queued = policy.logits(tokens)
  t.false(policy.disposed)
  policy.dispose()
  t.true(policy.disposed)
  t.is((await running).skipped, false)
  t.is((await queued).length, 2048)
  const message = 'the policy is disposed: no call is possible after dispose()'
  const later: Record<string, () => Promise<unknown>> = {
    score: () => policy.score({ tokenIds: tokens, offsets: Int32Array.of(0, 3), promptLengths: Int32Array.of(1) }),
    generate: () => policy.generate(prompt(), { maxNewTokens: 1 }),
    computeGradients: () => policy.computeGradients(batch()),
    trainStep: () => policy.trainStep(batch()),
    logits: () => policy.logits(tokens),
    parameter: () => policy.parameter('model.norm.weight'),
    gradient: () => policy.gradient('model.norm.weight'),
    save: () => policy.save('never-written'),
    saveOptimizer: () => policy.saveOptimizer('never-written'),
  }
  for (const [name, call] of Object.entries(later)) {
    const error = await t.throwsAsync(call, { name: 'NativeError', message }, name)
    t.is((error as Error & { code?: string }).code, 'DISPOSED', name)
  }
  t.throws(() => policy.parameterShapes(), { name: 'NativeError', message })
})

test.serial('dispose twice, and by using', async (t) => {
  let kept: Policy
  {
    using policy = await Policy.create(config())
    kept = policy
    policy.dispose()
    t.notThrows(() => policy.dispose())
  }
  t.true(kept.disposed)
})

test.serial('disposed policies give their memory back', async (t) => {
  const round = async () => {
    const policy = await Policy.create(big)
    await policy.logits(tokens)
    policy.dispose()
  }
  for (let count = 0; count < 5; count++) await round()
  const before = process.memoryUsage().rss
  for (let count = 0; count < 20; count++) await round()
  const grown = process.memoryUsage().rss - before
  t.true(grown < 300e6, `resident memory grew by ${Math.round(grown / 1e6)} MB`)
})

test.serial('policies that nobody holds are collected, because V8 knows their size', async (t) => {
  let collected = 0
  const registry = new FinalizationRegistry(() => collected++)
  const before = process.memoryUsage().rss
  for (let count = 0; count < 20; count++) {
    registry.register(await Policy.create(big), undefined)
    await sleep(1)
  }
  const grown = process.memoryUsage().rss - before
  t.true(collected >= 5, `${collected} of 20 were collected`)
  t.true(grown < 1000e6, `resident memory grew by ${Math.round(grown / 1e6)} MB`)
})

/** Runs a script in a process of its own that has a policy. */
const runChild = (script: string) =>
  promisify(execFile)(
    process.execPath,
    [
      '--import=tsx',
      '--input-type=module',
      '-e',
      `import { Policy } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url))}
      import { slowConfig, slowBatch, prompt } from ${JSON.stringify(new URL('./tiny.ts', import.meta.url))}
      const policy = await Policy.create(slowConfig)
      ${script}`,
    ],
    { timeout: 60_000 },
  )

/** Three calls that would take hours, one of them running. */
const endlessWork = `
  for (let call = 0; call < 3; call++) policy.generate(prompt(8), { maxNewTokens: 1_000_000 })
  await new Promise((resolve) => setTimeout(resolve, 200))`

test.serial('process.exit with work under way ends the process with its own code', async (t) => {
  const error = await t.throwsAsync(runChild(`${endlessWork}; process.exit(7)`))
  t.like(error, { code: 7, signal: null })
})

test.serial('process.exit in the middle of a long micro-batch ends the process with its own code', async (t) => {
  const script = `policy.trainStep(slowBatch()); setTimeout(() => process.exit(8), 100)`
  t.like(await t.throwsAsync(runChild(script)), { code: 8, signal: null })
})

test.serial('an uncaught error with work under way ends the process as any other does', async (t) => {
  const error = await t.throwsAsync(runChild(`${endlessWork}; throw new Error('an error of its own')`))
  t.like(error, { code: 1, signal: null })
  t.regex((error as Error & { stderr?: string }).stderr ?? '', /an error of its own/)
})

test.serial('a promise under way keeps the process alive, an idle policy does not', async (t) => {
  const { stdout } = await runChild(
    `policy.trainStep(slowBatch()).then(({ skipped }) => console.log('settled', skipped))`,
  )
  t.is(stdout, 'settled false\n')
})
