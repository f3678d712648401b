import type { ExecutionContext } from 'ava'
import { loadAddon, withoutCuda } from '../../src/native/load.ts'

const { cudaAvailable, libtorch } = loadAddon().versions()
const absent = cudaAvailable ? undefined : (withoutCuda() ?? `libtorch ${libtorch} sees no CUDA device here`)

/** Whether there is no CUDA device: the test passes, and says why it compared nothing. */
export function skipped(t: ExecutionContext): boolean {
  if (absent === undefined) return false
  t.log(`not tested: ${absent}`)
  t.pass()
  return true
}
