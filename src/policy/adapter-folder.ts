import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readTensors } from '../checkpoint/safetensors.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import type { ModelShape, NativeLora } from '../native/contract.ts'
import { describe, NativeError } from '../native/errors.ts'
import { checkTensors } from './check-tensors.ts'
import { adapterTensors, isTargetModules, type Lora, loraRules, sortedTargets } from './lora.ts'
import { readJson } from './read-json.ts'

const configFile = 'adapter_config.json'
const weightsFile = 'adapter_model.safetensors'

/** Settings of PEFT that change what an adapter computes, and the values at which they do not. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  bias: ['none'],
  fan_in_fan_out: [false],
  lora_bias: [false],
  use_dora: [false],
  use_rslora: [false],
  use_qalora: [false],
}
/** Settings that must be absent, null or empty. */
const absent = [
  'exclude_modules',
  'layers_to_transform',
  'layer_replication',
  'rank_pattern',
  'alpha_pattern',
  'modules_to_save',
  'target_parameters',
  'trainable_token_indices',
  'alora_invocation_tokens',
  'use_bdlora',
]

/**
 * Reads a PEFT folder, adapter_config.json and adapter_model.safetensors, for a model of this shape.
 *
 * @throws NativeError FILE, INVALID_ARGUMENT or UNSUPPORTED, naming the file, the field or tensor and its value
 */
export async function readAdapter(dir: string, shape: ModelShape): Promise<NativeLora> {
  const lora = await readAdapterConfig(join(dir, configFile))
  const tensors = readTensors(join(dir, weightsFile))
  const expected = [...adapterTensors(shape, lora)]
  checkTensors(dir, expected, tensors, configFile)
  const names = new Set(expected.map(([name]) => name))
  const other = tensors.find(({ name }) => !names.has(name))
  if (other)
    throw new NativeError(
      'UNSUPPORTED',
      `${other.path}: tensor ${describe(other.name)} is none of the adapter's; supported: lora_A and lora_B of ${lora.targetModules.join(', ')}`,
    )
  return { ...lora, seed: 0n, tensors }
}

async function readAdapterConfig(path: string): Promise<Lora> {
  const config = { ...((await readJson(path, 'give a PEFT adapter folder')) as Record<string, unknown>) }
  const refuse = (code: 'INVALID_ARGUMENT' | 'UNSUPPORTED', field: string, expected: string): never => {
    throw new NativeError(code, `${path}: ${field} is ${describe(config[field])}; ${expected}`)
  }
  if (config.peft_type !== 'LORA') refuse('UNSUPPORTED', 'peft_type', 'supported: LORA')
  for (const [field, values] of Object.entries(neutral))
    if (config[field] !== undefined && config[field] !== null && !values.includes(config[field]))
      refuse('UNSUPPORTED', field, `supported: ${values.join(', ')}`)
  for (const field of absent) if (!isEmpty(config[field])) refuse('UNSUPPORTED', field, 'supported: none')
  const { r, lora_alpha: alpha, target_modules: targets } = config
  if (!loraRules.rank.test(r)) refuse('INVALID_ARGUMENT', 'r', `it must be ${loraRules.rank.expected}`)
  if (!loraRules.alpha.test(alpha)) refuse('INVALID_ARGUMENT', 'lora_alpha', `it must be ${loraRules.alpha.expected}`)
  if (targets !== 'all-linear' && !isTargetModules(targets))
    return refuse('UNSUPPORTED', 'target_modules', `supported: ${loraRules.targetModules.expected}`)
  return { rank: r as number, alpha: alpha as number, targetModules: sortedTargets(targets) }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}

/**
 * Writes a folder that PEFT loads; adapter_config.json comes last. `write` is called before the first await: the
 * weights are those of the moment of the call.
 *
 * @param base the folder of the model that the adapter is for
 */
export async function writeAdapter(
  dir: string,
  lora: Lora,
  base: string | undefined,
  write: (path: string) => Promise<void>,
): Promise<void> {
  try {
    mkdirSync(dir, { recursive: true })
    await write(join(dir, weightsFile))
    await writeAtomic(join(dir, configFile), `${JSON.stringify(adapterConfig(lora, base), null, 2)}\n`)
  } catch (error) {
    if (error instanceof NativeError || (error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new NativeError('FILE', `cannot save to ${dir}: ${(error as Error).message}`)
  }
}

function adapterConfig({ rank, alpha, targetModules }: Lora, base: string | undefined) {
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: base ?? null,
    r: rank,
    lora_alpha: alpha,
    target_modules: targetModules,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    inference_mode: true,
  }
}
