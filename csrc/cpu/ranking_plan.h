// The sizes of the ops that rank rows. For *_step.cpp files, and for the bindings of other devices.
#pragma once

#include "cpu/require.h"

namespace symk::cpu {

/// Rows of n elements, of which k count.
struct RankingPlan {
  int64_t rows, n, k;
};

inline RankingPlan plan_top_k(const Binding& binding) {
  constexpr const char* name = "top_k";
  require_operands(binding, name, 1, 2);
  const Type& x = binding.inputs()[0];
  const Type& largest = binding.outputs()[0];
  const Type& positions = binding.outputs()[1];
  require(x.rank >= 1 && same_but_axis(x, largest, x.rank - 1) && same_shape(largest, positions),
          name, "the results must have the shape of x but for the last axis");
  require_dtype(largest, x.dtype, name);
  require_dtype(positions, DType::kInt64, name);
  const int64_t n = x.shape[x.rank - 1], k = largest.shape[x.rank - 1];
  require(k <= n, name, "k must not be larger than the last axis");
  return {k == 0 ? 0 : largest.count() / k, n, k};
}

inline RankingPlan plan_in_top_k(const Binding& binding) {
  constexpr const char* name = "in_top_k";
  require_operands(binding, name, 2, 1);
  const Type& predictions = binding.inputs()[0];
  const Type& targets = binding.inputs()[1];
  require(predictions.rank == 2 && targets.rank == 1 &&
              predictions.shape[0] == targets.shape[0] &&
              same_shape(targets, binding.outputs()[0]),
          name, "predictions must be (rows, classes), targets and results (rows)");
  require_dtype(binding.outputs()[0], DType::kBool, name);
  return {predictions.shape[0], predictions.shape[1], binding.integer("k")};
}

}  // namespace symk::cpu
