// Where the products of a batch begin, as kernels read it.
#pragma once

#include <memory>
#include <vector>

#include "cpu/matmul_problem.h"
#include "cuda/device.h"

namespace symk::cuda {

/// Where each product of a batch begins; null where there is one.
struct Starts {
  const int64_t *a, *b;
};

/// The same as memory of the device, of which there is none where there is one product.
class UploadedStarts {
 public:
  UploadedStarts(const Binding& binding, const cpu::MatmulProblem& p) : count_(p.a_start.size()) {
    if (count_ < 2) return;
    std::vector<int64_t> starts = p.a_start;
    starts.insert(starts.end(), p.b_start.begin(), p.b_start.end());
    memory_ = upload(binding.device(), starts.data(), starts.size());
  }
  Starts get() const {
    if (memory_ == nullptr) return {nullptr, nullptr};
    const int64_t* const first = reinterpret_cast<const int64_t*>(memory_->data());
    return {first, first + count_};
  }

 private:
  size_t count_;
  std::shared_ptr<DeviceMemory> memory_;
};

}  // namespace symk::cuda
