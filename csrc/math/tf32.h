// float32 rounded to the numbers that TF32 has: 10 bits of fraction, the exponent of float32.
#pragma once

#include "math/half.h"

namespace symk::math {
inline namespace SYMK_ISA {

/// To nearest, halves away from zero. NaN does not stay one.
SYMK_HD float nearest_tf32(float x) { return float_of((float_bits(x) + 0x1000u) & 0xffffe000u); }

/// The same, as `cvt.rna.tf32.f32` does it, of any number.
SYMK_HD float rounded_to_tf32(float x) {
  return is_nan(x) ? float_of(float_bits(x) | 0x00400000u) : nearest_tf32(x);
}

}  // namespace SYMK_ISA
}  // namespace symk::math
