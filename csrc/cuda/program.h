// An elementwise program on the device: compiled by NVRTC where that is found and worth it, else by
// an interpreter, which gives the same bits. Each of its threads takes a few elements through all
// instructions; values stand in registers of shared memory, which no other thread touches.
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
  /// The same for a program with these inputs, one of which is sums of rows of float32 or float64.
  static std::shared_ptr<const Program> bind_on_sums(const Binding& binding,
                                                     const std::vector<Type>& inputs, int place);

  /// Computes all outputs; out[i] may lie exactly over an input of the same shape.
  void run(const Queue& queue, const void* const* in, void* const* out) const;
  /// Of a program with sums of rows of T at input `place`, whose address is not read. Writes
  /// nothing if an index was refused.
  template <class T>
  void run_on_sums(const Queue& queue, const void* const* in, void* const* out, int place,
                   const RowSums& sums) const;
  /// The dtype of output i as it is written.
  DType output_dtype(size_t i) const { return output_dtypes_[i]; }

  /// How it is done, for people: compiled, or why not.
  std::string manner() const;

  /// Programs of one form do the same to arrays of any sizes. Empty for one that runs alone.
  const std::string& form() const { return form_; }

 private:
  friend class ProgramBuilder;
  friend class JoinedPrograms;

  /// Compiles the program if `work`, elements times instructions, is worth it.
  Compiler::Outcome compile(int64_t work) const;
  int64_t work() const { return count_ * instructions_; }
  /// All tiles of `members`, by a compiled program or, if it is null, by the interpreter.
  template <class Members>
  void launch(const Queue& queue, int64_t tiles, const Members& members,
              const CompiledProgram* compiled) const;
  void place(const void* const* in, void* const* out, OneMember& member) const;
  int threads(const CompiledProgram* compiled) const;
  int64_t tiles(const CompiledProgram* compiled) const;

  QueuedDevice* device_ = nullptr;
  std::shared_ptr<DeviceMemory> code_, layouts_on_device_;
  int instructions_ = 0, stores_ = 0, inputs_ = 0;
  int threads_ = 0, slot_bytes_ = 0;
  int64_t shared_bytes_ = 0, count_ = 0;
  std::vector<DType> output_dtypes_;
  std::vector<Layout> layouts_;  // per input
  std::string form_, source_;
  Compiler::Outcome compiled_;
};

/// Programs of one form over different arrays, in as few launches as their addresses allow.
class JoinedPrograms {
 public:
  explicit JoinedPrograms(std::vector<std::shared_ptr<const Program>> programs);

  /// Operands of all programs, one behind the other. Nothing that one writes is touched by another.
  void run(const Queue& queue, const void* const* in, void* const* out) const;
  std::string manner() const;

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
  Compiler::Outcome compiled_;
};

}  // namespace symk::cuda
