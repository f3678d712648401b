export type { Device, DType, ModelShape } from './native/contract.ts'
export { NativeError, type NativeErrorCode } from './native/errors.ts'
export type {
  CreateOptions,
  GenerateOptions,
  LossOptions,
  PolicyOptions,
  ScoreOptions,
  TrainStepOptions,
} from './policy/call-options.ts'
export type { ModelConfig } from './policy/model-config.ts'
export {
  type Batch,
  type Completion,
  type Generated,
  type GeneratePrompt,
  Policy,
  type Scores,
  type StepStats,
  type TrainingBatch,
} from './policy/policy.ts'
