import test from 'ava'
import { ModelFlops } from '../../src/metrics/model-flops.ts'
import { performanceMetrics } from '../../src/metrics/performance-metrics.ts'
import { Stopwatch } from '../../src/metrics/stopwatch.ts'
import { modelShape } from '../../src/policy/model-config.ts'
import { RolloutCounts } from '../../src/rollout/rollout-counts.ts'
import { group, stats } from './fixtures.ts'

/** 2 layers of width 8, 2 heads and 1 key-value head of 4, MLP of 16, vocabulary of 10. */
const shape = modelShape(
  {
    ...{ model_type: 'llama', vocab_size: 10, hidden_size: 8, intermediate_size: 16, num_hidden_layers: 2 },
    ...{ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 4, rms_norm_eps: 1e-6, rope_theta: 10000 },
    ...{ tie_word_embeddings: true, max_position_embeddings: 64 },
  },
  'config',
)

// By hand: q 8x8, k and v 8x4 each, o 8x8, gate and up 8x16 each, down 16x8.
const layer = 64 + 32 + 32 + 64 + 128 + 128 + 128
const head = 80

test('one response, counted by hand', (t) => {
  // Prompt of 3, response of 2: rows 0 to 3 go through the layers and see 1, 2, 3 and 4 keys; rows 2 and 3 predict.
  const sequences = { promptLength: 3, responseLengths: [2] }
  const attention = 2 * (1 + 2 + 3 + 4) * 2 * (2 * 2 * 4)
  const forward = 2 * 4 * 2 * layer + attention + 2 * 2 * head
  const flops = new ModelFlops(shape)
  t.is(flops.rollout(sequences), forward)
  t.is(flops.update(sequences), 3 * forward)
})

test('a prompt is computed once for all its responses', (t) => {
  // Rows of the prompt see 1, 2, 3 keys; those of the first response 4 and 5, of the second none, of the third 4.
  const sequences = { promptLength: 3, responseLengths: [3, 1, 2] }
  const attention = 2 * (1 + 2 + 3 + 4 + 5 + 4) * 2 * (2 * 2 * 4)
  const layers = 2 * 6 * 2 * layer
  const flops = new ModelFlops(shape)
  t.is(flops.rollout(sequences), layers + attention + 2 * head * (1 + 2 + 0 + 1))
  t.is(flops.update(sequences), 3 * (layers + attention + 2 * head * 6))
  t.is(flops.update({ promptLength: 3, responseLengths: [] }), 0)
})

test('with an adapter the frozen weights have no gradient', (t) => {
  const sequences = { promptLength: 3, responseLengths: [2] }
  const attention = 2 * (1 + 2 + 3 + 4) * 2 * (2 * 2 * 4)
  // q 8x8 and down 16x8 of rank 2.
  const adapter = 2 * (2 * (8 + 8) + 2 * (16 + 8))
  const flops = new ModelFlops(shape, { rank: 2, alpha: 4, targetModules: ['q_proj', 'down_proj'] })
  t.is(flops.rollout(sequences), 2 * 4 * (2 * layer + adapter) + attention + 2 * 2 * head)
  t.is(flops.update(sequences), 2 * 4 * (2 * 2 * layer + 3 * adapter) + 3 * attention + 2 * 2 * 2 * head)
})

test('utilisation and tokens a second', async (t) => {
  const flops = new ModelFlops(shape)
  const clock = new Stopwatch()
  for (const phase of ['rollout', 'update'])
    await clock.time(phase, () => new Promise((resolve) => setTimeout(resolve, 20)))
  const groups = [group({ prompt: [1, 2, 3], responses: [[1, 2], [3]], advantages: [1, -1] })]
  const trained = [{ promptLength: 3, responseLengths: [2, 1] }]
  const metrics = performanceMetrics(clock, {
    ...{ groups, trained, flops, peakFlops: 1e6, counts: new RolloutCounts() },
    updates: [stats({ seconds: 0.25, peakMemoryBytes: 7 }), stats({ seconds: 0.25, peakMemoryBytes: 9 })],
  })
  t.is(metrics['perf/mfu'], flops.update(trained[0]!) / 0.5e6)
  t.is(metrics['perf/mfu_rollout'], flops.rollout(trained[0]!) / (clock.seconds('rollout') * 1e6))
  t.is(metrics['perf/tokens_per_second_update'], 9 / 0.5)
  t.is(metrics['perf/tokens_per_second_rollout'], 3 / clock.seconds('rollout'))
  t.is(metrics['perf/tokens_per_second'], 9 / (clock.seconds('rollout') + clock.seconds('update')))
  t.is(metrics['perf/peak_memory_bytes'], 9)
})
