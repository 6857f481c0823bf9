// The plan of an op that takes rows by number. For *_step.cpp files, and for the bindings of other
// devices.
#pragma once

#include "cpu/element_bits.h"
#include "cpu/index.h"
#include "cpu/require.h"

namespace symk::cpu {

/// `addressed` is the array with the axis that indices number, `taken` the one with the axes of the
/// indices there.
inline IndexPlan plan_rows(const Binding& binding, const char* kernel, const Type& addressed,
                           const Type& indices, const Type& taken) {
  const int axis = axis_inside(binding, addressed, kernel);
  require_dtype(addressed, taken.dtype, kernel);
  bool fits = taken.rank == addressed.rank - 1 + indices.rank;
  for (int i = 0; fits && i < taken.rank; ++i) {
    const int64_t size = i < axis                  ? addressed.shape[i]
                         : i < axis + indices.rank ? indices.shape[i - axis]
                                                   : addressed.shape[i - indices.rank + 1];
    fits = taken.shape[i] == size;
  }
  require(fits, kernel, "the axes of the indices must take the place of the axis");
  IndexPlan plan;
  for (int i = 0; i < axis; ++i) plan.outer *= addressed.shape[i];
  for (int i = axis + 1; i < addressed.rank; ++i) plan.row *= addressed.shape[i];
  plan.limit = addressed.shape[axis];
  plan.count = indices.count();
  plan.item = static_cast<int>(item_bytes(addressed.dtype));
  return plan;
}

struct OneHotPlan {
  int64_t count, depth;  // of the indices, and of each one's row
  int64_t item;          // bytes
  uint64_t one;          // its bits
};

inline OneHotPlan plan_one_hot(const Binding& binding) {
  require_operands(binding, "one_hot", 1, 1);
  const Type& indices = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  require(y.rank == indices.rank + 1, "one_hot", "y must have one axis more than the indices");
  const int64_t count = indices.count(), depth = y.shape[y.rank - 1];
  require(y.count() == count * depth, "one_hot", "the sizes must agree");
  return {count, depth, item_bytes(y.dtype), element_bits(1, y.dtype)};
}

}  // namespace symk::cpu
