// An elementwise program on the device: an interpreter. Each thread takes a few elements through
// all instructions; values stand in registers of shared memory, which no other thread touches.
// Programs are read from memory, so nothing is compiled when a Plan is bound.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "cuda/members.h"

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

  /// Programs of one form do the same to arrays of any sizes. Empty for one that runs alone.
  const std::string& form() const { return form_; }

 private:
  friend class ProgramBuilder;
  friend class JoinedPrograms;

  /// All tiles of `members`.
  template <class Members>
  void launch(const Queue& queue, int64_t tiles, const Members& members) const;
  int64_t tiles() const { return (count_ + tile_size() - 1) / tile_size(); }
  int64_t tile_size() const { return int64_t{kPerThread} * threads_; }

  Device* device_ = nullptr;
  std::shared_ptr<DeviceMemory> code_, layouts_on_device_;
  int instructions_ = 0, stores_ = 0, inputs_ = 0;
  int threads_ = 0, slot_bytes_ = 0;
  int64_t shared_bytes_ = 0, count_ = 0;
  std::vector<DType> output_dtypes_;
  std::vector<Layout> layouts_;  // per input
  std::string form_;
};

/// Programs of one form over different arrays, in as few launches as their addresses allow.
class JoinedPrograms {
 public:
  explicit JoinedPrograms(std::vector<std::shared_ptr<const Program>> programs);

  /// Operands of all programs, one behind the other. Nothing that one writes is touched by another.
  void run(const Queue& queue, const void* const* in, void* const* out) const;
  size_t size() const { return programs_.size(); }

 private:
  /// Where the address of each operand of a member stands in a launch, and how many there are.
  struct Places {
    std::vector<ManyMembers::Place> of;
    int shared = 0, own = 0;  // addresses of all members; addresses of each
  };

  Places places_of(const void* const* in, void* const* out) const;
  const void* address(const void* const* in, void* const* out, size_t member, int operand) const;
  ManyMembers members_of(size_t first, size_t count, const Places& places, const void* const* in,
                         void* const* out) const;

  const std::vector<std::shared_ptr<const Program>> programs_;
  std::shared_ptr<DeviceMemory> layouts_, counts_;
};

}  // namespace symk::cuda
