#pragma once
// The head on a device that has kernels: nothing of it waits for the device but the last line, which fetches the
// results. `chunk`: rows of logits at once.

#include "loss/head.h"

namespace magic {

void head_score_on_device(const at::Tensor& hidden, const at::Tensor& weight, int64_t chunk, const int32_t* targets,
                          double temperature, float* logprobs, float* entropy);

HeadFinish head_backward_on_device(const at::Tensor& hidden, const at::Tensor& weight, int64_t chunk,
                                   const HeadTokens& tokens, const LossOptions& options, at::Tensor& hidden_gradient,
                                   at::Tensor& weight_gradient, float* logprobs, float* entropy);

}  // namespace magic
