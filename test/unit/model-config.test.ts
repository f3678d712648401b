import test, { type ExecutionContext } from 'ava'
import { NativeError } from '../../src/native/errors.ts'
import { type ModelConfig, modelShape, namedConfig } from '../../src/policy/model-config.ts'
import { inverseFrequencies } from '../../src/policy/rope.ts'

const base: ModelConfig = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 512,
}
const shape = (changes: ModelConfig = {}) => modelShape({ ...base, ...changes })
const llama3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
}

test('what config.json leaves out is what transformers assumes', (t) => {
  const { inverseFrequencies: frequencies, ...rest } = shape()
  t.deepEqual(rest, {
    vocabSize: 100,
    hiddenSize: 64,
    intermediateSize: 128,
    layerCount: 2,
    headCount: 4,
    keyValueHeadCount: 4,
    headDim: 16,
    rmsNormEpsilon: 1e-6,
    tieWordEmbeddings: false,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    qkNorm: false,
    initializerRange: 0.02,
  })
  t.deepEqual(frequencies, inverseFrequencies(10_000, 16))
  t.is(modelShape({ ...base, architectures: ['Qwen3ForCausalLM'] }).headDim, 128)
  t.is(modelShape({ ...base, architectures: undefined, model_type: 'qwen2' }).qkvBias, true)
})

test('biases and norms by family', (t) => {
  const flags = (architecture: string, changes: ModelConfig = {}) => {
    const { qkvBias, outputBias, mlpBias, qkNorm } = shape({ architectures: [architecture], ...changes })
    return [qkvBias, outputBias, mlpBias, qkNorm]
  }
  t.deepEqual(flags('Qwen2ForCausalLM'), [true, false, false, false])
  t.deepEqual(flags('Qwen3ForCausalLM'), [false, false, false, true])
  t.deepEqual(flags('Qwen3ForCausalLM', { attention_bias: true }), [true, true, false, true])
  t.deepEqual(flags('LlamaForCausalLM', { attention_bias: true, mlp_bias: true }), [true, true, true, false])
})

test('Llama 3 scaling agrees with transformers to the bit, in all three spellings', (t) => {
  // _compute_llama3_parameters of transformers 5.17: head_dim 64, theta 500000, Llama 3.2 1B.
  const scaling = { ...llama3, factor: 32, original_max_position_embeddings: 8192 }
  const { rope_type: type, ...numbers } = scaling
  const large = { hidden_size: 2048, num_attention_heads: 32, max_position_embeddings: 131_072 }
  const forms = [
    { rope_parameters: { ...scaling, rope_theta: 500_000 } },
    { rope_theta: 500_000, rope_scaling: scaling },
    { rope_theta: 500_000, rope_scaling: { ...numbers, type } },
  ]
  for (const form of forms) {
    const { inverseFrequencies: frequencies } = shape({ ...large, ...form })
    t.deepEqual(
      [0, 8, 16, 20, 31].map((index) => frequencies[index]),
      [1, 0.03760603070259094, 0.000429556705057621, 8.570255886297673e-6, 9.418306490260875e-8],
    )
  }
  const fallback = shape({
    rope_parameters: { ...llama3, original_max_position_embeddings: undefined },
    max_position_embeddings: 64,
  })
  t.deepEqual(fallback.inverseFrequencies, shape({ rope_parameters: llama3 }).inverseFrequencies)
})

test('a sliding window that no layer uses is no obstacle', (t) => {
  const qwen2 = { architectures: ['Qwen2ForCausalLM'], sliding_window: 4096 }
  t.notThrows(() => shape({ ...qwen2, use_sliding_window: false, max_window_layers: 1 }))
  t.notThrows(() => shape({ ...qwen2, use_sliding_window: true, max_window_layers: 2 }))
  t.notThrows(() => shape({ ...qwen2, layer_types: ['full_attention', 'full_attention'] }))
})

const refusals: [ModelConfig, NativeError['code'], ...string[]][] = [
  [
    { architectures: ['GemmaForCausalLM'] },
    'UNSUPPORTED',
    'architectures',
    '"GemmaForCausalLM"',
    'Qwen2ForCausalLM, Qwen3ForCausalLM, LlamaForCausalLM',
  ],
  [{ architectures: undefined, model_type: 'gpt2' }, 'UNSUPPORTED', 'model_type', '"gpt2"', 'qwen2, qwen3, llama'],
  [{ architectures: [7] }, 'UNSUPPORTED', 'architectures', '7'],
  [{ hidden_act: 'gelu' }, 'UNSUPPORTED', 'hidden_act', '"gelu"', 'silu'],
  [{ quantization_config: { bits: 4 } }, 'UNSUPPORTED', 'quantization_config', 'bfloat16'],
  [{ use_sliding_window: true, max_window_layers: 1 }, 'UNSUPPORTED', 'use_sliding_window', 'full attention'],
  [{ layer_types: ['full_attention', 'sliding_attention'] }, 'UNSUPPORTED', 'layer_types', '"sliding_attention"'],
  [{ rope_scaling: { type: 'linear', factor: 2 } }, 'UNSUPPORTED', 'rope_scaling.type', '"linear"', 'default, llama3'],
  [{ rope_parameters: { rope_type: 'yarn', factor: 2 } }, 'UNSUPPORTED', 'rope_parameters.rope_type', '"yarn"'],
  [{ partial_rotary_factor: 0.5 }, 'UNSUPPORTED', 'partial_rotary_factor', '0.5'],
  [{ rope_parameters: { ...llama3, factor: undefined } }, 'INVALID_ARGUMENT', 'rope_parameters.factor', 'missing'],
  [{ rope_parameters: { ...llama3, low_freq_factor: 4 } }, 'INVALID_ARGUMENT', 'high_freq_factor', '4'],
  [{ rope_parameters: 'default' }, 'INVALID_ARGUMENT', 'rope_parameters', '"default"', 'object'],
  [{ rope_theta: -1 }, 'INVALID_ARGUMENT', 'rope_theta', '-1'],
  [{ vocab_size: undefined }, 'INVALID_ARGUMENT', 'vocab_size', 'missing'],
  [{ vocab_size: 1.5 }, 'INVALID_ARGUMENT', 'vocab_size', '1.5'],
  [{ hidden_size: '64' }, 'INVALID_ARGUMENT', 'hidden_size', '"64"'],
  [{ hidden_size: 66 }, 'INVALID_ARGUMENT', 'hidden_size', '66', 'num_attention_heads, 4'],
  [{ num_hidden_layers: 0 }, 'INVALID_ARGUMENT', 'num_hidden_layers', '0'],
  [{ num_hidden_layers: 2 ** 31 }, 'INVALID_ARGUMENT', 'num_hidden_layers', '2147483648'],
  [{ num_hidden_layers: 20_000 }, 'INVALID_ARGUMENT', 'num_hidden_layers', '20000', 'from 1 to 10000'],
  [{ vocab_size: 2 ** 30 }, 'INVALID_ARGUMENT', 'vocab_size', '1073741824', 'from 1 to 10000000'],
  [{ head_dim: 2e7 }, 'INVALID_ARGUMENT', 'head_dim', '20000000', 'from 1 to 1024'],
  [{ hidden_size: 8192 }, 'INVALID_ARGUMENT', 'hidden_size', '8192', 'head_dim', '2048', '1024'],
  [{ num_key_value_heads: 3 }, 'INVALID_ARGUMENT', 'num_key_value_heads', '3', 'num_attention_heads, 4'],
  [{ head_dim: 15 }, 'INVALID_ARGUMENT', 'head_dim', '15', 'even'],
  [{ rms_norm_eps: 0 }, 'INVALID_ARGUMENT', 'rms_norm_eps', '0'],
  [{ tie_word_embeddings: 'yes' }, 'INVALID_ARGUMENT', 'tie_word_embeddings', '"yes"'],
]
for (const [changes, code, ...parts] of refusals) {
  test(`refuses ${JSON.stringify(changes)}${Object.keys(changes).join()}`, (t: ExecutionContext) => {
    const error = t.throws(() => modelShape({ ...base, ...changes }, 'models/x/config.json'), {
      instanceOf: NativeError,
    })!
    t.is(error.code, code)
    for (const part of ['models/x/config.json: ', ...parts])
      t.true(error.message.includes(part), `"${error.message}" lacks "${part}"`)
  })
}

test('fields called as JavaScript calls things are fields like any other', (t) => {
  const hostile = JSON.parse(
    JSON.stringify(base).replace('{', '{"__proto__":{"head_dim":32,"vocab_size":7},"constructor":1,'),
  )
  t.is(modelShape(hostile).headDim, 16)
  t.is(modelShape(hostile).vocabSize, 100)
})

test('namedConfig says which model it is and keeps the rest', (t) => {
  t.deepEqual(namedConfig({ model_type: 'qwen3', other: 1 }), {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    other: 1,
  })
})
