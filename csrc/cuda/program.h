// An elementwise program on the device: an interpreter. Each thread takes a few elements through
// all instructions; values stand in registers of shared memory, which no other thread touches.
// Programs are read from memory, so nothing is compiled when a Plan is bound.
#pragma once

#include <memory>
#include <vector>

#include "cuda/device.h"

namespace symk::cuda {

class Program {
 public:
  /// `result` is the shape over which the program runs. Null when the program has more operands or
  /// living values than the interpreter holds. Throws Error when the attributes are no program.
  static std::shared_ptr<const Program> bind(const Binding& binding, const Type& result);

  /// Computes all outputs; out[i] may lie exactly over an input of the same shape.
  void run(const Queue& queue, const void* const* in, void* const* out) const;
  /// The dtype of output i as it is written.
  DType output_dtype(size_t i) const { return output_dtypes_[i]; }

 private:
  friend class ProgramBuilder;

  std::shared_ptr<DeviceMemory> code_;
  int instructions_ = 0, stores_ = 0, inputs_ = 0;
  int threads_ = 0, slot_bytes_ = 0;
  int64_t shared_bytes_ = 0, count_ = 0;
  std::vector<DType> output_dtypes_;
};

}  // namespace symk::cuda
