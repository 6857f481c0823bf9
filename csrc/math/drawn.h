// The type in which random numbers are drawn for results of another, and how a result is made of
// one.
#pragma once

#include <type_traits>

#include "math/half.h"

namespace symk::math {
inline namespace SYMK_ISA {

/// A float16 as a type of its own, so that it is no integer of 16 bits.
struct Half {
  uint16_t bits;
};

/// The type in which a result of type R is drawn.
template <class R>
using DrawnAs = std::conditional_t<std::is_same_v<R, double>, double, float>;

/// A drawn number as a result.
template <class R, class T>
SYMK_HD R from_drawn(T x) {
  if constexpr (std::is_same_v<R, Half>) {
    return {float_to_half(static_cast<float>(x))};
  } else {
    return static_cast<R>(x);
  }
}

}  // namespace SYMK_ISA
}  // namespace symk::math
