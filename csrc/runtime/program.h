// A Plan that can be called, from many threads at once. A call borrows a context (an arena and the
// bindings made in it), so calls do not meet; what they share are the tensors, which are locked
// while the steps run.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "runtime/bound.h"
#include "runtime/device.h"
#include "runtime/lock.h"
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/tensor.h"

namespace symk {

/// What one call at a time uses: an arena, and the bindings to the shapes that came last.
class Context {
 public:
  explicit Context(Device& device = host_device()) : device_(device) {}

  /// The binding for these shapes: one that is kept, or a new one.
  Bound& bound(const Plan& plan, const std::vector<std::shared_ptr<Tensor>>& shared,
               const Shape* inputs);
  /// The binding used last, or null.
  const Bound* latest() const { return bounds_.empty() ? nullptr : bounds_.front().get(); }
  /// Runs a binding over arrays of the host, which are copied to the device and back.
  void run_staged(Bound& bound, const void* const* inputs, void* const* outputs,
                  const Watch& watch);

 private:
  void grow(int64_t bytes);

  Device& device_;
  DeviceMemory arena_, staged_;
  std::vector<std::unique_ptr<Bound>> bounds_;  // the one used last comes first
};

struct MemoryUse {
  int64_t arena_bytes = 0;     // of the binding used last
  int64_t unshared_bytes = 0;  // what the arena would take if no memory were used twice
  int64_t constant_bytes = 0;
  int64_t shared_bytes = 0;
  int64_t packed_bytes = 0;  // constants and shared values in other forms, for all who read them
  std::vector<MemoryRow> map;
  std::vector<Shape> inputs;  // the shapes of the call made last; empty before the first one
};

class Program {
 public:
  /// The tensors are the Plan's shared values, in its order. Throws Error when their number or
  /// types differ.
  Program(std::shared_ptr<const Plan> plan, std::vector<std::shared_ptr<Tensor>> shared,
          Device& device = host_device());

  const Plan& plan() const { return *plan_; }
  const std::vector<std::shared_ptr<Tensor>>& shared() const { return shared_; }

  /// While on, every step is timed.
  void set_profile(bool on) { profile_.store(on); }
  /// Time per step since the Program was made, over all calls that were timed.
  std::vector<int64_t> times_ns() const;
  /// How many calls that were.
  int64_t timed_calls() const { return timed_calls_.load(); }
  /// While on, a step whose result is not finite is an Error(kNotFinite).
  void set_check_finite(bool on) { check_finite_.store(on); }
  /// How the binding used last lays out its memory; without a map before the first call.
  MemoryUse memory_use();
  /// The Plan as text.
  std::string describe() const;
  /// The shape of a buffer as text, sizes that depend on the inputs as expressions: "(x.0, 10)".
  std::string shape_text(uint32_t buffer) const;

 private:
  friend class Call;

  std::unique_ptr<Context> borrow();
  void give_back(std::unique_ptr<Context> context);
  void lock_shared_values();
  void unlock_shared_values();
  void bring_shared_values();  // to the device; the locks are held

  struct Lock {
    Tensor* tensor = nullptr;
    bool changes = false;
  };

  std::shared_ptr<const Plan> plan_;
  std::vector<std::shared_ptr<Tensor>> shared_;
  Device& device_;
  std::vector<Lock> locks_;  // by address, so that two programs cannot wait for each other
  std::atomic<bool> profile_{false}, check_finite_{false};
  std::atomic<int64_t> timed_calls_{0};
  std::unique_ptr<std::atomic<int64_t>[]> times_ns_;
  SharedLock contexts_lock_;
  std::vector<std::unique_ptr<Context>> idle_;
};

/// One call. Made with the shapes of the inputs, it knows the types of the outputs; then it runs,
/// once or again.
class Call {
 public:
  /// `inputs` has one shape per input. Throws Error when they do not fit the Plan.
  Call(Program& program, const Shape* inputs);
  /// The same in a context of the caller, which one call at a time may use.
  Call(Program& program, const Shape* inputs, Context& context);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const std::vector<Type>& outputs() const { return bound_->outputs(); }

  /// Outputs may not overlap inputs or each other. When it throws, their content is undefined, and
  /// no shared value has been updated.
  void run(const void* const* inputs, void* const* outputs);

 private:
  Program& program_;
  std::unique_ptr<Context> borrowed_;
  Context* context_ = nullptr;
  Bound* bound_ = nullptr;
};

}  // namespace symk
