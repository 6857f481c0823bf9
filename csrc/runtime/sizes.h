// Evaluates the integer expressions of a Plan.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/plan.h"

namespace symk {

/// The shape of one fed array.
struct Shape {
  int rank = 0;
  int64_t size[kMaxRank] = {};

  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (int i = 0; i < rank; ++i) {
      if (size[i] != other.size[i]) return false;
    }
    return true;
  }
};

Shape shape_of(const Type& type);

/// All sizes at these input shapes. Throws Error(kShape) for a division by zero, sizes that cannot
/// be broadcast, or one that does not fit 63 bits. The shapes must have the ranks of the inputs.
std::vector<int64_t> evaluate_sizes(const Plan& plan, const std::vector<Shape>& inputs);

/// The sizes that are the same for all inputs; the others are -1.
std::vector<int64_t> known_sizes(const Plan& plan);

/// The type of a buffer at evaluated sizes. Throws Error(kShape) for a negative size, or more bytes
/// than 63 bits count.
Type bound_type(const Plan& plan, uint32_t buffer, const std::vector<int64_t>& sizes);

}  // namespace symk
