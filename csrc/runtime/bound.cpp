// The steady state: patch the addresses that changed, run the steps, copy what has to be copied.
#include "runtime/bound.h"

#include <algorithm>
#include <chrono>

#include "runtime/error.h"
#include "runtime/finite.h"
#include "runtime/text.h"

namespace symk {
namespace {

constexpr int64_t kWorthRecording = 2;  // a launch of one kernel costs no more than that of a graph

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

[[gnu::cold]] Error index_error(const std::string& kernel, const Status& status) {
  return Error(ErrorCode::kOutOfRange,
               joined({"[", kernel, "] ", status.need, " ", status.limit, "; ", status.value,
                       " was given at position ", status.position, "."}));
}

}  // namespace

bool Bound::fits(const Shape* inputs) const {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!(inputs_[i] == inputs[i])) return false;
  }
  return true;
}

void Bound::set_arena(char* arena) {
  arena_ = arena;
  for (const ArenaSlot& slot : in_from_arena_) in_[slot.slot] = arena + slot.offset;
  for (const ArenaSlot& slot : out_from_arena_) out_[slot.slot] = arena + slot.offset;
  for (BoundStep& step : steps_) {
    if (step.scratch_offset >= 0) step.scratch = arena + step.scratch_offset;
  }
  forget_recordings();
}

void Bound::run(const void* const* inputs, void* const* outputs, const uint64_t* versions,
                const Watch& watch) {
  patch(inputs, outputs, versions);
  // Also when a step fails: an earlier one may have written.
  struct Changed {
    const std::vector<Tensor*>& tensors;
    Device& device;
    ~Changed() {
      for (Tensor* tensor : tensors) tensor->changed_on(device);
    }
  } changed{written_by_steps_, device_};
  const bool replay = watch.replay && watch.times_ns == nullptr && !watch.check_finite;
  if (fault_count_ > 0) clear_faults();
  if (kept_count_ > 0) refresh_kept(watch);
  for (Part& part : parts_) {
    if (part.looks && watch.look) require_no_fault();
    if (replay) {
      replay_part(part, outputs, watch);
    } else {
      run_part(part, outputs, watch);
    }
  }
  for (const UpdateCopy& update : updates_) update.tensor->changed_on(device_);
}

bool Bound::recordable() const {
  return fault_count_ == 0 && parts_.size() == 1 && parts_[0].state != Part::kHosted;
}

void Bound::look() {
  if (fault_count_ > 0) require_no_fault();
}

[[gnu::cold]] std::vector<PartRow> Bound::parts() const {
  std::vector<PartRow> rows;
  for (const Part& part : parts_) {
    if (part.first == part.last) continue;
    PartRow row;
    row.first = row.last = steps_[part.first].number;
    row.state = part.state;
    row.size = part.recording != nullptr ? part.recording->size() : 0;
    row.branches = part.branches;
    for (size_t i = part.first; i < part.last; ++i) {
      row.first = std::min(row.first, steps_[i].number);
      row.last = std::max(row.last, steps_[i].number);
    }
    for (size_t i = part.first; i < part.last; i += steps_[i].joined_count) {
      const BoundStep& step = steps_[i];
      const std::string manner = (step.joined != nullptr ? *step.joined : *step.step).manner();
      if (!manner.empty()) row.manners.push_back(manner);
    }
    rows.push_back(row);
  }
  return rows;
}

/// Steps in order, and after the last one the copies of outputs and updates.
void Bound::run_part(const Part& part, void* const* outputs, const Watch& watch) {
  run_steps(part, watch);
  copy_results(part, outputs);
}

void Bound::copy_results(const Part& part, void* const* outputs) {
  if (&part != &parts_.back()) return;
  copy_outputs(outputs);
  copy_updates();
}

/// The same by a recording, which is made at the second call.
void Bound::replay_part(Part& part, void* const* outputs, const Watch& watch) {
  if (part.state == Part::kWarm) {
    part.state = record_part(part, outputs, watch) ? Part::kRecorded : Part::kRefused;
  }
  if (part.state == Part::kRecorded) {
    device_.replay(*part.recording);
    return;
  }
  run_part(part, outputs, watch);
  if (part.state == Part::kCold) part.state = Part::kWarm;
}

/// Whether it was worth it. What throws runs again without a recording, and then the error counts.
[[gnu::cold]] bool Bound::record_part(Part& part, void* const* outputs, const Watch& watch) {
  struct Open {
    Device& device;
    bool open = true;
    ~Open() {
      if (open) device.cancel_recording();
    }
  };
  try {
    device_.begin_recording(part.branches);
    Open recording{device_};
    if (part.branches > 1) {
      run_branches(part, watch);
    } else {
      run_steps(part, watch);
    }
    copy_results(part, outputs);
    recording.open = false;
    part.recording = device_.end_recording();
  } catch (const Error&) {
    return false;
  }
  if (part.recording != nullptr && part.recording->size() >= kWorthRecording) return true;
  part.recording.reset();
  return false;
}

void Bound::forget_recordings() {
  for (Part& part : parts_) {
    if (part.state != Part::kRecorded) continue;
    part.recording.reset();
    part.state = Part::kWarm;
  }
}

void Bound::patch(const void* const* inputs, void* const* outputs, const uint64_t* versions) {
  for (const Patch& patch : in_from_inputs_) in_[patch.slot] = inputs[patch.number];
  for (const Patch& patch : in_from_outputs_) in_[patch.slot] = outputs[patch.number];
  for (const Patch& patch : out_from_outputs_) out_[patch.slot] = outputs[patch.number];
  for (const VersionPatch& patch : version_patches_)
    versions_[patch.slot] = patch.tensor->version();
  for (const Patch& patch : versions_from_inputs_) versions_[patch.slot] = versions[patch.number];
  if (device_.is_host()) return;
  bool moved = false;
  const auto note = [&](size_t slot, const void* address) {
    moved = moved || recorded_at_[slot] != address;
    recorded_at_[slot] = address;
  };
  for (size_t i = 0; i < inputs_.size(); ++i) note(i, inputs[i]);
  for (size_t i = 0; i < output_types_.size(); ++i) note(inputs_.size() + i, outputs[i]);
  if (moved) forget_recordings();
}

/// Versions never come back: what was made of the present ones has not been made of others since.
void Bound::refresh_kept(const Watch& watch) {
  kept_is_made_ = kept_is_made_ && std::equal(made_of_.begin(), made_of_.end(), versions_.begin());
  if (!kept_is_made_) make_kept(watch);
  if (!watch.check_finite) return;
  for (size_t i = 0; i < kept_count_; ++i) {
    const PlanStep& described = plan_.steps[steps_[i].number];
    try {
      require_finite_results(described, operands_of(steps_[i]));
    } catch (const Error& error) {
      throw with_origin(error, described);
    }
  }
}

[[gnu::cold]] void Bound::make_kept(const Watch& watch) {
  const Locked locked(kept_->lock());
  size_t patched = 0;
  const auto patch_to = [&](size_t end) {
    for (; patched < kept_patches_.size() && kept_patches_[patched].slot < end; ++patched) {
      versions_[kept_patches_[patched].slot] = kept_->version(kept_patches_[patched].buffer);
    }
  };
  for (size_t i = 0; i < kept_count_; ++i) {
    const BoundStep& step = steps_[i];
    patch_to(step.first_in + plan_.steps[step.number].inputs.size());
    kept_->refresh(i, versions_.data() + step.first_in, [&] {
      run_watched(step, watch);
      if (step.fault >= 0) require_no_fault();
    });
  }
  patch_to(in_.size());
  std::copy_n(versions_.begin(), made_of_.size(), made_of_.begin());
  kept_is_made_ = true;
}

void Bound::run_steps(const Part& part, const Watch& watch) {
  for (size_t i = part.first; i < part.last;) i += run_launch(i, watch);
}

/// The steps from `first` on that are done at once, each by itself where it is watched; how many.
size_t Bound::run_launch(size_t first, const Watch& watch) {
  const BoundStep& step = steps_[first];
  const bool watched = watch.times_ns != nullptr || watch.check_finite;
  if (step.joined == nullptr || watched) {
    run_watched(step, watch);
    return 1;
  }
  run_joined(step);
  return step.joined_count;
}

/// The same into the branches of a recording. All but the first one begin behind what it holds now,
/// and end in it.
[[gnu::cold]] void Bound::run_branches(const Part& part, const Watch& watch) {
  std::vector<std::unique_ptr<Mark>> marks(part.turns.size());
  std::vector<bool> begun(static_cast<size_t>(part.branches), false);
  const std::unique_ptr<Mark> start = device_.mark();
  begun[0] = true;
  for (size_t i = part.first, number = 0; i < part.last; ++number) {
    const Turn& turn = part.turns[number];
    const auto branch = static_cast<size_t>(turn.branch);
    device_.select_branch(turn.branch);
    if (!begun[branch]) device_.after(*start);
    begun[branch] = true;
    for (const size_t other : turn.after) device_.after(*marks[other]);
    i += run_launch(i, watch);
    if (turn.awaited) marks[number] = device_.mark();
  }
  device_.select_branch(0);
  for (const size_t end : part.ends) device_.after(*marks[end]);
}

void Bound::run_joined(const BoundStep& step) {
  try {
    step.joined->run(operands_of(step), thread_pool());
  } catch (const Error& error) {
    throw with_origin(error, plan_.steps[step.number]);
  }
}

void Bound::run_watched(const BoundStep& step, const Watch& watch) {
  ThreadPool& pool = thread_pool();
  if (watch.times_ns == nullptr) return run_step(step, pool, watch.check_finite);
  const int64_t start = now_ns();
  run_step(step, pool, watch.check_finite);
  device_.synchronize();
  watch.times_ns[step.number].fetch_add(now_ns() - start);
}

void Bound::clear_faults() {
  device_.clear(arena_ + faults_offset_, static_cast<int64_t>(fault_count_ * sizeof(Fault)));
}

/// Waits for the device and throws the Error of the first step that has left a Fault.
void Bound::require_no_fault() {
  device_.copy_out(faults_.data(), arena_ + faults_offset_,
                   static_cast<int64_t>(fault_count_ * sizeof(Fault)));
  for (const BoundStep& step : steps_) {
    if (step.fault < 0 || faults_[static_cast<size_t>(step.fault)].rank == 0) continue;
    const PlanStep& described = plan_.steps[step.number];
    const Status status = step.step->explain(faults_[static_cast<size_t>(step.fault)]);
    throw with_origin(index_error(described.kernel, status), described);
  }
}

Operands Bound::operands_of(const BoundStep& step) {
  Operands operands;
  operands.in = in_.data() + step.first_in;
  operands.out = out_.data() + step.first_out;
  operands.scratch = step.scratch;
  operands.versions = versions_.data() + step.first_in;
  if (step.fault >= 0) {
    operands.fault = reinterpret_cast<Fault*>(arena_ + faults_offset_) + step.fault;
  }
  return operands;
}

void Bound::run_step(const BoundStep& step, ThreadPool& pool, bool check_finite) {
  Operands operands = operands_of(step);
  operands.check_finite = check_finite;
  const PlanStep& described = plan_.steps[step.number];
  try {
    const Status status = step.step->run(operands, pool);
    if (status.code != Status::kOk) throw index_error(described.kernel, status);
    if (check_finite) require_finite_results(described, operands);
  } catch (const Error& error) {
    throw with_origin(error, described);
  }
}

/// Throws Error(kNotFinite) unless the results of a step are finite; looks at copies of what lies
/// on another device.
[[gnu::cold]] void Bound::require_finite_results(const PlanStep& step, const Operands& operands) {
  if (device_.is_host()) {
    require_finite(plan_, step, types_, operands.in, operands.out);
    return;
  }
  std::vector<Block> copies;
  const auto fetch = [&](uint32_t buffer, const void* from) {
    copies.emplace_back(types_[buffer].bytes());
    device_.copy_out(copies.back().data(), from, types_[buffer].bytes());
    return copies.back().data();
  };
  std::vector<const void*> in;
  std::vector<void*> out;
  for (size_t i = 0; i < step.inputs.size(); ++i)
    in.push_back(fetch(step.inputs[i], operands.in[i]));
  for (size_t i = 0; i < step.outputs.size(); ++i)
    out.push_back(fetch(step.outputs[i], operands.out[i]));
  require_finite(plan_, step, types_, in.data(), out.data());
}

void Bound::copy_outputs(void* const* outputs) {
  for (const OutputCopy& copy : output_copies_) {
    // A loop may give one place for two outputs that are the same value.
    if (outputs[copy.output] == in_[copy.slot]) continue;
    device_.copy(outputs[copy.output], in_[copy.slot], copy.bytes);
  }
}

void Bound::copy_updates() {
  for (const UpdateCopy& update : updates_) {
    if (update.staged_offset >= 0)
      device_.copy(arena_ + update.staged_offset, in_[update.slot], update.bytes);
  }
  for (const UpdateCopy& update : updates_) {
    const void* const source =
        update.staged_offset >= 0 ? arena_ + update.staged_offset : in_[update.slot];
    device_.copy(update.target, source, update.bytes);
  }
}

}  // namespace symk
