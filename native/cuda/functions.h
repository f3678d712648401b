#pragma once
// What the table points to, each beside the CPU's twin.

#include "cuda/kernels.h"

namespace magic {

int rms_norm_on_device(Launch where, Element element, const RmsNorm& args);
int rms_norm_backward_on_device(Launch where, Element element, const RmsNormBackward& args);
int rotate_on_device(Launch where, Element element, const Rotate& args);
int swiglu_on_device(Launch where, Element element, const Swiglu& args);
int swiglu_backward_on_device(Launch where, Element element, const SwigluBackward& args);
int rows_forward_on_device(Launch where, const RowsForward& args);
int rows_backward_on_device(Launch where, Element element, const RowsBackward& args);
int surrogate_on_device(Launch where, const Surrogate& args);
int sequence_means_on_device(Launch where, const SequenceMeansOf& args);
int sample_rows_on_device(Launch where, const SampleRows& args);
int store_keys_on_device(Launch where, Element element, const StoreKeys& args);
int decode_attention_on_device(Launch where, Element element, const DecodeAttention& args);
int begin_capture_on_device(Launch where);
int end_capture_on_device(Launch where, void** graph);
int replay_on_device(Launch where, void* graph);
int drop_graph_on_device(void* graph);

}  // namespace magic
