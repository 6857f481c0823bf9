// A Plan bound to input shapes: sizes evaluated, kernels bound, memory laid out, every operand's
// address known but for those that change from call to call. Running it allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/branches.h"
#include "runtime/constants.h"
#include "runtime/device.h"
#include "runtime/kept.h"
#include "runtime/kernel.h"
#include "runtime/layout.h"
#include "runtime/plan.h"
#include "runtime/sizes.h"
#include "runtime/tensor.h"

namespace symk {

/// One line of the memory map: what lies where in the arena, from which step to which.
struct MemoryRow {
  std::string name;
  Piece piece;
};

/// What a run is watched for.
struct Watch {
  std::atomic<int64_t>* times_ns =
      nullptr;                // one counter per step, which grow by the time each took
  bool check_finite = false;  // whether a NaN or an infinity is an error
  bool replay = false;        // whether a device may do recorded steps again
  bool look = true;           // whether Faults are looked at; else the caller does it
};

/// Steps that run one after the other without a look at the device in between, and how they are
/// done there. The last part also has the copies of outputs and updates.
struct Part {
  enum State {
    kHosted,    // something in it needs the host at every call
    kCold,      // not run yet: what a first call loads is no part of a recording
    kWarm,      // the next call records it
    kRecorded,  // is done by one call
    kRefused,   // cannot be recorded, or is too short to be worth it
  };
  size_t first = 0, last = 0;  // bound steps, `last` excluded
  bool looks = false;          // whether Faults are looked at before it
  State state = kCold;
  int branches = 1;          // of its recording
  std::vector<Turn> turns;   // of its launches where there are several, numbered from its first on
  std::vector<size_t> ends;  // then: those that its end waits for
  std::unique_ptr<Recording> recording;
};

/// A part as people are told of it.
struct PartRow {
  uint32_t first = 0, last = 0;  // numbers of steps in the Plan, `last` included
  Part::State state = Part::kCold;
  int64_t size = 0;  // of the recording
  int branches = 1;
  std::vector<std::string> manners;  // how its steps are done, where they say so
};

class Bound {
 public:
  /// Binds all steps to a device, on which the arena, the inputs and the outputs will lie. `kept`,
  /// null where nothing is kept, has the results that last until a shared value changes. `lasting`
  /// says which inputs keep their values from run to run; empty means none. Throws what the sizes,
  /// the checks and the kernels' bindings throw, with the step's origin.
  Bound(const Plan& plan, const std::vector<std::shared_ptr<Tensor>>& shared,
        std::vector<Shape> inputs, Device& device, KeptResults* kept,
        std::vector<bool> lasting = {});

  bool fits(const Shape* inputs) const;
  const std::vector<Shape>& inputs() const { return inputs_; }
  const std::vector<Type>& outputs() const { return output_types_; }
  int64_t input_bytes(size_t input) const { return types_[plan_.inputs[input].buffer].bytes(); }
  int64_t arena_bytes() const { return arena_bytes_; }
  /// What the arena would take if no memory were used twice.
  int64_t unshared_bytes() const { return unshared_bytes_; }
  const std::vector<MemoryRow>& memory_map() const { return map_; }
  /// Whether all of it can be recorded, with what surrounds it.
  bool recordable() const;
  /// What a run takes of its device; not known of the host.
  const Load& load() const { return load_; }
  std::vector<PartRow> parts() const;

  /// Whether running it changes shared values.
  bool writes() const { return !updates_.empty() || !written_by_steps_.empty(); }
  /// Waits for the device and throws the Error of the first step that refused something, in a run
  /// whose Watch did not look. Does nothing where no step can.
  void look();

  /// Says where the arena is; to be called before the first run and when it has moved.
  void set_arena(char* arena);

  /// Runs all steps and then the updates. Throws Error when a step fails; then no update has
  /// happened. `versions`, null when no input lasts, has one number per input, as kernels see them.
  void run(const void* const* inputs, void* const* outputs, const uint64_t* versions,
           const Watch& watch);

 private:
  friend class Binder;

  struct BoundStep {
    std::unique_ptr<Step> step;
    uint32_t number = 0;                 // in the Plan
    size_t first_in = 0, first_out = 0;  // where its addresses begin
    void* scratch = nullptr;
    int64_t scratch_offset = -1;
    int fault = -1;  // the number of its Fault, if it is one of a device that may fail
    std::unique_ptr<Step> joined;  // does this step and those behind it at once, or null
    size_t joined_count = 1;       // how many
  };
  struct Patch {  // an address that is known only at the call
    size_t slot = 0;
    uint32_t number = 0;  // of the input or the output
  };
  struct ArenaSlot {
    size_t slot = 0;
    int64_t offset = 0;
  };
  struct VersionPatch {
    size_t slot = 0;
    const Tensor* tensor = nullptr;
  };
  struct KeptPatch {
    size_t slot = 0;
    uint32_t buffer = 0;  // of a kept result
  };
  struct OutputCopy {
    size_t slot = 0;
    uint32_t output = 0;
    int64_t bytes = 0;
  };
  struct UpdateCopy {
    size_t slot = 0;
    Tensor* tensor = nullptr;
    void* target = nullptr;  // its memory on the device
    int64_t bytes = 0;
    int64_t staged_offset = -1;  // in the arena, when the source is itself about to change
  };

  void patch(const void* const* inputs, void* const* outputs, const uint64_t* versions);
  void run_part(const Part& part, void* const* outputs, const Watch& watch);
  void copy_results(const Part& part, void* const* outputs);
  void replay_part(Part& part, void* const* outputs, const Watch& watch);
  bool record_part(Part& part, void* const* outputs, const Watch& watch);
  void forget_recordings();
  void run_steps(const Part& part, const Watch& watch);
  void run_branches(const Part& part, const Watch& watch);
  size_t run_launch(size_t first, const Watch& watch);
  void refresh_kept(const Watch& watch);
  void make_kept(const Watch& watch);
  void run_watched(const BoundStep& step, const Watch& watch);
  void run_joined(const BoundStep& step);
  Operands operands_of(const BoundStep& step);
  void clear_faults();
  void require_no_fault();
  void require_finite_results(const PlanStep& step, const Operands& operands);
  void copy_outputs(void* const* outputs);
  void copy_updates();
  void run_step(const BoundStep& step, ThreadPool& pool, bool check_finite);

  const Plan& plan_;
  Device& device_;
  std::shared_ptr<Constants> constants_;  // on the device; null on the host
  std::vector<Shape> inputs_;
  std::vector<bool> lasting_;  // per input, or empty
  std::vector<Type> types_;    // per buffer of the Plan
  std::vector<Type> output_types_;
  KeptResults* kept_;
  size_t kept_count_ = 0;  // so many steps come first, and run when what they read changes
  bool kept_is_made_ = false;
  std::vector<uint64_t> made_of_;  // then: the versions of what they read, their slots come first
  std::vector<KeptPatch> kept_patches_;
  std::vector<BoundStep> steps_;
  std::vector<const void*> in_;     // addresses of all input operands, and of the sources of copies
  std::vector<uint64_t> versions_;  // beside in_
  std::vector<void*> out_;          // addresses of all output operands
  std::vector<Patch> in_from_inputs_, in_from_outputs_, out_from_outputs_;
  std::vector<Patch> versions_from_inputs_;
  std::vector<ArenaSlot> in_from_arena_, out_from_arena_;
  std::vector<VersionPatch> version_patches_;
  std::vector<OutputCopy> output_copies_;
  std::vector<UpdateCopy> updates_;
  std::vector<Tensor*> written_by_steps_;
  std::vector<MemoryRow> map_;
  char* arena_ = nullptr;
  int64_t arena_bytes_ = 0, unshared_bytes_ = 0;
  int64_t faults_offset_ = -1;  // in the arena: a Fault per step that may fail
  size_t fault_count_ = 0;
  std::vector<Fault> faults_;             // where they are copied to
  std::vector<Part> parts_;               // in order; at least one
  Load load_;
  std::vector<const void*> recorded_at_;  // inputs and outputs of the recordings
};

/// Throws Error(kShape) unless an array of this shape can be fed to this input, as far as no other
/// input matters.
void require_input(const Plan& plan, size_t input, const Shape& shape, const char* dtype);

}  // namespace symk
