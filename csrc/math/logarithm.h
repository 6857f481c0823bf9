// log, log1p and what follows from them: softplus, asinh, acosh, atanh. Within about 2 units in the
// last place; infinities, NaN, -0 and denormal numbers as C's functions give them. Source: float
// coefficients by coefficients.py; double form as in Tang 1990, with s = f / (2 + f).
#pragma once

#include "math/exponential.h"
#include "math/lanes.h"

namespace symk::math {
inline namespace SYMK_ISA {

// (log(1 + f) - f + f^2 / 2) / f^3
SYMK_TABLE constexpr float kLogarithmTermsF32[] = {0.333333105f,  -0.25f,        0.200022265f,
                                                   -0.166685268f, 0.142181218f,  -0.123964213f,
                                                   0.118885927f,  -0.117258288f, 0.0680491775f};
// (log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2
SYMK_TABLE constexpr double kLogarithmTermsF64[] = {
    0.66666666666666663, 0.40000000000004893, 0.28571428569423291, 0.22222222605136921,
    0.18181778493170692, 0.15386983319262623, 0.13252261480661709, 0.13233844032059033};

template <class T>
struct LogarithmTable;
template <>
struct LogarithmTable<float> {
  static constexpr int32_t root_half = 0x3f3504f3;  // the bits of sqrt(1/2)
  SYMK_HD static constexpr auto& terms() { return kLogarithmTermsF32; }
  static constexpr float far = 0x1p13f;  // from here on asinh and acosh are log(2 x)
};
template <>
struct LogarithmTable<double> {
  static constexpr int64_t root_half = 0x3fe6a09e667f3bcd;
  SYMK_HD static constexpr auto& terms() { return kLogarithmTermsF64; }
  static constexpr double far = 0x1p28;
};

/// log(1 + f) + exponent * ln(2), for sqrt(1/2) <= 1 + f < sqrt(2).
template <class V>
SYMK_HD V log_reduced(V f, V exponent) {
  using T = Lane<V>;
  using Table = ExponentialTable<T>;
  const V half_square = V(T(0.5)) * f * f;
  V y;
  if constexpr (kIsDouble<V>) {
    const V s = f / (V(T(2)) + f);
    const V z = s * s;
    y = s * fma(z, polynomial(z, LogarithmTable<T>::terms()), half_square);
  } else {
    y = f * f * f * polynomial(f, LogarithmTable<T>::terms());
  }
  y = fma(exponent, V(Table::ln2_low), y);
  return fma(exponent, V(Table::ln2_high), f + (y - half_square));
}

/// log(x + rest) for a positive, finite x that is no denormal number, |rest| at most half a unit in
/// its last place.
template <class V>
SYMK_HD V log_normal(V x, V rest) {
  using T = Lane<V>;
  using I = std::remove_const_t<decltype(bits(x))>;
  constexpr int places = Format<T>::mantissa_bits;
  const I place = bits(x);
  const I exponent = shift_right(difference(place, I(LogarithmTable<T>::root_half)), places);
  const I shifted = shift_left(exponent, places);
  // 2^-exponent; zero for the two largest exponents, where `rest` has no weight.
  const I unscale = difference(I(Format<T>::bias << places), shifted);
  const V inverse = bit_cast<T>(bit_and(unscale, bit_not(shift_right(unscale, sizeof(T) * 8 - 1))));
  const V f = fma(rest, inverse, bit_cast<T>(difference(place, shifted)) - V(T(1)));
  return log_reduced(f, to_float(exponent));
}

/// y where x is positive and finite; else what the logarithm of x is.
template <class V>
SYMK_HD V log_special(V x, V y) {
  using T = Lane<V>;
  const V special =
      select(x == V(T(0)), V(-Format<T>::infinity), select(x < V(T(0)), V(Format<T>::nan), x));
  return select((x > V(T(0))) & (x < V(Format<T>::infinity)), y, special);
}

template <class V>
SYMK_HD V log(V x) {
  using T = Lane<V>;
  using I = std::remove_const_t<decltype(bits(x))>;
  constexpr int places = Format<T>::mantissa_bits;
  const auto tiny = x < V(Format<T>::smallest_normal);
  const V normal = select(tiny, x * V(T(LaneInteger<T>(1) << places)), x);
  const I place = bits(normal);
  const I exponent = shift_right(difference(place, I(LogarithmTable<T>::root_half)), places);
  const V f = bit_cast<T>(difference(place, shift_left(exponent, places))) - V(T(1));
  return log_special(x, log_reduced(f, to_float(exponent) - select(tiny, V(T(places)), V(T(0)))));
}

/// log(u) with u = 1 + x rounded, corrected by what the rounding lost: for x > -1, finite.
template <class V>
SYMK_HD V log1p_inside(V x) {
  using T = Lane<V>;
  const V u = x + V(T(1));
  // The larger term comes first, so that the difference is exact.
  return log_normal(u, select(x < V(T(1)), x - (u - V(T(1))), V(T(1)) - (u - x)));
}

template <class V>
SYMK_HD V log1p(V x) {
  using T = Lane<V>;
  const V y = log_special(x + V(T(1)), log1p_inside(x));
  return select(x == V(T(0)), x, y);
}

/// log(1 + exp(-|x|)); NaN gives a number.
template <class V>
SYMK_HD V log1p_exp(V x) {
  using T = Lane<V>;
  const V e = exp(-abs(x)), u = e + V(T(1));
  return log_normal(u, e - (u - V(T(1))));
}

/// log(1 + exp(x)), without overflow.
template <class V>
SYMK_HD V softplus(V x) {
  return max(V(Lane<V>(0)), x) + log1p_exp(x);
}

template <class V>
SYMK_HD V asinh(V x) {
  using T = Lane<V>;
  const V size = abs(x);
  const V near = min(V(LogarithmTable<T>::far), size);
  const V square = near * near;
  const V one = V(T(1));
  const V y = log1p_inside(near + square / (one + sqrt(one + square)));
  const V ln2 = V(T(0.69314718055994531));
  return copysign(select(size < V(LogarithmTable<T>::far), y, log(size) + ln2), x);
}

template <class V>
SYMK_HD V acosh(V x) {
  using T = Lane<V>;
  const V over = min(V(LogarithmTable<T>::far), x - V(T(1)));
  const V y = log1p_inside(over + sqrt(fma(over, over, over + over)));
  const V ln2 = V(T(0.69314718055994531));
  const V r = select(x < V(LogarithmTable<T>::far), y, log(x) + ln2);
  return select(x < V(T(1)), V(Format<T>::nan), r);
}

template <class V>
SYMK_HD V atanh(V x) {
  using T = Lane<V>;
  const V size = abs(x);
  return copysign(V(T(0.5)) * log1p((size + size) / (V(T(1)) - size)), x);
}

}  // namespace SYMK_ISA
}  // namespace symk::math
