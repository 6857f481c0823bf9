// What a kernel is to the runtime: a name and a function that binds it to shapes. Binding may
// allocate and throw; the step that it returns may not: it runs in the steady state, over memory
// that the runtime has laid out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/threads.h"
#include "runtime/view.h"

namespace symk {

struct Plan;

/// What only the run can find out. `value` was found at `position` of an index operand; `limit` is
/// the axis size.
struct Status {
  enum Code : int { kOk = 0, kOutOfRange = 1 } code = kOk;
  int64_t value = 0, position = 0, limit = 0;
};

/// The memory of one run of a step.
struct Operands {
  const void* const* in = nullptr;
  void* const* out = nullptr;
  void* scratch = nullptr;  // as many bytes as the binding asked for, 64-byte aligned
  /// Per input: 0 = changes at every call; else equal means unchanged, so that what was packed from
  /// it may be used again.
  const uint64_t* versions = nullptr;
};

/// A kernel bound to shapes. `run` neither allocates, nor throws, nor makes threads; only a step that
/// runs a Plan of its own throws, the Error of a step inside. Used by one thread at a time.
class Step {
 public:
  virtual ~Step() = default;
  virtual Status run(const Operands& operands, ThreadPool& pool) = 0;
};

/// What a binding may ask. Attribute getters throw Error when the key is missing or has another
/// type; the forms with a default do not need the key.
class Binding {
 public:
  virtual ~Binding() = default;
  virtual const std::vector<Type>& inputs() const = 0;
  virtual const std::vector<Type>& outputs() const = 0;
  virtual int64_t integer(const char* key) const = 0;
  virtual int64_t integer(const char* key, int64_t otherwise) const = 0;
  virtual double real(const char* key) const = 0;
  virtual std::string text(const char* key) const = 0;
  virtual std::string text(const char* key, const char* otherwise) const = 0;
  virtual std::vector<int64_t> integers(const char* key) const = 0;
  virtual std::vector<std::string> texts(const char* key) const = 0;
  virtual const Plan& plan(const char* key) const = 0;
  /// Whether an input keeps its value from run to run: a constant, a shared value that this Plan
  /// does not change, or what is the same for all steps of a loop. What is packed from it is worth
  /// memory of its own; `versions` says when others have changed it.
  virtual bool lasting(int input) const = 0;
  /// Asks for memory that lasts during one run; the largest request counts.
  virtual void need_scratch(int64_t bytes) = 0;
};

using BindFunction = std::unique_ptr<Step> (*)(Binding&);

/// Whether a step is left out when its results have no elements. Not one that has more to do than to write them: to
/// check values, or to print.
enum class Empty { kLeftOut, kRuns };

/// A kernel by name; a static object of this type in a device's file registers it.
struct KernelEntry {
  KernelEntry(const char* name, BindFunction bind, Empty empty = Empty::kLeftOut);
};

BindFunction find_kernel(const std::string& name);  // null if there is none
bool runs_when_empty(const std::string& name);
std::vector<std::string> kernel_names();            // sorted

}  // namespace symk
