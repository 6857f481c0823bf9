// The steady state: patch the addresses that changed, run the steps, copy what has to be copied.
#include "runtime/bound.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "runtime/error.h"
#include "runtime/finite.h"

namespace symk {
namespace {

constexpr int64_t kCopyPart =
    int64_t{1} << 20;  // bytes: large enough that a part costs more than handing it out

void copy_bytes(void* to, const void* from, int64_t bytes) {
  if (bytes <= kCopyPart) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  thread_pool().parallel((bytes + kCopyPart - 1) / kCopyPart, [&](int64_t part) {
    const int64_t begin = part * kCopyPart;
    std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                static_cast<size_t>(std::min(kCopyPart, bytes - begin)));
  });
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Error index_error(const std::string& kernel, const Status& status) {
  return Error(ErrorCode::kOutOfRange,
               "[" + kernel + "] " + status.need + " " + std::to_string(status.limit) + "; " +
                   std::to_string(status.value) + " was given at position " +
                   std::to_string(status.position) + ".");
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
}

void Bound::run(const void* const* inputs, void* const* outputs, const uint64_t* versions,
                const Watch& watch) {
  patch(inputs, outputs, versions);
  // Also when a step fails: an earlier one may have written.
  struct Changed {
    const std::vector<Tensor*>& tensors;
    ~Changed() {
      for (Tensor* tensor : tensors) tensor->changed();
    }
  } changed{written_by_steps_};
  run_steps(watch);
  copy_outputs(outputs);
  apply_updates();
}

void Bound::patch(const void* const* inputs, void* const* outputs, const uint64_t* versions) {
  for (const Patch& patch : in_from_inputs_) in_[patch.slot] = inputs[patch.number];
  for (const Patch& patch : in_from_outputs_) in_[patch.slot] = outputs[patch.number];
  for (const Patch& patch : out_from_outputs_) out_[patch.slot] = outputs[patch.number];
  for (const VersionPatch& patch : version_patches_)
    versions_[patch.slot] = patch.tensor->version();
  for (const Patch& patch : versions_from_inputs_) versions_[patch.slot] = versions[patch.number];
}

void Bound::run_steps(const Watch& watch) {
  ThreadPool& pool = thread_pool();
  for (const BoundStep& step : steps_) {
    if (watch.times_ns == nullptr) {
      run_step(step, pool, watch.check_finite);
    } else {
      const int64_t start = now_ns();
      run_step(step, pool, watch.check_finite);
      watch.times_ns[step.number].fetch_add(now_ns() - start);
    }
  }
}

void Bound::run_step(const BoundStep& step, ThreadPool& pool, bool check_finite) {
  Operands operands;
  operands.in = in_.data() + step.first_in;
  operands.out = out_.data() + step.first_out;
  operands.scratch = step.scratch;
  operands.versions = versions_.data() + step.first_in;
  operands.check_finite = check_finite;
  const PlanStep& described = plan_.steps[step.number];
  try {
    const Status status = step.step->run(operands, pool);
    if (status.code != Status::kOk) throw index_error(described.kernel, status);
    if (check_finite) require_finite(plan_, described, types_, operands.in, operands.out);
  } catch (const Error& error) {
    throw with_origin(error, described);
  }
}

void Bound::copy_outputs(void* const* outputs) {
  for (const OutputCopy& copy : output_copies_) {
    // A loop may give one place for two outputs that are the same value.
    if (outputs[copy.output] == in_[copy.slot]) continue;
    copy_bytes(outputs[copy.output], in_[copy.slot], copy.bytes);
  }
}

void Bound::apply_updates() {
  for (const UpdateCopy& update : updates_) {
    if (update.staged_offset >= 0)
      copy_bytes(arena_ + update.staged_offset, in_[update.slot], update.bytes);
  }
  for (const UpdateCopy& update : updates_) {
    const void* const source =
        update.staged_offset >= 0 ? arena_ + update.staged_offset : in_[update.slot];
    copy_bytes(update.tensor->data(), source, update.bytes);
    update.tensor->changed();
  }
}

}  // namespace symk
