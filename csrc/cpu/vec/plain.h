// Multiply-add, square root and rounding of 16-byte vectors without an instruction for them.
// Included by portable.h only.
#pragma once

namespace symk::cpu::SYMK_ISA {

/// a * b + c; the product is rounded first.
template <class T>
[[gnu::always_inline]] inline Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return a * b + c;
}

[[gnu::always_inline]] inline Vec<float> sqrt(Vec<float> x) {
  for (int i = 0; i < Vec<float>::width; ++i) x.v[i] = __builtin_sqrtf(x.v[i]);
  return x;
}
[[gnu::always_inline]] inline Vec<double> sqrt(Vec<double> x) {
  for (int i = 0; i < Vec<double>::width; ++i) x.v[i] = __builtin_sqrt(x.v[i]);
  return x;
}

template <class T>
constexpr T kAllIntegers = T(8388608);  // 2^23: no fraction from here on
template <>
inline constexpr double kAllIntegers<double> = 4503599627370496.0;  // 2^52

template <class T>
inline Vec<T> with_sign_of(Vec<T> magnitude, Vec<T> s) {
  using I = typename IntegerOf<T>::type;
  const Vec<I> rest = shift_right_logical(Vec<I>(I(-1)), 1);
  return bit_cast<T>(bit_or(bit_and(bits(magnitude), rest), bit_and(bits(s), bit_not(rest))));
}

/// To the nearest integer, halves to even; down; up; towards zero. Signs of zero are kept.
template <class T>
inline Vec<T> round(Vec<T> x) {
  const Vec<T> size = with_sign_of(x, Vec<T>(T(1)));
  const Vec<T> nearest = (size + kAllIntegers<T>)-kAllIntegers<T>;
  return select(size < Vec<T>(kAllIntegers<T>), with_sign_of(nearest, x), x);
}
template <class T>
inline Vec<T> floor(Vec<T> x) {
  const Vec<T> r = round(x);
  return with_sign_of(select(r > x, r - T(1), r), x);
}
template <class T>
inline Vec<T> ceil(Vec<T> x) {
  const Vec<T> r = round(x);
  return with_sign_of(select(r < x, r + T(1), r), x);
}
template <class T>
inline Vec<T> trunc(Vec<T> x) {
  const Vec<T> size = with_sign_of(x, Vec<T>(T(1)));
  return with_sign_of(floor(size), x);
}

}  // namespace symk::cpu::SYMK_ISA
