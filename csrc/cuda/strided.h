// Walks over axes on the device: the place in two arrays of the i-th position.
#pragma once

#include <vector>

#include "cpu/walk.h"
#include "cuda/launch.h"

namespace symk::cuda {

struct Places {
  int64_t from, to;
};

/// The axes of a walk, in the form that kernels take.
struct Walk {
  int rank = 0;
  int64_t size[kMaxRank] = {}, from[kMaxRank] = {}, to[kMaxRank] = {};
  int64_t from_base = 0, to_base = 0, count = 1;

  SYMK_HD Places places(int64_t position) const {
    Places places = {from_base, to_base};
    for (int axis = rank - 1; axis > 0; --axis) {
      const int64_t index = position % size[axis];
      position /= size[axis];
      places.from += index * from[axis];
      places.to += index * to[axis];
    }
    if (rank > 0) {
      places.from += position * from[0];
      places.to += position * to[0];
    }
    return places;
  }
};

inline Walk walk_over(const std::vector<cpu::Axis>& axes, int64_t from_base = 0,
                      int64_t to_base = 0) {
  Walk walk;
  walk.from_base = from_base;
  walk.to_base = to_base;
  for (const cpu::Axis& axis : axes) walk.count *= axis.size;
  for (const cpu::Axis& axis : cpu::collapse(axes)) {
    walk.size[walk.rank] = axis.size;
    walk.from[walk.rank] = axis.from;
    walk.to[walk.rank++] = axis.to;
  }
  return walk;
}

}  // namespace symk::cuda
