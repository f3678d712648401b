import test, { type ExecutionContext } from 'ava'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { modelShape } from '../../src/policy/model-config.ts'
import { cacheBytes } from '../../src/rollout/kv-cache.ts'
import { runSizes } from '../../src/train/run-sizes.ts'
import { smallCache } from '../../src/train/small-cache.ts'
import { minimal, workspace } from './config-fixtures.ts'

async function config(t: ExecutionContext, text: string) {
  const { file } = await workspace(t, minimal + text)
  return loadTrainConfig({ file })
}

const shape = modelShape({
  ...{ model_type: 'qwen2', vocab_size: 100, hidden_size: 64, intermediate_size: 128, num_hidden_layers: 3 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, rms_norm_eps: 1e-6 },
})

test('a reference policy counts from the first stage that needs it, not for an adapter', async (t) => {
  const stages = 'stages: [{}, { klCoefficient: 0.1 }, {}, { klCoefficient: 0.1 }]\n'
  const references = (text: string) => config(t, text).then((run) => runSizes(run).map(({ reference }) => reference))
  t.deepEqual(await references(stages), [false, true, true, true])
  const first = 'klCoefficient: 0.1\nstages: [{ klCoefficient: 0 }, {}, { klCoefficient: 0 }]\n'
  t.deepEqual(await references(first), [false, true, true])
  t.deepEqual(await references('stages: [{}, {}]\n'), [false, false])
  t.deepEqual(await references(`${stages}lora: { rank: 4 }\n`), [false, false, false, false])
})

test('keys and values of a sequence lie in whole blocks of 16', (t) => {
  // 3 layers, 2 heads of 16, keys and values
  t.is(cacheBytes(shape, 'float32', 1), 2 * 16 * 3 * 32 * 4)
  t.is(cacheBytes(shape, 'float32', 16), 2 * 16 * 3 * 32 * 4)
  t.is(cacheBytes(shape, 'bfloat16', 17), 2 * 32 * 3 * 32 * 2)
})

test('a cache that is too small for one sequence is found in the stage or evaluation that needs most', async (t) => {
  const small = async (text: string) => smallCache(await config(t, `maxPromptLength: 20\n${text}`), shape)
  const bytes = (tokens: number) => cacheBytes(shape, 'float32', tokens)
  // The last token of a response is not cached: 20 + 13 - 1 are two blocks.
  t.is(await small(`maxResponseLength: 13\nkvCacheBytes: ${bytes(32)}\n`), undefined)
  t.deepEqual(await small(`maxResponseLength: 13\nkvCacheBytes: ${bytes(32) - 1}\n`), {
    ...{ where: 'the run', kvCacheBytes: bytes(32) - 1, needed: bytes(32) },
  })
  t.deepEqual(await small(`maxResponseLength: 14\nkvCacheBytes: ${bytes(32)}\n`), {
    ...{ where: 'the run', kvCacheBytes: bytes(32), needed: bytes(48) },
  })
  t.is(await small('maxResponseLength: 9999\n'), undefined)
  const stages = 'stages: [{ maxResponseLength: 99 }, { maxResponseLength: 199 }, { kvCacheBytes: 0 }]\n'
  t.like(await small(`maxResponseLength: 8\nkvCacheBytes: 5\n${stages}`), { where: 'stage 2', needed: bytes(218) })
  const evaluation = 'evaluation: { data: rows.jsonl, maxResponseLength: 300 }\n'
  t.like(await small(`maxResponseLength: 8\nkvCacheBytes: ${bytes(27)}\n${evaluation}`), { where: 'the evaluation' })
  t.is(await small(`maxResponseLength: 14\nkvCacheBytes: ${bytes(32)}\ndtype: bfloat16\n`), undefined)
})
