import test, { type ExecutionContext } from 'ava'
import { loadAddon, withoutCuda } from '../../src/native/load.ts'
import { predictMemory } from '../../src/policy/memory.ts'
import { modelShape } from '../../src/policy/model-config.ts'
import { qwen3 } from '../reference/device-shape.ts'

const { cudaAvailable, libtorch } = loadAddon().versions()
const absent = cudaAvailable ? undefined : (withoutCuda() ?? `libtorch ${libtorch} sees no CUDA device here`)

function skipped(t: ExecutionContext): boolean {
  if (absent === undefined) return false
  t.log(`not tested: ${absent}`)
  t.pass()
  return true
}

// First in its process: as a run does, before the allocator of the device has given anything.
test.serial('what a run on CUDA takes is predicted before there is anything on the device', (t) => {
  if (skipped(t)) return
  const { free, activations } = predictMemory(modelShape(qwen3), {
    ...{ device: 'cuda', dtype: 'bfloat16', gradientDtype: 'float32', reference: false },
    ...{ sequenceRows: 100, sequenceResponses: 50, microBatchRows: 400, microBatchResponses: 200 },
    ...{ activationBytes: 0, activationCheckpointing: false, batchSize: 4, cachedTokens: 400, kvCacheBytes: 0 },
  })
  t.true(free > 2 ** 30, `${free} bytes free`)
  t.true(activations > 0)
})
