import type { ModelShape, TensorSource } from '../native/contract.ts'
import { NativeError } from '../native/errors.ts'

/**
 * Compares a folder's tensors with what its config asks for, before any weight is allocated: a config of 10,000 layers
 * costs nothing where the file has two.
 *
 * @param config the file that asks for them
 * @throws NativeError FILE naming the tensor, and both shapes and the file where it is there
 */
export function checkTensors(
  dir: string,
  expected: Iterable<[name: string, shape: number[]]>,
  tensors: readonly TensorSource[],
  config = 'config.json',
): void {
  const found = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  for (const [name, shape] of expected) {
    const tensor = found.get(name)
    if (!tensor) throw new NativeError('FILE', `tensor ${name} is missing from ${dir}; ${config} asks for it`)
    if (tensor.shape.length !== shape.length || tensor.shape.some((extent, axis) => extent !== shape[axis]))
      throw new NativeError(
        'FILE',
        `tensor ${name} in ${tensor.path} has shape ${text(tensor.shape)}; ${config} asks for ${text(shape)}`,
      )
  }
}

/** Every tensor of a checkpoint of this shape, as `Policy.parameterShapes` lists them, one layer at a time. */
export function* expectedTensors(shape: ModelShape): Generator<[name: string, shape: number[]]> {
  const { vocabSize, hiddenSize: hidden, intermediateSize: intermediate, headDim } = shape
  const queries = shape.headCount * headDim
  const keys = shape.keyValueHeadCount * headDim
  yield ['model.embed_tokens.weight', [vocabSize, hidden]]
  for (let layer = 0; layer < shape.layerCount; layer++) {
    const prefix = `model.layers.${layer}.`
    yield* linear(`${prefix}self_attn.q_proj`, [queries, hidden], shape.qkvBias)
    yield* linear(`${prefix}self_attn.k_proj`, [keys, hidden], shape.qkvBias)
    yield* linear(`${prefix}self_attn.v_proj`, [keys, hidden], shape.qkvBias)
    if (shape.qkNorm) {
      yield [`${prefix}self_attn.q_norm.weight`, [headDim]]
      yield [`${prefix}self_attn.k_norm.weight`, [headDim]]
    }
    yield* linear(`${prefix}self_attn.o_proj`, [hidden, queries], shape.outputBias)
    yield* linear(`${prefix}mlp.gate_proj`, [intermediate, hidden], shape.mlpBias)
    yield* linear(`${prefix}mlp.up_proj`, [intermediate, hidden], shape.mlpBias)
    yield* linear(`${prefix}mlp.down_proj`, [hidden, intermediate], shape.mlpBias)
    yield [`${prefix}input_layernorm.weight`, [hidden]]
    yield [`${prefix}post_attention_layernorm.weight`, [hidden]]
  }
  yield ['model.norm.weight', [hidden]]
  if (!shape.tieWordEmbeddings) yield ['lm_head.weight', [vocabSize, hidden]]
}

function* linear(name: string, weight: [number, number], bias: boolean): Generator<[string, number[]]> {
  yield [`${name}.weight`, weight]
  if (bias) yield [`${name}.bias`, [weight[0]]]
}

function text(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}
