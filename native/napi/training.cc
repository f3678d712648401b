// score, computeGradients, trainStep

#include <utility>

#include "napi/convert.h"
#include "napi/handle.h"
#include "napi/register.h"
#include "train/step.h"

namespace magic {

namespace {

void read_sequences(const Fields& fields, Batch& batch) {
  batch.token_ids = fields.int32s("tokenIds");
  batch.offsets = fields.int32s("offsets");
  batch.prompt_lengths = fields.int32s("promptLengths");
}

TrainingBatch training_batch_of(Napi::Value value, const std::string& call) {
  const Fields fields(value, call + " batch");
  TrainingBatch batch;
  read_sequences(fields, batch);
  batch.advantages = fields.float32s("advantages");
  batch.old_logprobs = fields.optional_float32s("oldLogprobs");
  batch.reference_logprobs = fields.optional_float32s("referenceLogprobs");
  batch.sampler_logprobs = fields.optional_float32s("samplerLogprobs");
  batch.loss_mask = fields.optional_float32s("lossMask");
  return batch;
}

// TypeScript has checked the names.
Aggregation aggregation_of(const std::string& name) {
  if (name == "sequence-mean-token-mean") return Aggregation::kSequenceMeanTokenMean;
  if (name == "sequence-mean-token-sum") return Aggregation::kSequenceMeanTokenSum;
  return Aggregation::kTokenMean;
}

LossOptions loss_options_of(const Fields& fields) {
  LossOptions options;
  options.temperature = fields.number("temperature");
  options.clip_low = fields.number("clipLow");
  options.clip_high = fields.number("clipHigh");
  options.dual_clip = fields.number("dualClip");
  options.sequence_ratio = fields.string("ratioLevel") == "sequence";
  options.importance_sampling_cap = fields.number("importanceSamplingCap");
  options.aggregation = aggregation_of(fields.string("aggregation"));
  options.aggregation_constant = fields.number("aggregationConstant");
  options.loss_scale = fields.number("lossScale");
  options.entropy_coefficient = fields.number("entropyCoefficient");
  options.kl_coefficient = fields.number("klCoefficient");
  options.max_tokens_per_micro_batch = fields.integer("maxTokensPerMicroBatch");
  options.activation_bytes = fields.integer("activationBytes");
  options.activation_checkpointing = fields.boolean("activationCheckpointing");
  options.bfloat16_gradients = fields.string("gradientDtype") == "bfloat16";
  options.share_prompts = fields.boolean("sharePrompts");
  return options;
}

OptimizerOptions optimizer_options_of(const Fields& fields) {
  OptimizerOptions options;
  options.learning_rate = fields.number("learningRate");
  options.beta1 = fields.number("beta1");
  options.beta2 = fields.number("beta2");
  options.epsilon = fields.number("epsilon");
  options.weight_decay = fields.number("weightDecay");
  options.max_grad_norm = fields.number("maxGradNorm");
  return options;
}

Deliver deliver_stats(const StepStats& stats) {
  return [stats](Napi::Env env) {
    auto result = Napi::Object::New(env);
    const auto set = [&](const char* name, double value) { result.Set(name, value); };
    set("loss", stats.loss);
    set("policyLoss", stats.policy_loss);
    set("entropy", stats.entropy);
    set("entropySampled", stats.entropy_sampled);
    set("kl", stats.kl);
    set("clipFraction", stats.clip_fraction);
    set("clipFractionLow", stats.clip_fraction_low);
    set("clipFractionHigh", stats.clip_fraction_high);
    set("approxKl", stats.approx_kl);
    set("logprobDifferenceMean", stats.logprob_difference_mean);
    set("logprobDifferenceMax", stats.logprob_difference_max);
    set("gradNorm", stats.grad_norm);
    set("tokens", static_cast<double>(stats.tokens));
    set("computedTokens", static_cast<double>(stats.computed_tokens));
    set("microBatches", static_cast<double>(stats.micro_batches));
    result.Set("skipped", stats.skipped);
    set("seconds", stats.seconds);
    set("optimizerSeconds", stats.optimizer_seconds);
    set("activationBytes", static_cast<double>(stats.activation_bytes));
    set("recomputedLayers", static_cast<double>(stats.recomputed_layers));
    set("memoryRetries", static_cast<double>(stats.memory_retries));
    set("peakMemoryBytes", static_cast<double>(stats.peak_memory_bytes));
    return result;
  };
}

Task score_task(const Napi::CallbackInfo& info) {
  auto state = live_policy(info[0]);
  Batch batch;
  read_sequences(Fields(info[1], "score batch"), batch);
  const Fields fields(info[2], "score options");
  const ScoreOptions options{fields.number("temperature"), fields.integer("maxTokensPerMicroBatch"),
                             fields.integer("activationBytes"), fields.boolean("adapter")};
  auto cancel = cancel_of(info[3]);
  return {[state = std::move(state), batch = std::move(batch), options, cancel](const Reports&) -> Deliver {
            return [scores = score(*state->policy, batch, options, *cancel)](Napi::Env env) {
              auto result = Napi::Object::New(env);
              result.Set("logprobs", to_js(env, scores.logprobs));
              result.Set("entropy", to_js(env, scores.entropy));
              result.Set("microBatches", static_cast<double>(scores.micro_batches));
              result.Set("activationBytes", static_cast<double>(scores.activation_bytes));
              result.Set("memoryRetries", static_cast<double>(scores.memory_retries));
              return result;
            };
          },
          cancel};
}

Task compute_gradients_task(const Napi::CallbackInfo& info) {
  auto state = live_policy(info[0]);
  auto batch = training_batch_of(info[1], "computeGradients");
  const auto options = loss_options_of(Fields(info[2], "computeGradients options"));
  auto cancel = cancel_of(info[3]);
  return {[state = std::move(state), batch = std::move(batch), options, cancel](const Reports&) {
            const auto stats = compute_gradients(*state->policy, batch, options, *cancel);
            update_bytes(*state);
            return deliver_stats(stats);
          },
          cancel};
}

Task train_step_task(const Napi::CallbackInfo& info) {
  auto state = live_policy(info[0]);
  auto batch = training_batch_of(info[1], "trainStep");
  const Fields fields(info[2], "trainStep options");
  const auto loss = loss_options_of(fields);
  const auto optimizer = optimizer_options_of(fields);
  auto cancel = cancel_of(info[3]);
  return {[state = std::move(state), batch = std::move(batch), loss, optimizer, cancel](const Reports&) {
            const auto stats = train_step(*state->policy, batch, loss, optimizer, *cancel);
            update_bytes(*state);
            return deliver_stats(stats);
          },
          cancel};
}

}  // namespace

void register_training(Napi::Env env, Napi::Object exports) {
  add_promise(env, exports, "score", score_task);
  add_promise(env, exports, "computeGradients", compute_gradients_task);
  add_promise(env, exports, "trainStep", train_step_task);
}

}  // namespace magic
