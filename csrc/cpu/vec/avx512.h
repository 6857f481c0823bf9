// AVX-512 (F, DQ, BW, VL): 64-byte registers, masks in registers of their own. Included by vec.h
// only.
#pragma once

#include <immintrin.h>

namespace symk::cpu::avx512 {

/// One bit per lane of Vec<T>.
template <class T>
struct Mask {
  uint32_t bits;
  [[gnu::always_inline]] friend Mask operator&(Mask a, Mask b) { return {a.bits & b.bits}; }
  [[gnu::always_inline]] friend Mask operator|(Mask a, Mask b) { return {a.bits | b.bits}; }
  [[gnu::always_inline]] friend Mask operator^(Mask a, Mask b) { return {a.bits ^ b.bits}; }
  [[gnu::always_inline]] friend Mask operator~(Mask a) {
    return {~a.bits & ((uint32_t{1} << Vec<T>::width) - 1)};
  }
};

/// The first n lanes, 0 <= n <= width.
template <class T>
[[gnu::always_inline]] inline Mask<T> first_lanes(int n) {
  return {(uint32_t{1} << n) - 1};
}
/// Bit i is lane i.
template <class T>
[[gnu::always_inline]] inline uint32_t mask_bits(Mask<T> m) {
  return m.bits;
}

/// The same lanes for another type of the same width.
template <class To, class From>
[[gnu::always_inline]] inline Mask<To> mask_cast(Mask<From> m) {
  return {m.bits};
}

template <class T>
[[gnu::always_inline]] inline Vec<T> Vec<T>::load_partial(const T* p, int n) {
  uint32_t lanes = first_lanes<T>(n).bits;
  if constexpr (sizeof(T) == 4) {
    return Vec((Register)_mm512_maskz_loadu_epi32(static_cast<__mmask16>(lanes), p));
  } else {
    return Vec((Register)_mm512_maskz_loadu_epi64(static_cast<__mmask8>(lanes), p));
  }
}
template <class T>
[[gnu::always_inline]] inline void Vec<T>::store_partial(T* p, int n) const {
  uint32_t lanes = first_lanes<T>(n).bits;
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>(lanes), (__m512i)v);
  } else {
    _mm512_mask_storeu_epi64(p, static_cast<__mmask8>(lanes), (__m512i)v);
  }
}
template <class T>
[[gnu::always_inline]] inline void Vec<T>::stream(T* p) const {
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), (__m512i)v);
}
[[gnu::always_inline]] inline void stream_fence() { _mm_sfence(); }

/// a where the mask is set, else b.
template <class T>
[[gnu::always_inline]] inline Vec<T> select(Mask<T> m, Vec<T> a, Vec<T> b) {
  using R = typename Vec<T>::Register;
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(
        (R)_mm512_mask_blend_epi32(static_cast<__mmask16>(m.bits), (__m512i)b.v, (__m512i)a.v));
  } else {
    return Vec<T>(
        (R)_mm512_mask_blend_epi64(static_cast<__mmask8>(m.bits), (__m512i)b.v, (__m512i)a.v));
  }
}

/// Ordered comparisons: false when a lane is NaN, but for !=.
template <int predicate>
[[gnu::always_inline]] inline Mask<float> compare(Vec<float> a, Vec<float> b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, predicate)};
}
template <int predicate>
[[gnu::always_inline]] inline Mask<double> compare(Vec<double> a, Vec<double> b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, predicate)};
}
template <int predicate>
[[gnu::always_inline]] inline Mask<int32_t> compare(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_cmp_epi32_mask((__m512i)a.v, (__m512i)b.v, predicate & 7)};
}
template <int predicate>
[[gnu::always_inline]] inline Mask<int64_t> compare(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_cmp_epi64_mask((__m512i)a.v, (__m512i)b.v, predicate & 7)};
}
// The low three bits of a floating predicate are the integer predicate.
template <class T>
[[gnu::always_inline]] inline Mask<T> operator==(Vec<T> a, Vec<T> b) {
  return compare<_CMP_EQ_OQ>(a, b);
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator!=(Vec<T> a, Vec<T> b) {
  return compare<_CMP_NEQ_UQ>(a, b);
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator<(Vec<T> a, Vec<T> b) {
  return compare<_CMP_LT_OQ>(a, b);
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator<=(Vec<T> a, Vec<T> b) {
  return compare<_CMP_LE_OQ>(a, b);
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator>(Vec<T> a, Vec<T> b) {
  return compare<_CMP_LT_OQ>(b, a);
}
template <class T>
[[gnu::always_inline]] inline Mask<T> operator>=(Vec<T> a, Vec<T> b) {
  return compare<_CMP_LE_OQ>(b, a);
}

/// a * b + c, rounded once.
[[gnu::always_inline]] inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return Vec<float>(_mm512_fmadd_ps(a.v, b.v, c.v));
}
[[gnu::always_inline]] inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return Vec<double>(_mm512_fmadd_pd(a.v, b.v, c.v));
}

/// a < b ? a : b and a > b ? a : b, so b when either is NaN.
[[gnu::always_inline]] inline Vec<float> min(Vec<float> a, Vec<float> b) {
  return Vec<float>(_mm512_min_ps(a.v, b.v));
}
[[gnu::always_inline]] inline Vec<float> max(Vec<float> a, Vec<float> b) {
  return Vec<float>(_mm512_max_ps(a.v, b.v));
}
[[gnu::always_inline]] inline Vec<double> min(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm512_min_pd(a.v, b.v));
}
[[gnu::always_inline]] inline Vec<double> max(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm512_max_pd(a.v, b.v));
}

[[gnu::always_inline]] inline Vec<float> sqrt(Vec<float> x) {
  return Vec<float>(_mm512_sqrt_ps(x.v));
}
[[gnu::always_inline]] inline Vec<double> sqrt(Vec<double> x) {
  return Vec<double>(_mm512_sqrt_pd(x.v));
}

/// To the nearest integer, halves to even; down; up; towards zero. Signs of zero are kept.
[[gnu::always_inline]] inline Vec<float> round(Vec<float> x) {
  return Vec<float>(_mm512_roundscale_ps(x.v, 0x08));
}
[[gnu::always_inline]] inline Vec<float> floor(Vec<float> x) {
  return Vec<float>(_mm512_roundscale_ps(x.v, 0x09));
}
[[gnu::always_inline]] inline Vec<float> ceil(Vec<float> x) {
  return Vec<float>(_mm512_roundscale_ps(x.v, 0x0a));
}
[[gnu::always_inline]] inline Vec<float> trunc(Vec<float> x) {
  return Vec<float>(_mm512_roundscale_ps(x.v, 0x0b));
}
[[gnu::always_inline]] inline Vec<double> round(Vec<double> x) {
  return Vec<double>(_mm512_roundscale_pd(x.v, 0x08));
}
[[gnu::always_inline]] inline Vec<double> floor(Vec<double> x) {
  return Vec<double>(_mm512_roundscale_pd(x.v, 0x09));
}
[[gnu::always_inline]] inline Vec<double> ceil(Vec<double> x) {
  return Vec<double>(_mm512_roundscale_pd(x.v, 0x0a));
}
[[gnu::always_inline]] inline Vec<double> trunc(Vec<double> x) {
  return Vec<double>(_mm512_roundscale_pd(x.v, 0x0b));
}

/// To the nearest integer, halves to even. Defined for |x| < 2^31 (float), |x| < 2^51 (double).
[[gnu::always_inline]] inline Vec<int32_t> to_integer(Vec<float> x) {
  return Vec<int32_t>((Vec<int32_t>::Register)_mm512_cvtps_epi32(x.v));
}
[[gnu::always_inline]] inline Vec<int64_t> to_integer(Vec<double> x) {
  return Vec<int64_t>((Vec<int64_t>::Register)_mm512_cvtpd_epi64(x.v));
}
/// Defined for |x| < 2^51 on 64-bit lanes.
[[gnu::always_inline]] inline Vec<float> to_float(Vec<int32_t> x) {
  return Vec<float>(_mm512_cvtepi32_ps((__m512i)x.v));
}
[[gnu::always_inline]] inline Vec<double> to_float(Vec<int64_t> x) {
  return Vec<double>(_mm512_cvtepi64_pd((__m512i)x.v));
}

/// x * 2^n for whole n of any size, rounded once.
[[gnu::always_inline]] inline Vec<float> scale_by_power(Vec<float> x, Vec<float> n) {
  return Vec<float>(_mm512_scalef_ps(x.v, n.v));
}
[[gnu::always_inline]] inline Vec<double> scale_by_power(Vec<double> x, Vec<double> n) {
  return Vec<double>(_mm512_scalef_pd(x.v, n.v));
}

/// The 64-bit product of the low 32 bits of each lane, unsigned.
[[gnu::always_inline]] inline Vec<int64_t> multiply_low_halves(Vec<int64_t> a, Vec<int64_t> b) {
  return Vec<int64_t>((Vec<int64_t>::Register)_mm512_mul_epu32((__m512i)a.v, (__m512i)b.v));
}

/// As many int8, or float16, as there are lanes.
[[gnu::always_inline]] inline Vec<float> widened(const int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return Vec<float>(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
}
[[gnu::always_inline]] inline Vec<float> widened(const uint16_t* p) {
  return Vec<float>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}

/// The nearest numbers that float16 has, halves to even.
constexpr bool kRoundsToHalf = true;
[[gnu::always_inline]] inline Vec<float> rounded_to_half(Vec<float> x) {
  return Vec<float>(_mm512_cvtph_ps(_mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT)));
}

/// Whether dot_pairs can run: the compiler knows it, some machines do.
constexpr bool kMayDotPairs = true;
inline bool can_dot_pairs() { return __builtin_cpu_supports("avx512bf16"); }

/// Each lane of a and b is a pair of bfloat16: sum + high * high, rounded, then + low * low. What
/// is below the least normal number becomes zero.
[[gnu::always_inline]] inline Vec<float> dot_pairs(Vec<int32_t> a, Vec<int32_t> b, Vec<float> sum) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
  return sum;
}

/// Over all lanes, by halves: lane i with lane i + width/2, and so on.
[[gnu::always_inline]] inline float reduce_add(Vec<float> x) { return _mm512_reduce_add_ps(x.v); }
[[gnu::always_inline]] inline double reduce_add(Vec<double> x) { return _mm512_reduce_add_pd(x.v); }
[[gnu::always_inline]] inline float reduce_max(Vec<float> x) { return _mm512_reduce_max_ps(x.v); }
[[gnu::always_inline]] inline double reduce_max(Vec<double> x) { return _mm512_reduce_max_pd(x.v); }
[[gnu::always_inline]] inline float reduce_min(Vec<float> x) { return _mm512_reduce_min_ps(x.v); }
[[gnu::always_inline]] inline double reduce_min(Vec<double> x) { return _mm512_reduce_min_pd(x.v); }

/// x, held in a register: where it is used often, the compiler would rather load it each time.
template <class T>
[[gnu::always_inline]] inline Vec<T> in_register(Vec<T> x) {
  asm("" : "+v"(x.v));
  return x;
}

/// Lane i of the result is lane places[i] of x, a number that is taken modulo the width.
[[gnu::always_inline]] inline Vec<float> pick(Vec<float> x, Vec<int32_t> places) {
  return Vec<float>(_mm512_permutexvar_ps((__m512i)places.v, x.v));
}
[[gnu::always_inline]] inline Vec<double> pick(Vec<double> x, Vec<int64_t> places) {
  return Vec<double>(_mm512_permutexvar_pd((__m512i)places.v, x.v));
}

/// Where lane k of the results of exchange comes from, among the lanes of a and then those of b.
template <int width, int distance>
constexpr int lane_for_a(int k) {
  return k & distance ? width + k - distance : k;
}
template <int width, int distance>
constexpr int lane_for_b(int k) {
  return k & distance ? width + k : k + distance;
}

/// Lanes k of a whose number has the bit `distance` trade places with lanes k - distance of b.
template <int distance>
[[gnu::always_inline]] inline void exchange(Vec<float>& a, Vec<float>& b) {
  constexpr auto f = lane_for_a<16, distance>;
  constexpr auto g = lane_for_b<16, distance>;
  const __m512i for_a = _mm512_setr_epi32(f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8),
                                          f(9), f(10), f(11), f(12), f(13), f(14), f(15));
  const __m512i for_b = _mm512_setr_epi32(g(0), g(1), g(2), g(3), g(4), g(5), g(6), g(7), g(8),
                                          g(9), g(10), g(11), g(12), g(13), g(14), g(15));
  const __m512 new_a = _mm512_permutex2var_ps(a.v, for_a, b.v);
  b.v = _mm512_permutex2var_ps(a.v, for_b, b.v);
  a.v = new_a;
}
template <int distance>
[[gnu::always_inline]] inline void exchange(Vec<double>& a, Vec<double>& b) {
  constexpr auto f = lane_for_a<8, distance>;
  constexpr auto g = lane_for_b<8, distance>;
  const __m512i for_a = _mm512_setr_epi64(f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7));
  const __m512i for_b = _mm512_setr_epi64(g(0), g(1), g(2), g(3), g(4), g(5), g(6), g(7));
  const __m512d new_a = _mm512_permutex2var_pd(a.v, for_a, b.v);
  b.v = _mm512_permutex2var_pd(a.v, for_b, b.v);
  a.v = new_a;
}

}  // namespace symk::cpu::avx512
