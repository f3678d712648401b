import test from 'ava'
import { loadAddon, withoutCuda } from '../../src/native/load.ts'
import { decodeRuns } from '../reference/decode-run.ts'

const { cudaAvailable, libtorch } = loadAddon().versions()
const absent = cudaAvailable ? undefined : (withoutCuda() ?? `libtorch ${libtorch} sees no CUDA device here`)

// The first two steps of a size are queued kernel by kernel, the others are replayed from a graph.
test('decode steps on CUDA, most of them from graphs, draw what the CPU draws', async (t) => {
  t.timeout(1_200_000)
  if (absent !== undefined) {
    t.log(`not tested: ${absent}`)
    return t.pass()
  }
  const [cpu, cuda] = [await decodeRuns('cpu'), await decodeRuns('cuda')]
  for (const [name, expected] of Object.entries(cpu)) {
    const actual = cuda[name]!
    t.log(`${name}: ${JSON.stringify(actual.spans)}`)
    t.deepEqual(actual.tokens, expected.tokens, name)
    for (const key of ['logprobs', 'entropies'] as const)
      for (const [i, values] of expected[key].entries())
        for (const [at, value] of values.entries())
          t.true(Math.abs(actual[key][i]![at]! - value) <= 1e-4, `${name}: ${key} ${i}, token ${at}`)
    t.deepEqual(
      Object.keys(actual.spans).filter((span) => span.startsWith('not captured')),
      [],
    )
    t.true((actual.spans.replay ?? 0) > actual.spans.decode! / 2, `${name}: ${actual.spans.replay} replays`)
  }
})
