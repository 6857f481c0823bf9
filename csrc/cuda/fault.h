// What kernels of the device must refuse: indices outside their range. The first position counts,
// whatever order the threads run in.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cpu/require.h"
#include "cuda/device.h"
#include "cuda/item.h"

namespace symk::cuda {

/// The indices from `low` to below `high`; messages name `limit`, the size of the axis.
struct IndexRange {
  int64_t low, high;
  int64_t limit() const { return high; }
};

/// Notes in a Fault that `position` is to be refused, unless an earlier one is noted.
SYMK_HD void note_position(Fault* fault, int64_t position) {
  atomicMax(reinterpret_cast<unsigned long long*>(&fault->rank),
            static_cast<unsigned long long>(UINT64_MAX - static_cast<uint64_t>(position)));
}

template <class I>
struct FindOutside {
  const I* indices;
  IndexRange range;
  Fault* fault;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t index = static_cast<int64_t>(indices[i]);
    if (index < range.low || index >= range.high) note_position(fault, i);
  }
};

/// After all positions are noted: the value at the one that is left.
template <class I>
struct NoteValue {
  const I* indices;
  int64_t limit;
  Fault* fault;
  SYMK_HD void operator()(int64_t) const {
    if (fault->rank == 0) return;
    fault->value = static_cast<int64_t>(indices[UINT64_MAX - fault->rank]);
    fault->limit = limit;
  }
};

/// Leaves a Fault for the first index outside the range. The kernels that follow must not touch
/// what such an index points to.
template <class I>
void check_indices(const Queue& queue, const I* indices, int64_t count, const IndexRange& range,
                   Fault* fault) {
  each(queue, count, FindOutside<I>{indices, range, fault});
  each(queue, count > 0 ? 1 : 0, NoteValue<I>{indices, range.limit(), fault});
}

/// A step that may leave a Fault. `needs` are the texts that Fault::need counts, or null where only
/// indices outside their axis are refused; they begin with the text of need 1.
template <class F>
std::unique_ptr<Step> make_checked_step(const Binding& binding, F f,
                                        const char* const* needs = nullptr,
                                        std::string manner = "") {
  class CheckedStep final : public Step {
   public:
    CheckedStep(const Queue& queue, F f, const char* const* needs, std::string manner)
        : queue_(queue), f_(std::move(f)), needs_(needs), manner_(std::move(manner)) {}
    Status run(const Operands& operands, ThreadPool&) override {
      f_(queue_, operands);
      return Status();
    }
    bool may_fail() const override { return true; }
    std::string manner() const override { return manner_; }
    Status explain(const Fault& fault) const override {
      Status status = Step::explain(fault);
      if (fault.need > 0) status.need = needs_[fault.need - 1];
      return status;
    }

   private:
    const Queue queue_;
    F f_;
    const char* const* const needs_;
    const std::string manner_;
  };
  return std::make_unique<CheckedStep>(queue_of(binding), std::move(f), needs, std::move(manner));
}

/// What is wrong with something, once it is known which is the first.
struct Refusal {
  int64_t need = 0;  // 0: nothing
  int64_t value = 0, position = 0, limit = 0;
};

/// Writes a refusal into the Fault that has led to it.
SYMK_HD void note_refusal(Fault* fault, const Refusal& refusal) {
  fault->need = refusal.need;
  fault->value = refusal.value;
  fault->limit = refusal.limit;
  fault->rank = UINT64_MAX - static_cast<uint64_t>(refusal.position);
}

/// f(TypeTag<I>()) for a dtype of indices.
template <class F>
auto with_index(const char* kernel, DType dtype, F f) {
  switch (dtype) {
    case DType::kInt8: return f(TypeTag<int8_t>());
    case DType::kInt16: return f(TypeTag<int16_t>());
    case DType::kInt32: return f(TypeTag<int32_t>());
    case DType::kInt64: return f(TypeTag<int64_t>());
    case DType::kUInt8: return f(TypeTag<uint8_t>());
    default: throw cpu::no_dtype(kernel, dtype);
  }
}

}  // namespace symk::cuda
