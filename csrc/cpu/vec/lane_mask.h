// Masks and comparisons for sets without mask registers: a mask is a vector of all-ones or
// all-zeros lanes. Included by portable.h and avx2.h only.
#pragma once

namespace symk::cpu::SYMK_ISA {

template <class T>
struct Mask {
  using Register = typename Vec<typename IntegerOf<T>::type>::Register;
  Register lanes;
  [[gnu::always_inline]] friend Mask operator&(Mask a, Mask b) { return {a.lanes & b.lanes}; }
  [[gnu::always_inline]] friend Mask operator|(Mask a, Mask b) { return {a.lanes | b.lanes}; }
  [[gnu::always_inline]] friend Mask operator^(Mask a, Mask b) { return {a.lanes ^ b.lanes}; }
  [[gnu::always_inline]] friend Mask operator~(Mask a) { return {~a.lanes}; }
};

/// The same lanes for another type of the same width.
template <class To, class From>
[[gnu::always_inline]] inline Mask<To> mask_cast(Mask<From> m) {
  return {m.lanes};
}

/// Lane numbers 0, 1, 2, ...
template <class I>
[[gnu::always_inline]] inline Vec<I> lane_numbers() {
  Vec<I> r;
#pragma GCC unroll 8
  for (int i = 0; i < Vec<I>::width; ++i) r.v[i] = static_cast<I>(i);
  return r;
}

/// The first n lanes, 0 <= n <= width.
template <class T>
[[gnu::always_inline]] inline Mask<T> first_lanes(int n) {
  using I = typename IntegerOf<T>::type;
  return {lane_numbers<I>().v < Vec<I>(static_cast<I>(n)).v};
}

/// a where the mask is set, else b.
template <class T>
[[gnu::always_inline]] inline Vec<T> select(Mask<T> m, Vec<T> a, Vec<T> b) {
  using Bits = typename Mask<T>::Register;
  using R = typename Vec<T>::Register;
  return Vec<T>((R)((m.lanes & (Bits)a.v) | (~m.lanes & (Bits)b.v)));
}

/// Ordered comparisons: false when a lane is NaN, but for !=.
template <class T>
[[gnu::always_inline]] inline Mask<T> operator==(Vec<T> a, Vec<T> b) {
  return {(typename Mask<T>::Register)(a.v == b.v)};
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator!=(Vec<T> a, Vec<T> b) {
  return {(typename Mask<T>::Register)(a.v != b.v)};
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator<(Vec<T> a, Vec<T> b) {
  return {(typename Mask<T>::Register)(a.v < b.v)};
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator<=(Vec<T> a, Vec<T> b) {
  return {(typename Mask<T>::Register)(a.v <= b.v)};
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator>(Vec<T> a, Vec<T> b) {
  return {(typename Mask<T>::Register)(a.v > b.v)};
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator>=(Vec<T> a, Vec<T> b) {
  return {(typename Mask<T>::Register)(a.v >= b.v)};
}

}  // namespace symk::cpu::SYMK_ISA
