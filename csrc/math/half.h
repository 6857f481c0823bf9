// float16 as a bit pattern, to and from float. Plain integer arithmetic without branches, so that
// loops become vectors.
#pragma once

#include "math/lanes.h"

namespace symk::math {
inline namespace SYMK_ISA {

SYMK_HD uint32_t float_bits(float x) { return static_cast<uint32_t>(bits(x)); }
SYMK_HD float float_of(uint32_t x) { return bit_cast<float>(static_cast<int32_t>(x)); }

SYMK_HD float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, rest = (half & 0x7fffu) << 13;
  const uint32_t finite =
      float_bits(float_of(rest) * 0x1p112f);  // moves the exponent, of denormal numbers too
  return float_of(sign | (rest >= 0x0f800000u ? rest | 0x7f800000u : finite));
}

/// Rounds to nearest, halves to even.
SYMK_HD uint16_t float_to_half(float x) {
  const uint32_t all = float_bits(x), sign = (all >> 16) & 0x8000u, size = all & 0x7fffffffu;
  // Adding 1/2 leaves the digits of a denormal result in the low bits.
  const uint32_t denormal = float_bits(float_of(size) + 0.5f) - float_bits(0.5f);
  const uint32_t normal = (size - (112u << 23) + 0xfffu + ((size >> 13) & 1u)) >> 13;
  const uint32_t special = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t finite = size < 0x38800000u ? denormal : normal;
  return static_cast<uint16_t>(
      sign | (size >= 0x477ff000u ? special : finite));  // 65520 and above are infinite
}

/// To float such that rounding again, to float16, gives what rounding once would: an inexact result
/// gets an odd last bit.
SYMK_HD float double_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  const double back = static_cast<double>(nearest);
  const bool too_large = abs(back) > abs(x);
  const bool inexact = (back != x) & (x == x);
  const int32_t cut = bits(nearest) - (too_large ? 1 : 0);
  return inexact ? bit_cast<float>(cut | 1) : nearest;
}

}  // namespace SYMK_ISA
}  // namespace symk::math
