export { type AdvantageMask, type GroupAdvantageOptions, groupAdvantages } from './advantage/group-advantage.ts'
export { ConfigError } from './config/config-error.ts'
export type { RecipeConfig, RecipeInput } from './config/recipe-schema.ts'
export type { SftConfig, TrainConfig } from './config/schema.ts'
export { loadSftConfig, loadTrainConfig } from './config/train-config.ts'
export { AdaptiveEntropy, type AdaptiveEntropyOptions, adaptiveEntropyVariants } from './control/adaptive-entropy.ts'
export { ConstantEntropy } from './control/constant-entropy.ts'
export type { EntropyController, EntropyControllerState } from './control/entropy-controller.ts'
export {
  type DataFile,
  type DroppedRows,
  type LoadedPrompts,
  type LoadPromptsOptions,
  loadPrompts,
} from './data/load-prompts.ts'
export type { Message, Prompt } from './data/prompt.ts'
export { PromptStream, type PromptStreamOptions, type PromptStreamState } from './data/prompt-stream.ts'
export { type EvaluationOptions, type EvaluationResult, evaluate } from './evaluate/evaluate.ts'
export type { EvaluationFigures } from './evaluate/figures.ts'
export { passAtK } from './evaluate/pass-at-k.ts'
export { countPasses, type PassCount, type PassCountOptions } from './filter/pass-counts.ts'
export type { Device, DType, ModelShape, TargetModule } from './native/contract.ts'
export { NativeError, type NativeErrorCode } from './native/errors.ts'
export type {
  CreateOptions,
  GenerateOptions,
  LoadOptions,
  LossOptions,
  PolicyOptions,
  ScoreOptions,
  TrainStepOptions,
} from './policy/call-options.ts'
export type { Lora, LoraOptions } from './policy/lora.ts'
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
export { LocalEngine } from './rollout/local-engine.ts'
export type { FinishReason, Rollout, RolloutGroup } from './rollout/rollout.ts'
export { createCharTokenizer } from './tokenizer/create.ts'
export { Tokenizer } from './tokenizer/tokenizer.ts'
export { type RunOptions, type RunSummary, runTraining } from './train/run.ts'
export { type SftOptions, sft } from './train/sft.ts'
export { type Example, loadExamples } from './train/sft-examples.ts'
export { type RunResult, type StepReport, Trainer, type TrainerOptions, type TrainerProgress } from './train/trainer.ts'
export { CodeVerifier, type CodeVerifierOptions } from './verify/code/code-verifier.ts'
export { loadVerifier, type VerifierSettings, type VerifierSpec } from './verify/load-verifier.ts'
export { gradeMath, MathVerifier } from './verify/math/math-verifier.ts'
export type { RewardFunction, RewardSample, Verdict, Verifier } from './verify/verifier.ts'
