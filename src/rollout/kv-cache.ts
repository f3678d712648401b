import type { DType, ModelShape } from '../native/contract.ts'

/** Tokens whose keys and values lie in one block, as in native/rollout/block_manager.h. */
export const BLOCK_SLOTS = 16

/** Bytes of the whole blocks that hold the keys and values of so many tokens of one sequence, over all layers. */
export function cacheBytes(
  { layerCount, keyValueHeadCount, headDim }: Pick<ModelShape, 'layerCount' | 'keyValueHeadCount' | 'headDim'>,
  dtype: DType,
  tokens: number,
): number {
  const slots = Math.ceil(tokens / BLOCK_SLOTS) * BLOCK_SLOTS
  return 2 * slots * layerCount * keyValueHeadCount * headDim * (dtype === 'float32' ? 4 : 2)
}
