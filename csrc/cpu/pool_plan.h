// The plan of a pool, read from the attributes and shapes of a step. For *_step.cpp files, and for
// the bindings of other devices.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/pool.h"
#include "cpu/require.h"

namespace symk::cpu {

/// Completes an axis by TensorFlow's rules. Throws Error when it has another number of windows.
inline void finish_axis(PoolAxis& axis, bool same, const char* kernel) {
  // So large a window has no use, and sums of sizes cannot overflow below it.
  constexpr int64_t limit = int64_t{1} << 31;
  require(axis.window > 0 && axis.window < limit && axis.stride > 0 && axis.stride < limit, kernel,
          "window and strides must be between 1 and 2^31");
  int64_t wanted = axis.size < axis.window ? 0 : (axis.size - axis.window) / axis.stride + 1;
  if (same) {
    wanted = (axis.size + axis.stride - 1) / axis.stride;
    axis.before = std::max<int64_t>(0, (wanted - 1) * axis.stride + axis.window - axis.size) / 2;
  }
  require(axis.results == wanted, kernel, "the result must have one element per window");
}

inline PoolPlan plan_pool(const Binding& binding, const char* kernel, const Type& x,
                          const Type& y) {
  const std::vector<int64_t> window = binding.integers("window");
  const std::vector<int64_t> strides = binding.integers("strides");
  const std::string padding = binding.text("padding");
  const bool same = padding == "same";
  const int rank = x.rank - 2;
  require(same || padding == "valid", kernel, "padding must be \"same\" or \"valid\"");
  require(rank >= 1 && rank <= 3 && y.rank == x.rank &&
              window.size() == static_cast<size_t>(rank) && strides.size() == window.size(),
          kernel, "there must be one to three axes, and a window and a stride for each");
  require_dtype(y, x.dtype, kernel);
  require(x.shape[0] == y.shape[0] && x.shape[rank + 1] == y.shape[rank + 1], kernel,
          "volumes and channels must be as many in the result");
  PoolPlan plan;
  plan.batch = x.shape[0];
  plan.channels = x.shape[rank + 1];
  // Work is split by planes, so the first axis of any rank is that of planes.
  PoolAxis* axes[3] = {&plan.planes, rank == 2 ? &plan.columns : &plan.rows, &plan.columns};
  for (int i = 0; i < rank; ++i) {
    *axes[i] = {x.shape[i + 1], y.shape[i + 1], window[i], strides[i], 0};
    finish_axis(*axes[i], same, kernel);
  }
  return plan;
}

}  // namespace symk::cpu
