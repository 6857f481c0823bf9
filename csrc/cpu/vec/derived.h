// What follows from the operations of the instruction set and needs no instruction of its own.
// Included by vec.h only.
#pragma once

namespace symk::cpu::SYMK_ISA {

template <class T>
[[gnu::always_inline]] inline Vec<T> abs(Vec<T> x) {
  using I = typename IntegerOf<T>::type;
  return bit_cast<T>(bit_and(bits(x), shift_right_logical(Vec<I>(I(-1)), 1)));
}

/// |x| with the sign bit of s.
template <class T>
[[gnu::always_inline]] inline Vec<T> copysign(Vec<T> x, Vec<T> s) {
  using I = typename IntegerOf<T>::type;
  Vec<I> rest = shift_right_logical(Vec<I>(I(-1)), 1);
  return bit_cast<T>(bit_or(bit_and(bits(x), rest), bit_and(bits(s), bit_not(rest))));
}

template <class T>
[[gnu::always_inline]] inline Mask<T> is_nan(Vec<T> x) {
  return x != x;
}

/// NaN if a or b is NaN, unlike min and max, which then give b.
template <class T>
[[gnu::always_inline]] inline Vec<T> min_nan(Vec<T> a, Vec<T> b) {
  return select(is_nan(a), a, min(a, b));
}
template <class T>
[[gnu::always_inline]] inline Vec<T> max_nan(Vec<T> a, Vec<T> b) {
  return select(is_nan(a), a, max(a, b));
}

/// One stage of a transpose: bit `distance` of the row number trades places with that bit of the
/// lane number.
template <int distance, class T>
[[gnu::always_inline]] inline void transpose_stage(Vec<T>* rows) {
#pragma GCC unroll 16
  for (int i = 0; i < Vec<T>::width; ++i) {
    if (!(i & distance)) exchange<distance>(rows[i], rows[i + distance]);
  }
}

/// Swaps rows and columns of a width x width block held in width registers.
template <class T>
[[gnu::always_inline]] inline void transpose(Vec<T>* rows) {
  constexpr int width = Vec<T>::width;
  transpose_stage<1>(rows);
  if constexpr (width > 2) transpose_stage<2>(rows);
  if constexpr (width > 4) transpose_stage<4>(rows);
  if constexpr (width > 8) transpose_stage<8>(rows);
}

}  // namespace symk::cpu::SYMK_ISA
