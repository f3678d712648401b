import type { NativeTrace } from './contract.ts'
import { callError } from './errors.ts'
import { loadAddon } from './load.ts'

/** Records what the torch thread does from now on. One recording a process: another start forgets what there was. */
export async function startNativeTrace(): Promise<void> {
  await loadAddon().startTrace().catch(rethrow)
}

/** Ends the recording, once the calls already made are done. */
export async function stopNativeTrace(): Promise<NativeTrace> {
  return loadAddon().stopTrace().catch(rethrow)
}

function rethrow(error: unknown): never {
  throw callError(error)
}
