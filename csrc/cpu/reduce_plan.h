// The axes of reductions. For *_step.cpp files, and for the bindings of other devices.
#pragma once

#include <vector>

#include "cpu/require.h"

namespace symk::cpu {

/// Per axis of so many: whether the attribute `axes` names it.
inline std::vector<bool> reduced_axes(const Binding& binding, const char* kernel, int rank) {
  std::vector<bool> reduced(static_cast<size_t>(rank));
  for (int64_t axis : binding.integers("axes")) {
    require(axis >= 0 && axis < rank, kernel, "the axes must be inside the rank");
    reduced[static_cast<size_t>(axis)] = true;
  }
  return reduced;
}

/// The same for a kernel of one operand.
inline std::vector<bool> reduced_axes(const Binding& binding, const char* kernel) {
  require_operands(binding, kernel, 1, 1);
  return reduced_axes(binding, kernel, binding.inputs()[0].rank);
}

/// Per axis of x: whether y, of sum_to, repeats along it.
inline std::vector<bool> repeated_axes(const Type& x, const Type& y) {
  require(x.rank >= y.rank, "sum_to", "y must have no more axes than x");
  std::vector<bool> repeated(static_cast<size_t>(x.rank));
  for (int axis = 0; axis < x.rank; ++axis) {
    const int own = axis - (x.rank - y.rank);
    const bool repeats = own < 0 || (y.shape[own] == 1 && x.shape[axis] != 1);
    require(repeats || y.shape[own] == x.shape[axis], "sum_to", "y must broadcast to x");
    repeated[static_cast<size_t>(axis)] = repeats;
  }
  return repeated;
}

}  // namespace symk::cpu
