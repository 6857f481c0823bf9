// Which steps are kept. What decides is known without the inputs, so all bindings of a Program have
// the same ones.
#include "runtime/kept.h"

#include "runtime/kernel.h"
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/sizes.h"

namespace symk {
namespace {

// So many elements are worth keeping whatever they are made of.
constexpr int64_t kFewElements = int64_t{1} << 14;

/// Whether sizes that a kernel asks for depend on the inputs.
bool asks_for_input_sizes(const Plan& plan, const PlanStep& step) {
  const auto depends = [&](int64_t size) { return plan.known[static_cast<size_t>(size)] < 0; };
  for (const Attribute& attribute : step.attributes) {
    if (attribute.tag == Attribute::kSize && depends(attribute.integer)) return true;
    if (attribute.tag != Attribute::kSizes) continue;
    if (std::any_of(attribute.integers.begin(), attribute.integers.end(), depends)) return true;
  }
  return false;
}

/// Says of each buffer whether it keeps its value from call to call, and of each step whether its
/// results do.
class Choice {
 public:
  explicit Choice(const Plan& plan)
      : plan_(plan), lasts_(plan.buffers.size(), false), read_(plan.buffers.size(), false) {
    for (const auto& body : plan.plans) acting_.push_back(body->acts());
    const std::vector<bool> changed = plan.changed_shared();
    for (size_t i = 0; i < plan.buffers.size(); ++i) {
      const Buffer& buffer = plan.buffers[i];
      const auto number = static_cast<size_t>(buffer.reference);
      lasts_[i] =
          buffer.kind == Buffer::kConstant || (buffer.kind == Buffer::kShared && !changed[number]);
    }
    for (const PlanStep& step : plan.steps) {
      for (const uint32_t buffer : step.inputs) read_[root(buffer)] = true;
    }
  }

  bool take(const PlanStep& step) {
    if (!can_be_kept(step) || !is_worth_memory(step)) return false;
    for (const uint32_t buffer : step.outputs) lasts_[buffer] = true;
    return true;
  }

 private:
  uint32_t root(uint32_t buffer) const { return plan_.buffers[buffer].root; }

  bool can_be_kept(const PlanStep& step) const {
    const auto lasts = [&](uint32_t buffer) { return lasts_[root(buffer)]; };
    const auto is_temporary = [&](uint32_t buffer) {
      return plan_.buffers[buffer].kind == Buffer::kTemporary;
    };
    return std::all_of(step.inputs.begin(), step.inputs.end(), lasts) &&
           std::all_of(step.outputs.begin(), step.outputs.end(), is_temporary) &&
           !asks_for_input_sizes(plan_, step) && !acts_or_runs_what_does(step);
  }

  bool acts_or_runs_what_does(const PlanStep& step) const {
    const auto is_acting = [&](const Attribute& attribute) {
      return attribute.tag == Attribute::kPlan && acting_[static_cast<size_t>(attribute.integer)];
    };
    return acts(step.kernel) ||
           std::any_of(step.attributes.begin(), step.attributes.end(), is_acting);
  }

  /// What only the caller reads is his memory already.
  bool is_worth_memory(const PlanStep& step) const {
    int64_t given = 0, made = 0;
    bool is_read = false;
    for (const uint32_t buffer : step.inputs) {
      const int64_t count = elements(buffer);
      if (count < 0) return false;
      given = checked_add(given, count);
    }
    for (const uint32_t buffer : step.outputs) {
      const int64_t count = elements(buffer);
      if (count < 0) return false;
      made = checked_add(made, count);
      is_read = is_read || read_[buffer];
    }
    return is_read && made > 0 && made <= std::max(given, kFewElements);
  }

  /// The elements of a buffer, or -1 if the inputs decide.
  int64_t elements(uint32_t buffer) const {
    int64_t count = 1;
    for (const int64_t size : plan_.known_shape(buffer)) {
      if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
    }
    return count;
  }

  const Plan& plan_;
  std::vector<bool> lasts_, read_;  // per buffer
  std::vector<bool> acting_;        // per body
};

}  // namespace

KeptResults::KeptResults(const Plan& plan, Device& device)
    : device_(device), results_(plan.buffers.size()) {
  choose(plan);
  place_results(plan);
}

void KeptResults::choose(const Plan& plan) {
  Choice choice(plan);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    if (!choice.take(step)) continue;
    steps_.push_back(static_cast<uint32_t>(i));
    made_.push_back({false, std::vector<uint64_t>(step.inputs.size()), step.outputs});
  }
}

/// No two results share memory: any of them may be read again when another has changed.
void KeptResults::place_results(const Plan& plan) {
  for (const uint32_t step : steps_) {
    for (const uint32_t buffer : plan.steps[step].outputs) {
      results_[buffer].offset = wanted_bytes_;
      const int64_t bytes = bound_type(plan, buffer, plan.known).bytes();
      wanted_bytes_ = checked_add(wanted_bytes_, aligned_size(bytes));
    }
  }
}

void* KeptResults::data(uint32_t buffer) {
  const Locked locked(memory_lock_);
  if (memory_.data() == nullptr) memory_ = DeviceMemory(device_, wanted_bytes_, Use::kValues);
  return memory_.data() + results_[buffer].offset;
}

int64_t KeptResults::bytes() {
  const Locked locked(memory_lock_);
  return memory_.data() == nullptr ? 0 : wanted_bytes_;
}

}  // namespace symk
