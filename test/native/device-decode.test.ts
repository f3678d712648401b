import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { buildEmulation, compiler } from '../reference/cuda-on-cpu/build.ts'
import { cases, type DecodeRun, decodeRuns } from '../reference/decode-run.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('../reference/decode-run.ts', import.meta.url))

/** Graphs that a case needs at least: a new one for each size that comes often, and after what they point to has moved. */
const captures: Record<string, number> = {
  'sequences end one by one': 4,
  'the cache moves between steps': 2,
  'a sequence passes a split': 2,
  preempted: 2,
}

/** Cases, of those named or all, in a process with the emulated kernels. */
async function emulatedRuns(env: Record<string, string> = {}, ...names: string[]): Promise<Record<string, DecodeRun>> {
  const { library } = await buildEmulation()
  const { stdout } = await run(process.execPath, ['--import=tsx', script, 'print', ...names], {
    env: { ...process.env, ...env, MAGIC_GRPO_KERNELS: library },
    maxBuffer: 1e9,
  })
  return JSON.parse(stdout) as Record<string, DecodeRun>
}

// Decode steps in padded sizes, at fixed addresses, replayed as a graph would be: the same as the CPU's own.
test('decode steps by the emulated CUDA kernels', async (t) => {
  t.timeout(1_200_000)
  if (!compiler) {
    t.log('not tested: no C++ compiler here')
    return t.pass()
  }
  const ours = await decodeRuns('cpu')
  const emulated = await emulatedRuns()
  for (const name of Object.keys(cases)) {
    const [actual, expected] = [emulated[name]!, ours[name]!]
    t.deepEqual(actual.tokens, expected.tokens, name)
    for (const key of ['logprobs', 'entropies'] as const)
      for (const [i, values] of expected[key].entries())
        for (const [at, value] of values.entries())
          t.true(Math.abs(actual[key][i]![at]! - value) <= 1e-5, `${name}: ${key} ${i}, token ${at}`)
    t.is(actual.preemptions, expected.preemptions)
    t.is(expected.spans.capture, undefined, 'the CPU itself has no graphs')
    t.true(actual.spans.capture! >= (captures[name] ?? 1), `${name}: ${actual.spans.capture} graphs`)
    t.true(actual.spans.replay! > actual.spans.decode! / 2, `${name}: ${actual.spans.replay} replays`)
  }
  t.true(emulated.preempted!.preemptions > 0)
  t.true(new Set(ours['sequences end one by one']!.tokens.map(({ length }) => length)).size > 5)
})

test('a decode step whose capture is refused goes on kernel by kernel, after three refusals every step', async (t) => {
  t.timeout(1_200_000)
  if (!compiler) {
    t.log('not tested: no C++ compiler here')
    return t.pass()
  }
  const name = 'greedy'
  const expected = (await decodeRuns('cpu', [name]))[name]!
  for (const [refusals, captured] of [
    [1, 1],
    [2, 1],
    [3, 0],
    [1000, 0],
  ] as const) {
    const actual = (await emulatedRuns({ CUDA_ON_CPU_REFUSALS: `${refusals}` }, name))[name]!
    t.deepEqual(actual.tokens, expected.tokens, `${refusals} refusals`)
    t.is(actual.spans['not captured: invalid argument'], Math.min(refusals, 3))
    t.is(actual.spans.capture, Math.min(refusals, 3) + captured)
    t.is((actual.spans.replay ?? 0) > 0, captured > 0, `${refusals} refusals, ${actual.spans.replay} replays`)
  }
})
