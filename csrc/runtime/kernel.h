// What a kernel is to the runtime: a name and a function that binds it to shapes. Binding may
// allocate and throw; the step that it returns allocates nothing: it runs in the steady state, over
// memory that the runtime has laid out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/branches.h"
#include "runtime/packed.h"
#include "runtime/threads.h"
#include "runtime/view.h"

namespace symk {

struct Plan;
class Device;

/// What only the run can find out. `value` was found at `position` of an index operand; `limit` is
/// the axis size, or the bound of what `need` says.
struct Status {
  enum Code : int { kOk = 0, kOutOfRange = 1 } code = kOk;
  int64_t value = 0, position = 0, limit = 0;
  const char* need = "an index must be inside its axis of size";
};

/// What a step on a device leaves behind when it finds what it must refuse: the device looks at it
/// when all steps that may fail are done. Cleared before a run, so 0 means that nothing was found.
struct Fault {
  uint64_t rank = 0;  // UINT64_MAX - position: that of the first position is the largest
  int64_t value = 0, limit = 0;
  int64_t need = 0;  // which of the step's requirements
};

/// The memory of one run of a step.
struct Operands {
  const void* const* in = nullptr;
  void* const* out = nullptr;
  void* scratch = nullptr;  // as many bytes as the binding asked for, 64-byte aligned
  /// Per input: 0 = changes at every call; else equal means unchanged, so that what was packed from
  /// it may be used again (Packed::of).
  const uint64_t* versions = nullptr;
  bool check_finite = false;  // whether a Plan that the step runs looks for NaN
  Fault* fault = nullptr;     // in the device's memory, for a step that may fail; not on the host
};

/// A kernel bound to shapes, used by one thread at a time. `run` neither allocates nor makes
/// threads. On the host only a step that runs a Plan, or a user's code, throws: the Error of what
/// is inside. On a device any step throws Error(kDevice) when the device fails.
class Step {
 public:
  virtual ~Step() = default;
  virtual Status run(const Operands& operands, ThreadPool& pool) = 0;
  /// Whether the step is one of a device and may leave a Fault there.
  virtual bool may_fail() const { return false; }
  /// Whether a run asks the device for the same at every call with the same addresses, and waits
  /// for nothing: so that it can be recorded once.
  virtual bool recordable() const { return true; }
  /// What a step of a device has in common with others that one step can do at once; empty if
  /// there is none.
  virtual std::string form() const { return ""; }
  /// One step for several of one form, of which this is the first. Its operands are theirs, one
  /// behind the other, and no one of them writes what another touches.
  virtual std::unique_ptr<Step> join(const std::vector<const Step*>&) const { return nullptr; }
  /// What it takes of its device when so many steps whose blocks are there together share that.
  virtual Load load(int) const { return {}; }
  /// From now on it is one of so many; before the first run.
  virtual void share_device(int) {}
  /// How the device does it, where there is more than one way; for people.
  virtual std::string manner() const { return ""; }
  /// What a Fault of this step means.
  virtual Status explain(const Fault& fault) const {
    Status status;
    status.code = Status::kOutOfRange;
    status.value = fault.value;
    status.position = static_cast<int64_t>(UINT64_MAX - fault.rank);
    status.limit = fault.limit;
    return status;
  }
};

/// An attribute with its sizes evaluated: integers, reals or texts, whichever is not empty. A
/// single value is a list of one.
struct NamedValue {
  std::string name;
  std::vector<int64_t> integers;
  std::vector<double> reals;
  std::vector<std::string> texts;
};

/// What a binding may ask. Attribute getters throw Error when the key is missing or has another
/// type; the forms with a default do not need the key.
class Binding {
 public:
  virtual ~Binding() = default;
  virtual const std::vector<Type>& inputs() const = 0;
  virtual const std::vector<Type>& outputs() const = 0;
  virtual bool has(const char* key) const = 0;
  virtual int64_t integer(const char* key) const = 0;
  virtual int64_t integer(const char* key, int64_t otherwise) const = 0;
  virtual double real(const char* key) const = 0;
  virtual std::string text(const char* key) const = 0;
  virtual std::string text(const char* key, const char* otherwise) const = 0;
  virtual std::vector<int64_t> integers(const char* key) const = 0;
  virtual std::vector<std::string> texts(const char* key) const = 0;
  virtual const Plan& plan(const char* key) const = 0;
  /// All attributes but Plans, for a kernel that hands them on.
  virtual std::vector<NamedValue> attributes() const { return {}; }
  /// Whether an input keeps its value from run to run: a constant, a shared value that this Plan
  /// does not change, or what is the same for all steps of a loop. What is packed from it is worth
  /// memory of its own; `versions` says when others have changed it.
  virtual bool lasting(int input) const = 0;
  /// Memory for a lasting input in another form. All bindings that give the same name to a form of
  /// the same value get the same memory; the name therefore says all that the form depends on.
  virtual std::shared_ptr<Packed> packed(int input, const std::string& form, int64_t bytes) = 0;
  /// What no other value is called while this one lasts, for the name of a form that a second input
  /// goes into; empty where there is no such name.
  virtual std::string identity(int) const { return ""; }
  /// Asks for memory that lasts during one run; the largest request counts.
  virtual void need_scratch(int64_t bytes) = 0;
  /// Where the step is to run.
  virtual Device& device() const;
};

using BindFunction = std::function<std::unique_ptr<Step>(Binding&)>;

/// Whether a step is left out when its results have no elements. Not one that has more to do than
/// to write them: to check values, or to act in a way that others see, as printing is.
enum class Empty { kLeftOut, kRuns, kActs };

/// Whether a kernel runs on the device that registers it, or on any, since it only runs Plans.
enum class Runs { kHere, kAnywhere };

/// A kernel by name; a static object of this type in a device's file registers it.
struct KernelEntry {
  using Bind = std::unique_ptr<Step> (*)(Binding&);

  KernelEntry(const char* name, Bind bind, Empty empty = Empty::kLeftOut, Runs runs = Runs::kHere);
};

/// Adds a kernel while the program runs; one of the same name that was added before is replaced.
/// Throws Error(kArgument) when the name is that of a built-in one.
void add_user_kernel(const std::string& name, BindFunction bind);

BindFunction find_kernel(const std::string& name);  // empty if there is none
bool runs_when_empty(const std::string& name);
/// Whether a kernel may do more than to make its results, so that it runs at each call: one that
/// says so, and those of users.
bool acts(const std::string& name);
bool runs_anywhere(const std::string& name);
std::vector<std::string> kernel_names();  // sorted

}  // namespace symk
