// Casts between the dtypes: of scalars, as they stand in registers.
#pragma once

#include "math/half.h"

namespace symk::math {
inline namespace SYMK_ISA {

/// From floating numbers to integers: cut towards zero; what lies outside becomes the nearest
/// limit, NaN becomes 0.
template <class From, class To>
SYMK_HD To saturate(From x) {
  constexpr int digits = sizeof(To) * 8 - (std::is_signed_v<To> ? 1 : 0);
  constexpr From above = static_cast<From>(uint64_t{1} << (digits - 1)) * From(2);
  constexpr From lowest = std::is_signed_v<To> ? -above : From(0);
  constexpr To largest = static_cast<To>((uint64_t{1} << digits) - 1);
  From inside = x < above ? x : From(0);  // NaN, too
  inside = inside >= lowest ? inside : lowest;
  const To cut = static_cast<To>(inside);
  return x >= above ? largest : cut;
}

template <class From, class To>
SYMK_HD To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return saturate<From, To>(x);
  } else {
    return static_cast<To>(x);
  }
}

/// The nearest number that float16 has, as a float.
template <class From>
SYMK_HD float rounded_to_half(From x) {
  if constexpr (std::is_same_v<From, double>) {
    return half_to_float(float_to_half(double_to_odd(x)));
  } else {
    return half_to_float(float_to_half(static_cast<float>(x)));
  }
}

}  // namespace SYMK_ISA
}  // namespace symk::math
