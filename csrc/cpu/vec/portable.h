// The set that every machine has, and `integers`: 16-byte vectors by compiler extension, and plain
// loops for the rest. What 64-bit Arm has instructions for is in aarch64.h, and in plain.h for
// others. Included by vec.h only.
#pragma once

#include "cpu/vec/lane_mask.h"
#ifdef __aarch64__
#include "cpu/vec/aarch64.h"
#else
#include "cpu/vec/plain.h"
#endif

namespace symk::cpu::SYMK_ISA {

/// Bit i is lane i.
template <class T>
inline uint32_t mask_bits(Mask<T> m) {
  uint32_t r = 0;
  for (int i = 0; i < Vec<T>::width; ++i) r |= (m.lanes[i] ? uint32_t{1} : uint32_t{0}) << i;
  return r;
}

template <class T>
inline Vec<T> Vec<T>::load_partial(const T* p, int n) {
  Vec r = zero();
  for (int i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
}
template <class T>
inline void Vec<T>::store_partial(T* p, int n) const {
  for (int i = 0; i < n; ++i) p[i] = v[i];
}
template <class T>
[[gnu::always_inline]] inline void Vec<T>::stream(T* p) const {
  store(p);
}
[[gnu::always_inline]] inline void stream_fence() {}

/// a < b ? a : b and a > b ? a : b, so b when either is NaN.
template <class T>
[[gnu::always_inline]] inline Vec<T> min(Vec<T> a, Vec<T> b) {
  return select(a < b, a, b);
}
template <class T>
[[gnu::always_inline]] inline Vec<T> max(Vec<T> a, Vec<T> b) {
  return select(a > b, a, b);
}

/// Adding 2^(mantissa bits) * 1.5 leaves an integer in the low bits; the sum must not be simplified
/// away.
template <class T>
constexpr T kIntegerShift = T(12582912);  // 1.5 * 2^23
template <>
inline constexpr double kIntegerShift<double> = 6755399441055744.0;  // 1.5 * 2^52
/// To the nearest integer, halves to even. Defined for |x| < 2^22 (float), |x| < 2^51 (double).
template <class T>
[[gnu::always_inline]] inline IVec<T> to_integer(Vec<T> x) {
  return bits(x + kIntegerShift<T>) - bits(Vec<T>(kIntegerShift<T>));
}
/// Defined for |x| < 2^22 (32-bit lanes), |x| < 2^51 (64-bit lanes).
template <class I>
[[gnu::always_inline]] inline Vec<typename FloatOf<I>::type> to_float(Vec<I> x) {
  using T = typename FloatOf<I>::type;
  return bit_cast<T>(x + bits(Vec<T>(kIntegerShift<T>))) - kIntegerShift<T>;
}

/// The 64-bit product of the low 32 bits of each lane, unsigned.
inline Vec<int64_t> multiply_low_halves(Vec<int64_t> a, Vec<int64_t> b) {
  const Vec<int64_t> low = Vec<int64_t>(int64_t{0xffffffff});
  for (int i = 0; i < Vec<int64_t>::width; ++i) {
    a.v[i] = static_cast<int64_t>(static_cast<uint64_t>(bit_and(a, low).v[i]) *
                                  static_cast<uint64_t>(bit_and(b, low).v[i]));
  }
  return a;
}

/// As many int8, or float16, as there are lanes.
inline Vec<float> widened(const int8_t* p) {
  Vec<float> wide = Vec<float>::zero();
  for (int i = 0; i < Vec<float>::width; ++i) wide.v[i] = static_cast<float>(p[i]);
  return wide;
}
/// The exponent is moved by a product, which is exact for denormal numbers as well.
inline Vec<float> widened(const uint16_t* p) {
  using I = Vec<int32_t>;
  I half = I::zero();
  for (int i = 0; i < I::width; ++i) half.v[i] = p[i];
  const I placed = shift_left(bit_and(half, I(0x7fff)), 13);
  const Vec<float> finite = bit_cast<float>(placed) * Vec<float>(0x1p112f);
  const Vec<float> special = bit_cast<float>(bit_or(placed, I(0x7f800000)));
  const Vec<float> value = select(finite >= Vec<float>(65536.0f), special, finite);
  return bit_cast<float>(bit_or(bits(value), shift_left(bit_and(half, I(0x8000)), 16)));
}

/// This set has no rounded_to_half.
constexpr bool kRoundsToHalf = false;

/// No machine of this set multiplies pairs of bfloat16 by itself.
constexpr bool kMayDotPairs = false;
constexpr bool can_dot_pairs() { return false; }

/// Over all lanes, by halves: lane i with lane i + width/2, and so on.
[[gnu::always_inline]] inline float reduce_add(Vec<float> x) {
  return (x[0] + x[2]) + (x[1] + x[3]);
}
[[gnu::always_inline]] inline double reduce_add(Vec<double> x) { return x[0] + x[1]; }
template <class T>
inline T reduce_max(Vec<T> x) {
  T r = x[0];
  for (int i = 1; i < Vec<T>::width; ++i) r = r > x[i] ? r : x[i];
  return r;
}
template <class T>
inline T reduce_min(Vec<T> x) {
  T r = x[0];
  for (int i = 1; i < Vec<T>::width; ++i) r = r < x[i] ? r : x[i];
  return r;
}

/// x; sets with instructions that read memory hold it in a register.
template <class T>
[[gnu::always_inline]] inline Vec<T> in_register(Vec<T> x) {
  return x;
}

/// Lane i of the result is lane places[i] of x, a number that is taken modulo the width.
template <class T>
inline Vec<T> pick(Vec<T> x, IVec<T> places) {
  Vec<T> r;
  for (int i = 0; i < Vec<T>::width; ++i) r.v[i] = x.v[places.v[i] & (Vec<T>::width - 1)];
  return r;
}

/// Lanes k of a whose number has the bit `distance` trade places with lanes k - distance of b.
template <int distance, class T>
inline void exchange(Vec<T>& a, Vec<T>& b) {
  for (int k = 0; k < Vec<T>::width; ++k) {
    if (!(k & distance)) continue;
    const T lane = a.v[k];
    a.v[k] = b.v[k - distance];
    b.v[k - distance] = lane;
  }
}

}  // namespace symk::cpu::SYMK_ISA
