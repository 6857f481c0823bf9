// AVX2 with FMA: 32-byte registers. Included by vec.h only.
#pragma once

#include <immintrin.h>

#include "cpu/vec/lane_mask.h"

namespace symk::cpu::avx2 {

/// Bit i is lane i.
template <class T>
[[gnu::always_inline]] inline uint32_t mask_bits(Mask<T> m) {
  if constexpr (sizeof(T) == 4) {
    return static_cast<uint32_t>(_mm256_movemask_ps((__m256)m.lanes));
  } else {
    return static_cast<uint32_t>(_mm256_movemask_pd((__m256d)m.lanes));
  }
}

template <class T>
[[gnu::always_inline]] inline Vec<T> Vec<T>::load_partial(const T* p, int n) {
  const __m256i lanes = (__m256i)first_lanes<T>(n).lanes;
  if constexpr (sizeof(T) == 4) {
    return Vec((Register)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), lanes));
  } else {
    return Vec((Register)_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), lanes));
  }
}
template <class T>
[[gnu::always_inline]] inline void Vec<T>::store_partial(T* p, int n) const {
  const __m256i lanes = (__m256i)first_lanes<T>(n).lanes;
  if constexpr (sizeof(T) == 4) {
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), lanes, (__m256i)v);
  } else {
    _mm256_maskstore_epi64(reinterpret_cast<long long*>(p), lanes, (__m256i)v);
  }
}
template <class T>
[[gnu::always_inline]] inline void Vec<T>::stream(T* p) const {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
}
[[gnu::always_inline]] inline void stream_fence() { _mm_sfence(); }

/// a * b + c, rounded once.
[[gnu::always_inline]] inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return Vec<float>(_mm256_fmadd_ps(a.v, b.v, c.v));
}
[[gnu::always_inline]] inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return Vec<double>(_mm256_fmadd_pd(a.v, b.v, c.v));
}

/// a < b ? a : b and a > b ? a : b, so b when either is NaN.
[[gnu::always_inline]] inline Vec<float> min(Vec<float> a, Vec<float> b) {
  return Vec<float>(_mm256_min_ps(a.v, b.v));
}
[[gnu::always_inline]] inline Vec<float> max(Vec<float> a, Vec<float> b) {
  return Vec<float>(_mm256_max_ps(a.v, b.v));
}
[[gnu::always_inline]] inline Vec<double> min(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm256_min_pd(a.v, b.v));
}
[[gnu::always_inline]] inline Vec<double> max(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm256_max_pd(a.v, b.v));
}

[[gnu::always_inline]] inline Vec<float> sqrt(Vec<float> x) {
  return Vec<float>(_mm256_sqrt_ps(x.v));
}
[[gnu::always_inline]] inline Vec<double> sqrt(Vec<double> x) {
  return Vec<double>(_mm256_sqrt_pd(x.v));
}

/// To the nearest integer, halves to even; down; up; towards zero. Signs of zero are kept.
[[gnu::always_inline]] inline Vec<float> round(Vec<float> x) {
  return Vec<float>(_mm256_round_ps(x.v, 0x08));
}
[[gnu::always_inline]] inline Vec<float> floor(Vec<float> x) {
  return Vec<float>(_mm256_round_ps(x.v, 0x09));
}
[[gnu::always_inline]] inline Vec<float> ceil(Vec<float> x) {
  return Vec<float>(_mm256_round_ps(x.v, 0x0a));
}
[[gnu::always_inline]] inline Vec<float> trunc(Vec<float> x) {
  return Vec<float>(_mm256_round_ps(x.v, 0x0b));
}
[[gnu::always_inline]] inline Vec<double> round(Vec<double> x) {
  return Vec<double>(_mm256_round_pd(x.v, 0x08));
}
[[gnu::always_inline]] inline Vec<double> floor(Vec<double> x) {
  return Vec<double>(_mm256_round_pd(x.v, 0x09));
}
[[gnu::always_inline]] inline Vec<double> ceil(Vec<double> x) {
  return Vec<double>(_mm256_round_pd(x.v, 0x0a));
}
[[gnu::always_inline]] inline Vec<double> trunc(Vec<double> x) {
  return Vec<double>(_mm256_round_pd(x.v, 0x0b));
}

/// To the nearest integer, halves to even. Defined for |x| < 2^31 (float), |x| < 2^51 (double).
[[gnu::always_inline]] inline Vec<int32_t> to_integer(Vec<float> x) {
  return Vec<int32_t>((Vec<int32_t>::Register)_mm256_cvtps_epi32(x.v));
}
constexpr double kIntegerShift =
    6755399441055744.0;  // 1.5 * 2^52: a sum with it has the integer in its low bits
[[gnu::always_inline]] inline Vec<int64_t> to_integer(Vec<double> x) {
  return bits(x + kIntegerShift) - bits(Vec<double>(kIntegerShift));
}
/// Defined for |x| < 2^51 on 64-bit lanes.
[[gnu::always_inline]] inline Vec<float> to_float(Vec<int32_t> x) {
  return Vec<float>(_mm256_cvtepi32_ps((__m256i)x.v));
}
[[gnu::always_inline]] inline Vec<double> to_float(Vec<int64_t> x) {
  return bit_cast<double>(x + bits(Vec<double>(kIntegerShift))) - kIntegerShift;
}

/// The 64-bit product of the low 32 bits of each lane, unsigned.
[[gnu::always_inline]] inline Vec<int64_t> multiply_low_halves(Vec<int64_t> a, Vec<int64_t> b) {
  return Vec<int64_t>((Vec<int64_t>::Register)_mm256_mul_epu32((__m256i)a.v, (__m256i)b.v));
}

/// As many int8, or float16, as there are lanes.
[[gnu::always_inline]] inline Vec<float> widened(const int8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return Vec<float>(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)));
}
[[gnu::always_inline]] inline Vec<float> widened(const uint16_t* p) {
  return Vec<float>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

/// The nearest numbers that float16 has, halves to even.
constexpr bool kRoundsToHalf = true;
[[gnu::always_inline]] inline Vec<float> rounded_to_half(Vec<float> x) {
  return Vec<float>(_mm256_cvtph_ps(_mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT)));
}

/// No machine of this set multiplies pairs of bfloat16 by itself.
constexpr bool kMayDotPairs = false;
constexpr bool can_dot_pairs() { return false; }

/// Over all lanes, by halves: lane i with lane i + width/2, and so on.
[[gnu::always_inline]] inline float reduce_add(Vec<float> x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
[[gnu::always_inline]] inline double reduce_add(Vec<double> x) {
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(x.v), _mm256_extractf128_pd(x.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
[[gnu::always_inline]] inline float reduce_max(Vec<float> x) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
[[gnu::always_inline]] inline double reduce_max(Vec<double> x) {
  const __m128d two = _mm_max_pd(_mm256_castpd256_pd128(x.v), _mm256_extractf128_pd(x.v, 1));
  return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
}
[[gnu::always_inline]] inline float reduce_min(Vec<float> x) { return -reduce_max(-x); }
[[gnu::always_inline]] inline double reduce_min(Vec<double> x) { return -reduce_max(-x); }

/// x, held in a register: where it is used often, the compiler would rather load it each time.
template <class T>
[[gnu::always_inline]] inline Vec<T> in_register(Vec<T> x) {
  asm("" : "+x"(x.v));
  return x;
}

/// Lane i of the result is lane places[i] of x, a number that is taken modulo the width.
[[gnu::always_inline]] inline Vec<float> pick(Vec<float> x, Vec<int32_t> places) {
  return Vec<float>(_mm256_permutevar8x32_ps(x.v, (__m256i)places.v));
}
[[gnu::always_inline]] inline Vec<double> pick(Vec<double> x, Vec<int64_t> places) {
  const Vec<int64_t> low = places + places;  // each lane is two halves, which move together
  const Vec<int64_t> halves = bit_or(low, shift_left(low + Vec<int64_t>(1), 32));
  return Vec<double>((__m256d)_mm256_permutevar8x32_ps((__m256)x.v, (__m256i)halves.v));
}

/// Lanes k of a whose number has the bit `distance` trade places with lanes k - distance of b.
template <int distance>
[[gnu::always_inline]] inline void exchange(Vec<double>& a, Vec<double>& b) {
  const __m256d x = a.v;
  const __m256d y = b.v;
  if constexpr (distance == 1) {
    a.v = _mm256_unpacklo_pd(x, y);
    b.v = _mm256_unpackhi_pd(x, y);
  } else {
    a.v = _mm256_permute2f128_pd(x, y, 0x20);
    b.v = _mm256_permute2f128_pd(x, y, 0x31);
  }
}
template <int distance>
[[gnu::always_inline]] inline void exchange(Vec<float>& a, Vec<float>& b) {
  const __m256 x = a.v;
  const __m256 y = b.v;
  if constexpr (distance == 1) {
    a.v = _mm256_blend_ps(x, _mm256_moveldup_ps(y), 0xaa);
    b.v = _mm256_blend_ps(_mm256_movehdup_ps(x), y, 0xaa);
  } else {
    Vec<double> wide_a = Vec<double>((__m256d)x);
    Vec<double> wide_b = Vec<double>((__m256d)y);
    exchange<distance / 2>(wide_a, wide_b);
    a.v = (__m256)wide_a.v;
    b.v = (__m256)wide_b.v;
  }
}

}  // namespace symk::cpu::avx2
