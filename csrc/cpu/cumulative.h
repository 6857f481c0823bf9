// Running sums and products along an axis, and the linear recurrence y[i] = a[i] y[i-1] + b[i].
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// How many lines one call takes at most: beside each other, and one behind the other.
constexpr int64_t kCumulativeWidth = 128;
constexpr int64_t kCumulativeRows = 8;

/// `width` lines that begin `apart` elements from each other, each of n elements that are `stride`
/// elements apart; a negative stride comes from the end.
struct CumulativeLines {
  int64_t n, stride, width, apart;
};

struct CumulativeKernels {
  /// Addresses are those of the first elements taken.
  using Lines = void (*)(const void* a, const void* b, void* y, const CumulativeLines& lines);

  Lines sum[kDTypeCount], product[kDTypeCount];  // of a; integers in `integers` alone
  Lines recurrence[kDTypeCount];                 // null unless float32 or float64

  template <Isa isa>
  static const CumulativeKernels& of();
};
template <>
const CumulativeKernels& CumulativeKernels::of<Isa::portable>();
template <>
const CumulativeKernels& CumulativeKernels::of<Isa::avx2>();
template <>
const CumulativeKernels& CumulativeKernels::of<Isa::avx512>();
template <>
const CumulativeKernels& CumulativeKernels::of<Isa::integers>();

}  // namespace symk::cpu
