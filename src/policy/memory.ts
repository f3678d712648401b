import type { ModelShape, NativeLora } from '../native/contract.ts'
import { loadAddon } from '../native/load.ts'
import type { NativeMemoryPrediction, NativeRunSizes } from '../native/memory-contract.ts'
import { type LoraOptions, newLora } from './lora.ts'

/** Bytes that a run takes, by what they are for. */
export type MemoryPrediction = NativeMemoryPrediction

/** A run at its largest. */
export type RunSizes = Omit<NativeRunSizes, 'lora'> & { lora?: LoraOptions | undefined }

/**
 * What a run takes, from the shape of its model alone, by the native core's own account of what it keeps: nothing is
 * loaded or allocated.
 *
 * @throws NativeError where the addon or libtorch is missing
 */
export function predictMemory(shape: ModelShape, { lora, ...sizes }: RunSizes): MemoryPrediction {
  const adapter: { lora?: NativeLora } = lora ? { lora: newLora('lora', lora) } : {}
  return loadAddon().predictMemory(shape, { ...sizes, ...adapter })
}
