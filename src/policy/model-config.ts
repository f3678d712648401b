import type { ModelShape } from '../native/contract.ts'
import { describe, NativeError } from '../native/errors.ts'
import { inverseFrequencies, type Llama3Scaling } from './rope.ts'

/** The content of a Hugging Face config.json, of transformers 5 (`rope_parameters`) or before (`rope_theta`). */
export type ModelConfig = Record<string, unknown>

interface Family {
  architecture: string
  modelType: string
  /** What transformers assumes where config.json says nothing. */
  defaultHeadDim?: number
}

const families: readonly Family[] = [
  { architecture: 'Qwen2ForCausalLM', modelType: 'qwen2' },
  { architecture: 'Qwen3ForCausalLM', modelType: 'qwen3', defaultHeadDim: 128 },
  { architecture: 'LlamaForCausalLM', modelType: 'llama' },
]

/**
 * The shape of the decoder that a config describes.
 *
 * @param where what error messages call the config: its path
 * @throws NativeError UNSUPPORTED or INVALID_ARGUMENT, naming the field, its value and what is supported
 */
export function modelShape(config: ModelConfig, where = 'config.json'): ModelShape {
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new NativeError('INVALID_ARGUMENT', `${where} must be a JSON object, got ${describe(config)}`)
  const fields = new ConfigFields(config, where)
  const family = familyOf(fields)
  refuseUnsupported(fields)

  const hiddenSize = fields.count('hidden_size')
  const headCount = fields.count('num_attention_heads')
  const keyValueHeadCount = fields.count('num_key_value_heads', headCount)
  const layerCount = fields.count('num_hidden_layers')
  refuseSlidingWindow(fields, layerCount)
  if (headCount % keyValueHeadCount !== 0)
    fields.invalid('num_key_value_heads', `it must divide num_attention_heads, ${headCount}`)
  const headDim = headDimOf(fields, family, hiddenSize, headCount)
  const attentionBias = fields.flag('attention_bias', false)
  const isQwen2 = family.modelType === 'qwen2'

  return {
    vocabSize: fields.count('vocab_size'),
    hiddenSize,
    intermediateSize: fields.count('intermediate_size'),
    layerCount,
    headCount,
    keyValueHeadCount,
    headDim,
    rmsNormEpsilon: fields.positive('rms_norm_eps', 1e-6),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', false),
    qkvBias: isQwen2 || attentionBias,
    outputBias: !isQwen2 && attentionBias,
    mlpBias: family.modelType === 'llama' && fields.flag('mlp_bias', false),
    qkNorm: family.modelType === 'qwen3',
    inverseFrequencies: frequenciesOf(fields, headDim),
    initializerRange: fields.positive('initializer_range', 0.02),
  }
}

/** `config` with the fields that say which model it is, as transformers writes them. */
export function namedConfig(config: ModelConfig): ModelConfig {
  const { architecture, modelType } = familyOf(new ConfigFields(config, 'config'))
  return { ...config, architectures: [architecture], model_type: modelType }
}

function familyOf(fields: ConfigFields): Family {
  const { architectures, model_type: modelType } = fields.values
  const named = Array.isArray(architectures) && architectures.length > 0
  const family = named
    ? families.find(({ architecture }) => architecture === architectures[0])
    : families.find((candidate) => candidate.modelType === modelType)
  if (family) return family
  const [field, value] = named ? ['architectures', architectures[0]] : ['model_type', modelType]
  const supported = families.map((candidate) => (named ? candidate.architecture : candidate.modelType)).join(', ')
  throw new NativeError(
    'UNSUPPORTED',
    `${fields.where}: ${field} is ${describe(value)}, an unsupported architecture; supported: ${supported}`,
  )
}

function refuseUnsupported(fields: ConfigFields): void {
  const { hidden_act: activation, quantization_config: quantization } = fields.values
  if (activation !== undefined && activation !== 'silu') fields.unsupported('hidden_act', 'silu')
  if (quantization !== undefined && quantization !== null)
    fields.unsupported('quantization_config', 'weights in float32, float16 or bfloat16')
}

function refuseSlidingWindow(fields: ConfigFields, layerCount: number): void {
  const {
    layer_types: types,
    use_sliding_window: used,
    sliding_window: window,
    max_window_layers: from,
  } = fields.values
  const full = 'full attention in every layer (use_sliding_window: false)'
  if (Array.isArray(types)) {
    const other = types.find((type) => type !== 'full_attention')
    if (other !== undefined)
      throw new NativeError('UNSUPPORTED', `${fields.where}: layer_types has ${describe(other)}; supported: ${full}`)
  } else if (used === true && window !== null && !(typeof from === 'number' && from >= layerCount)) {
    fields.unsupported('use_sliding_window', full)
  }
}

function headDimOf(fields: ConfigFields, family: Family, hiddenSize: number, headCount: number): number {
  const { head_dim: given } = fields.values
  const derived = hiddenSize / headCount
  if (given === undefined || given === null) {
    if (given === undefined && family.defaultHeadDim !== undefined) return family.defaultHeadDim
    if (!Number.isInteger(derived))
      fields.invalid(
        'hidden_size',
        `it must be a multiple of num_attention_heads, ${headCount}, where head_dim is absent`,
      )
    if (derived > limits.head_dim!)
      fields.invalid('hidden_size', `head_dim, which is absent, would be ${derived}; at most ${limits.head_dim}`)
  }
  const headDim = fields.count('head_dim', derived)
  if (headDim % 2 !== 0)
    throw new NativeError('INVALID_ARGUMENT', `${fields.where}: head_dim is ${headDim}; it must be even`)
  return headDim
}

function frequenciesOf(fields: ConfigFields, headDim: number): Float64Array {
  const name = fields.isPresent('rope_parameters') ? 'rope_parameters' : 'rope_scaling'
  const rope = fields.object(name)
  const theta = rope.isPresent('rope_theta') ? rope.positive('rope_theta') : fields.positive('rope_theta', 10_000)
  const partial = (rope.isPresent('partial_rotary_factor') ? rope : fields).positive('partial_rotary_factor', 1)
  if (partial !== 1) {
    throw new NativeError(
      'UNSUPPORTED',
      `${fields.where}: partial_rotary_factor is ${partial}; supported: 1, the rotation of the whole head`,
    )
  }
  const typeField = rope.isPresent('rope_type') ? 'rope_type' : 'type'
  const type = rope.values[typeField] ?? 'default'
  if (type === 'default') return inverseFrequencies(theta, headDim)
  if (type !== 'llama3') rope.unsupported(typeField, 'default, llama3')
  return inverseFrequencies(theta, headDim, llama3Scaling(rope, fields))
}

function llama3Scaling(rope: ConfigFields, fields: ConfigFields): Llama3Scaling {
  const context = 'original_max_position_embeddings'
  const scaling = {
    factor: rope.positive('factor'),
    lowFrequencyFactor: rope.positive('low_freq_factor'),
    highFrequencyFactor: rope.positive('high_freq_factor'),
    originalMaxPositionEmbeddings: rope.isPresent(context)
      ? rope.count(context)
      : fields.count('max_position_embeddings'),
  }
  if (scaling.highFrequencyFactor <= scaling.lowFrequencyFactor)
    rope.invalid('high_freq_factor', `it must be above low_freq_factor, ${scaling.lowFrequencyFactor}`)
  return scaling
}

/** Far beyond every model there is: more is a mistake or an attack, and would cost time and memory before it failed. */
const limits: Readonly<Record<string, number>> = {
  num_hidden_layers: 10_000,
  vocab_size: 10_000_000,
  hidden_size: 1_000_000,
  intermediate_size: 10_000_000,
  num_attention_heads: 10_000,
  num_key_value_heads: 10_000,
  head_dim: 1024,
}

/** Checked access to the fields of one object of a config. */
class ConfigFields {
  readonly values: Record<string, unknown>
  readonly where: string
  readonly #prefix: string

  constructor(values: Record<string, unknown>, where: string, prefix = '') {
    // A copy without a prototype: a field called `constructor` or `__proto__` is a field like any other.
    this.values = Object.assign(Object.create(null), values)
    this.where = where
    this.#prefix = prefix
  }

  isPresent(name: string): boolean {
    return this.values[name] !== undefined && this.values[name] !== null
  }

  /** A whole number, at least 1 and at most its limit. */
  count(name: string, fallback?: number): number {
    const value = this.isPresent(name) ? this.values[name] : fallback
    const most = limits[name] ?? 2 ** 31 - 1
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most)
      this.invalid(name, `it must be a whole number from 1 to ${most}`)
    return value
  }

  /** A finite number above 0. */
  positive(name: string, fallback?: number): number {
    const value = this.isPresent(name) ? this.values[name] : fallback
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
      this.invalid(name, 'it must be a finite number above 0')
    return value
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.isPresent(name) ? this.values[name] : fallback
    if (typeof value !== 'boolean') this.invalid(name, 'it must be true or false')
    return value
  }

  /** An object; empty where it is absent. */
  object(name: string): ConfigFields {
    const value = this.values[name] ?? {}
    if (typeof value !== 'object' || Array.isArray(value)) this.invalid(name, 'it must be an object')
    return new ConfigFields(value as Record<string, unknown>, this.where, `${this.#prefix}${name}.`)
  }

  invalid(name: string, rule: string): never {
    const value = this.values[name]
    const what = value === undefined ? 'is missing' : `is ${describe(value)}`
    throw new NativeError('INVALID_ARGUMENT', `${this.where}: ${this.#prefix}${name} ${what}; ${rule}`)
  }

  unsupported(name: string, supported: string): never {
    const value = describe(this.values[name])
    throw new NativeError('UNSUPPORTED', `${this.where}: ${this.#prefix}${name} is ${value}; supported: ${supported}`)
  }
}
