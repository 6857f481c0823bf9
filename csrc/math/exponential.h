// exp, expm1 and what follows from them: sigmoid, tanh, sinh, cosh. Float lanes are within about 2
// units in the last place over the whole range, double lanes too. Infinities, NaN, -0 and denormal
// numbers come out as C's functions give them. Source: range reduction by Cody & Waite 1980;
// coefficients by coefficients.py.
#pragma once

#include "math/lanes.h"

namespace symk::math {
inline namespace SYMK_ISA {

// (exp(r) - 1 - r) / r^2
SYMK_TABLE constexpr float kExponentialTermsF32[] = {
    0.5f, 0.166666672f, 0.0416664779f, 0.00833319221f, 0.00139337045f, 0.000199584625f};
SYMK_TABLE constexpr double kExponentialTermsF64[] = {0.5,
                                                      0.16666666666666677,
                                                      0.041666666666666678,
                                                      0.0083333333333214347,
                                                      0.0013888888888877438,
                                                      0.00019841269886599516,
                                                      2.4801587340642151e-5,
                                                      2.7557243746710079e-6,
                                                      2.7557259175514988e-7,
                                                      2.5109195217447697e-8,
                                                      2.0919512817222168e-9};

template <class T>
struct ExponentialTable;
template <>
struct ExponentialTable<float> {
  static constexpr float log2_e = 1.44269504f;
  static constexpr float ln2_high =
      0.693359375f;  // 10 bits, so that its products with exponents are exact
  static constexpr float ln2_low = -2.12194440e-4f;
  static constexpr float lowest = -104.0f,
                         highest = 90.0f;  // exp is zero below; infinity above, half of it too
  static constexpr float minus_one = -30.0f,
                         all_infinite = 89.0f;  // expm1 is -1 below, infinity above
  static constexpr float tanh_one = 9.1f;       // tanh is 1 above
  SYMK_HD static constexpr auto& terms() { return kExponentialTermsF32; }
};
template <>
struct ExponentialTable<double> {
  static constexpr double log2_e = 1.4426950408889634;
  static constexpr double ln2_high = 6.93145751953125e-1;  // 20 bits
  static constexpr double ln2_low = 1.42860682030941723e-6;
  static constexpr double lowest = -746.0, highest = 711.0;
  static constexpr double minus_one = -50.0, all_infinite = 709.9;
  static constexpr double tanh_one = 20.0;
  SYMK_HD static constexpr auto& terms() { return kExponentialTermsF64; }
};

/// x = exponent * ln(2) + rest, |rest| <= ln(2) / 2. `shifted` is the exponent in the place of a
/// float's exponent bits.
template <class V, class I>
struct Reduced {
  V exponent, rest;
  I shifted;
};

template <class V>
SYMK_HD auto reduce_exponent(V x) {
  using T = Lane<V>;
  using Table = ExponentialTable<T>;
  const V shift = V(Format<T>::integer_shift);
  const V placed = fma(x, V(Table::log2_e), shift);
  const V exponent = placed - shift;
  V rest = fma(exponent, V(-Table::ln2_high), x);
  rest = fma(exponent, V(-Table::ln2_low), rest);
  const auto shifted = shift_left(bits(placed), Format<T>::mantissa_bits);
  return Reduced<V, std::remove_const_t<decltype(shifted)>>{exponent, rest, shifted};
}

/// exp(r) - 1 for |r| <= ln(2) / 2.
template <class V>
SYMK_HD V expm1_reduced(V r) {
  return fma(r * r, polynomial(r, ExponentialTable<Lane<V>>::terms()), r);
}

/// y * 2^exponent, rounded once, by two factors as one could overflow; `shifted` is the exponent in
/// the place of exponent bits.
template <class V, class I>
SYMK_HD V scale_in_steps(V y, I shifted) {
  using T = Lane<V>;
  using Integer = LaneInteger<T>;
  constexpr int places = Format<T>::mantissa_bits;
  const I one = I(Format<T>::bias << places);
  const I half = bit_and(shift_right(shifted, 1), I(-(Integer(1) << places)));
  return y * bit_cast<T>(half + one) * bit_cast<T>(shifted - half + one);
}

/// The same by the instruction that some sets have for it.
template <class V, class I>
SYMK_HD auto scale(const Reduced<V, I>& x, V y, int) -> decltype(scale_by_power(y, y)) {
  return scale_by_power(y, x.exponent);
}
template <class V, class I>
SYMK_HD V scale(const Reduced<V, I>& x, V y, long) {
  return scale_in_steps(y, x.shifted);
}

/// exp(x) and exp(x) / 2, the latter without overflow on the way.
template <bool halved, class V>
SYMK_HD V exp_or_half(V x) {
  using T = Lane<V>;
  using Table = ExponentialTable<T>;
  const V inside = min(V(Table::highest), max(V(Table::lowest), x));
  auto reduced = reduce_exponent(inside);
  if constexpr (halved) {
    using I = decltype(reduced.shifted);
    reduced.exponent = reduced.exponent - V(T(1));
    reduced.shifted = reduced.shifted - I(LaneInteger<T>(1) << Format<T>::mantissa_bits);
  }
  return scale(reduced, expm1_reduced(reduced.rest) + V(T(1)), 0);
}

template <class V>
SYMK_HD V exp(V x) {
  return exp_or_half<false>(x);
}

/// exp(x) - 1 for x between `minus_one` and `all_infinite` of the table, or NaN.
template <class V>
SYMK_HD V expm1_inside(V x) {
  using T = Lane<V>;
  const auto reduced = reduce_exponent(x);
  using I = std::remove_const_t<decltype(reduced.shifted)>;
  // Half of the power of two, as the power itself may overflow where the result does not.
  const V half =
      bit_cast<T>(reduced.shifted + I((Format<T>::bias - 1) << Format<T>::mantissa_bits));
  const V y = fma(half, expm1_reduced(reduced.rest), half - V(T(0.5)));
  return y + y;
}

template <class V>
SYMK_HD V expm1(V x) {
  using Table = ExponentialTable<Lane<V>>;
  const V inside = min(V(Table::all_infinite), max(V(Table::minus_one), x));
  return copysign(expm1_inside(inside), x);
}

/// 1 / (1 + exp(-x)); exp is taken of -|x|, so that it never overflows and small results keep their
/// digits.
template <class V>
SYMK_HD V sigmoid(V x) {
  using T = Lane<V>;
  const V e = exp(-abs(x));
  return select(x >= V(T(0)), V(T(1)), e) / (e + V(T(1)));
}

/// With t = expm1(2 |x|): t / (t + 2).
template <class V>
SYMK_HD V tanh(V x) {
  using T = Lane<V>;
  const V size = min(V(ExponentialTable<T>::tanh_one), abs(x));
  const V t = expm1_inside(size + size);
  return copysign(t / (t + V(T(2))), x);
}

/// Below 1 by expm1, above by h - 1 / (4 h) with h = exp(|x|) / 2.
template <class V>
SYMK_HD V sinh(V x) {
  using T = Lane<V>;
  const V size = abs(x);
  const V t = expm1_inside(min(V(T(1)), size));
  const V near = V(T(0.5)) * (t + t / (t + V(T(1))));
  const V half = exp_or_half<true>(size);
  const V far = half - V(T(0.25)) / half;
  return copysign(select(size < V(T(1)), near, far), x);
}

template <class V>
SYMK_HD V cosh(V x) {
  using T = Lane<V>;
  const V half = exp_or_half<true>(abs(x));
  return half + V(T(0.25)) / half;
}

}  // namespace SYMK_ISA
}  // namespace symk::math
