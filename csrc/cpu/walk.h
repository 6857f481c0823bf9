// Operands of the ops that move elements, as walks over axes: one size and two strides per axis.
// For *_step.cpp files, and for the bindings of other devices.
#pragma once

#include <vector>

#include "cpu/require.h"

namespace symk::cpu {

/// One axis of a walk: its size and its strides in x and y, in items.
struct Axis {
  int64_t size, from, to;
};

inline std::vector<int64_t> dense_strides(const Type& type) {
  std::vector<int64_t> strides(type.rank);
  int64_t stride = 1;
  for (int axis = type.rank - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= type.shape[axis];
  }
  return strides;
}

/// Drops axes of size 1 and joins neighbours that are one run in both arrays.
inline std::vector<Axis> collapse(const std::vector<Axis>& axes) {
  std::vector<Axis> result;
  for (const Axis& axis : axes) {
    if (axis.size == 1) continue;
    if (!result.empty() && result.back().from == axis.from * axis.size &&
        result.back().to == axis.to * axis.size) {
      result.back() = {result.back().size * axis.size, axis.from, axis.to};
    } else {
      result.push_back(axis);
    }
  }
  return result;
}

inline std::vector<Axis> copy_axes(const Binding& binding) {
  require_operands(binding, "copy", 1, 1);
  const Type& type = binding.outputs()[0];
  require_dtype(binding.inputs()[0], type.dtype, "copy");
  require(binding.inputs()[0].count() == type.count(), "copy",
          "the numbers of elements must agree");
  return {{type.count(), 1, 1}};
}

inline std::vector<Axis> broadcast_axes(const Binding& binding) {
  require_operands(binding, "broadcast_to", 1, 1);
  const Type& x = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  require_dtype(x, y.dtype, "broadcast_to");
  require(x.rank <= y.rank, "broadcast_to", "x must have no more axes than y");
  const std::vector<int64_t> from = dense_strides(x), to = dense_strides(y);
  std::vector<Axis> axes;
  for (int axis = 0; axis < y.rank; ++axis) {
    const int own = axis - (y.rank - x.rank);
    const bool repeats = own < 0 || x.shape[own] == 1;
    require(repeats || x.shape[own] == y.shape[axis], "broadcast_to",
            "x must have sizes of 1 or those of y");
    axes.push_back({y.shape[axis], repeats ? 0 : from[own], to[axis]});
  }
  return axes;
}

inline std::vector<Axis> transpose_axes(const Binding& binding) {
  require_operands(binding, "transpose", 1, 1);
  const Type& x = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  require_dtype(x, y.dtype, "transpose");
  require(x.rank == y.rank, "transpose", "the ranks must agree");
  const std::vector<int64_t> perm = per_axis(binding, "perm", x, "transpose");
  const std::vector<int64_t> from = dense_strides(x), to = dense_strides(y);
  std::vector<Axis> axes;
  std::vector<bool> seen(perm.size());
  for (int axis = 0; axis < y.rank; ++axis) {
    const int64_t own = perm[axis];
    require(own >= 0 && own < x.rank && !seen[own] && x.shape[own] == y.shape[axis], "transpose",
            "perm must be a permutation that gives the sizes of y");
    seen[own] = true;
    axes.push_back({y.shape[axis], from[own], to[axis]});
  }
  return axes;
}

/// A walk into a part of y that begins at `to_base`, or from a part of x that begins at
/// `from_base`.
struct PartialWalk {
  std::vector<Axis> axes;
  int64_t from_base = 0, to_base = 0;
};

/// One walk per input.
inline std::vector<PartialWalk> concat_walks(const Binding& binding) {
  require_operands(binding, "concat", binding.inputs().size(), 1);
  const Type& y = binding.outputs()[0];
  const int axis = axis_inside(binding, y, "concat");
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= y.shape[i];
  for (int i = axis + 1; i < y.rank; ++i) inner *= y.shape[i];
  std::vector<PartialWalk> walks;
  int64_t offset = 0;
  for (const Type& x : binding.inputs()) {
    require_dtype(x, y.dtype, "concat");
    require(same_but_axis(y, x, axis), "concat", "the sizes of the other axes must agree");
    const int64_t length = x.shape[axis] * inner;
    walks.push_back({{{outer, length, y.shape[axis] * inner}, {length, 1, 1}}, 0, offset});
    offset += length;
  }
  require(offset == y.shape[axis] * inner, "concat", "the sizes must add up to that of y");
  return walks;
}

/// Whether positions begin, begin + step, ... (`count` of them) are all in 0..size-1.
inline bool positions_inside(int64_t begin, int64_t step, int64_t count, int64_t size) {
  if (count == 0) return true;
  if (begin < 0 || begin >= size) return false;
  if (count == 1 || step == 0) return count == 1;
  const int64_t room = step > 0 ? size - 1 - begin : begin;
  // -step would overflow for the least integer, so the division is done on the other side.
  return (step > 0 ? room / step : -(room / step)) >= count - 1;
}

/// The walk from the elements that `begin` and `step` choose from `whole` to `part`, which are as
/// many.
inline PartialWalk select_elements(const Binding& binding, const char* kernel, const Type& whole,
                                   const Type& part) {
  require_dtype(whole, part.dtype, kernel);
  require(whole.rank == part.rank, kernel, "the ranks must agree");
  const std::vector<int64_t> begin = per_axis(binding, "begin", whole, kernel);
  const std::vector<int64_t> step = per_axis(binding, "step", whole, kernel);
  const std::vector<int64_t> from = dense_strides(whole), to = dense_strides(part);
  PartialWalk walk;
  if (part.count() == 0) return {{{0, 1, 1}}, 0, 0};
  for (int axis = 0; axis < whole.rank; ++axis) {
    require(positions_inside(begin[axis], step[axis], part.shape[axis], whole.shape[axis]), kernel,
            "begin and step must stay inside the array");
    // From a single element nobody steps on, so its step may be any number.
    const int64_t next = part.shape[axis] == 1 ? 0 : from[axis] * step[axis];
    walk.axes.push_back({part.shape[axis], next, to[axis]});
    walk.from_base += begin[axis] * from[axis];
  }
  return walk;
}

/// The same walk the other way.
inline PartialWalk reversed(const PartialWalk& walk) {
  PartialWalk back;
  for (const Axis& axis : walk.axes) back.axes.push_back({axis.size, axis.to, axis.from});
  back.from_base = walk.to_base;
  back.to_base = walk.from_base;
  return back;
}

/// Where x stands in y, checked: `before` and `after` of each axis.
inline std::vector<int64_t> padding_before(const Binding& binding) {
  require_operands(binding, "pad", 1, 1);
  const Type& x = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  require_dtype(x, y.dtype, "pad");
  require(x.rank == y.rank, "pad", "the ranks must agree");
  const std::vector<int64_t> before = per_axis(binding, "before", x, "pad");
  const std::vector<int64_t> after = per_axis(binding, "after", x, "pad");
  for (int axis = 0; axis < x.rank; ++axis) {
    const int64_t added = y.shape[axis] - x.shape[axis];
    require(before[axis] >= 0 && before[axis] <= added && after[axis] == added - before[axis],
            "pad", "before and after must be what y has more than x");
  }
  return before;
}

}  // namespace symk::cpu
