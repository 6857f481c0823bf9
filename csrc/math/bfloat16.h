// float32 rounded to the numbers that bfloat16 has.
#pragma once

#include "math/half.h"

namespace symk::math {
inline namespace SYMK_ISA {

/// To nearest, halves to even; what is smaller than the least normal number is zero.
SYMK_HD float rounded_to_bfloat16(float x) {
  constexpr uint32_t exponent = 0x7f800000u, sign = 0x80000000u, high = 0xffff0000u;
  const uint32_t all = float_bits(x);
  const uint32_t nearest = all + 0x7fffu + ((all >> 16) & 1u);
  const uint32_t normal = (all & ~sign) > exponent ? all | 0x00400000u : nearest;
  return float_of(((all & exponent) == 0 ? all & sign : normal) & high);
}

}  // namespace SYMK_ISA
}  // namespace symk::math
