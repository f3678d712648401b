#pragma once
// What a policy handle shares with queued work.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/policy.h"
#include "runtime/job_thread.h"
#include "runtime/memory.h"

namespace magic {

// Whoever lets go of it last, the policy is destroyed on the torch thread.
struct PolicyState {
  std::unique_ptr<Policy> policy;  // touched on the torch thread alone
  std::vector<std::pair<std::string, std::vector<int64_t>>> parameter_shapes;
  std::atomic<int64_t> bytes{0};  // weights, gradients and optimizer states

  static std::shared_ptr<PolicyState> make() {
    return {new PolicyState(), [](PolicyState* state) {
              const auto destroy = [state] {
                delete state;
                return_free_memory();
              };
              auto& thread = torch_thread();
              if (thread.is_current())
                destroy();
              else
                thread.post(destroy);
            }};
  }
};

// Measures `bytes` again, on the torch thread.
void update_bytes(PolicyState& state);

}  // namespace magic
