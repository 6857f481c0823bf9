// A Plan that can be called, from many threads at once. A call borrows a context (an arena and the
// bindings made in it), so calls do not meet; what they share are the tensors, which are locked
// while the steps run.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "runtime/batch.h"
#include "runtime/bound.h"
#include "runtime/device.h"
#include "runtime/few.h"
#include "runtime/kept.h"
#include "runtime/lock.h"
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/tensor.h"

namespace symk {

/// Where the arrays of a call lie on a device: one behind the other, inputs first.
struct Staging {
  explicit Staging(const Bound& bound);
  Few<int64_t> offsets;  // of inputs, then of outputs
  int64_t input_bytes = 0, bytes = 0;
};

class Program;

/// The inputs of one call of a Program on their way to its device.
class ProgramBatch final : public Batch {
 public:
  explicit ProgramBatch(const Program& owner);

  /// Begins to send. The arrays may change once this has returned; a batch that was filled before
  /// must have been run.
  void fill(const Shape* shapes, const void* const* inputs);

  /// The inputs, one behind the other.
  const Parcel& parcel() const { return parcel_; }

 private:
  const Plan& plan_;
  Parcel parcel_;
};

/// What one call at a time uses: an arena, and the bindings to the shapes that came last.
class Context {
 public:
  explicit Context(Device& device = host_device()) : device_(device) {}

  /// The binding for these shapes: one that is kept, or a new one.
  Bound& bound(const Plan& plan, const std::vector<std::shared_ptr<Tensor>>& shared,
               KeptResults& kept, const Shape* inputs);
  /// The binding used last, or null.
  const Bound* latest() const { return bounds_.empty() ? nullptr : bounds_.front().get(); }
  /// Runs a binding over arrays of the host, which are copied to the device and back; the inputs
  /// are those that were sent ahead, if they were.
  void run_staged(Bound& bound, const void* const* inputs, const Parcel* sent, void* const* outputs,
                  const Watch& watch);
  /// Memory on the device for the arrays of a call; stays where it is until more is asked for.
  char* stage(int64_t bytes);
  /// The same on the host, pinned for another device; null if that cannot be.
  char* stage_for(Device& device, int64_t bytes);

 private:
  void grow(int64_t bytes);
  void pin(Device& device, int64_t bytes);
  void settle() noexcept;
  void bring_inputs(const Bound& bound, const Staging& staging, const void* const* inputs);
  void fetch_outputs(const Bound& bound, const Staging& staging, void* const* outputs);

  Device& device_;
  DeviceMemory arena_, staged_;
  PinnedMemory pinned_;                         // as large as the arrays of a call, or empty
  std::vector<std::unique_ptr<Bound>> bounds_;  // the one used last comes first
};

struct MemoryUse {
  int64_t arena_bytes = 0;     // of the binding used last
  int64_t unshared_bytes = 0;  // what the arena would take if no memory were used twice
  int64_t constant_bytes = 0;
  int64_t shared_bytes = 0;
  int64_t packed_bytes = 0;  // lasting values in other forms, for all who read them
  int64_t kept_bytes = 0;    // results that last until a shared value changes
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
  /// While on, a device does again what it has recorded at a call before; on from the beginning.
  void set_replay(bool on) { replay_.store(on); }
  /// As Device::use_compiler; for all Programs of the device.
  void use_compiler(const std::string& library) { device_.use_compiler(library); }
  /// As Device::use_warp_groups; for all Programs of the device.
  void use_warp_groups(bool on) { device_.use_warp_groups(on); }
  /// As Device::use_branches; for all Programs of the device.
  void use_branches(bool on) { device_.use_branches(on); }
  /// How the binding used last lays out its memory; without a map before the first call.
  MemoryUse memory_use();
  /// How the binding used last is done by its device; empty before the first call.
  std::vector<PartRow> parts();
  Device& device() const { return device_; }

  /// The inputs of a later call, which begin to move to the device. Throws Error(kArgument) on the
  /// host, where nothing has to move.
  std::unique_ptr<Batch> prefetch(const Shape* shapes, const void* const* inputs);
  /// Keeps the memory of a batch that has been run.
  void take_back(std::unique_ptr<Batch> batch) noexcept { spare_.keep(std::move(batch)); }
  /// The Plan as text.
  std::string describe() const;
  /// The shape of a buffer as text, sizes that depend on the inputs as expressions: "(x.0, 10)".
  std::string shape_text(uint32_t buffer) const;

 private:
  friend class Call;
  friend class Ensemble;
  friend class EnsembleCall;

  std::unique_ptr<Context> borrow();
  void give_back(std::unique_ptr<Context> context);
  /// What a call that begins now is watched for.
  Watch watch();

  std::shared_ptr<const Plan> plan_;
  std::vector<std::shared_ptr<Tensor>> shared_;
  Device& device_;
  KeptResults kept_;
  TensorLocks locks_;
  std::atomic<bool> profile_{false}, check_finite_{false}, replay_{true};
  std::atomic<int64_t> timed_calls_{0};
  std::unique_ptr<std::atomic<int64_t>[]> times_ns_;
  SharedLock contexts_lock_;
  std::vector<std::unique_ptr<Context>> idle_;
  SpareBatches spare_;
};

/// One call. Made with the shapes of the inputs, it knows the types of the outputs; then it runs,
/// once or again.
class Call {
 public:
  /// `inputs` has one shape per input. Throws Error when they do not fit the Plan.
  Call(Program& program, const Shape* inputs);
  /// For the inputs of a batch, which must be this Program's and stay until the call has run.
  Call(Program& program, const Batch& batch);
  /// The same in a context of the caller, which one call at a time may use.
  Call(Program& program, const Shape* inputs, Context& context);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const std::vector<Type>& outputs() const { return bound_->outputs(); }

  /// Outputs may not overlap inputs or each other. When it throws, their content is undefined, and
  /// no shared value has been updated.
  void run(const void* const* inputs, void* const* outputs);
  /// The same for a call that was made for a batch.
  void run(void* const* outputs) { run(nullptr, outputs); }

 private:
  Program& program_;
  const Parcel* sent_ = nullptr;  // where the inputs are, unless they are given
  std::unique_ptr<Context> borrowed_;
  Context* context_ = nullptr;
  Bound* bound_ = nullptr;
};

}  // namespace symk
