// The lane operations that the arithmetic of csrc/math is written in, for scalars: the same names
// and the same bits as Vec<T> of csrc/cpu/vec offers them, which argument-dependent lookup finds.
// Everything is in the namespace of the instruction set and inlined always, so no function is
// shared between files compiled with different flags.
#pragma once

#include <cstdint>
#include <type_traits>

#ifndef SYMK_ISA
#define SYMK_ISA host
#endif

// SYMK_HD marks a function of device code, which is one of the host where there is no device code;
// SYMK_BOTH one that both call; SYMK_TABLE an array of coefficients.
#ifdef __CUDACC__
#define SYMK_HD __device__ __forceinline__
#define SYMK_BOTH __host__ __device__ __forceinline__
#define SYMK_TABLE __device__
#else
#define SYMK_BOTH inline
#define SYMK_TABLE
#ifndef SYMK_HD  // sets that are small first call functions (CMakeLists.txt)
#define SYMK_HD inline __attribute__((always_inline))
#endif
#endif
// Whether a multiply-add is rounded once: by an instruction of the machine.
#if defined(__FMA__) || defined(__CUDACC__) || defined(__aarch64__)
#define SYMK_HAS_FMA
#endif
// Before a loop of calls: no gain from many copies of them.
#if defined(__clang__) || defined(__CUDACC__)
#define SYMK_NOT_UNROLLED _Pragma("unroll 1")
#else
#define SYMK_NOT_UNROLLED _Pragma("GCC unroll 1")
#endif

namespace symk::math {
inline namespace SYMK_ISA {

/// The type of one lane of V: V itself if V is a scalar.
template <class V, class = void>
struct LaneOf {
  using type = V;
};
template <class V>
struct LaneOf<V, std::void_t<typename V::Scalar>> {
  using type = typename V::Scalar;
};
template <class V>
using Lane = typename LaneOf<V>::type;

template <class T>
constexpr bool kIsFloating = std::is_floating_point_v<T>;
template <class V>
constexpr bool kIsDouble = std::is_same_v<Lane<V>, double>;

/// The integer that lies over a floating lane.
template <class T>
using LaneInteger = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

/// The layout of IEEE numbers, for T = float and double.
template <class T>
struct Format;
template <>
struct Format<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr int32_t bias = 127;
  static constexpr float infinity = __builtin_inff();
  static constexpr float nan = __builtin_nanf("");
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float integer_shift =
      0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  static constexpr float all_integers = 0x1p23f;  // no fraction from here on
};
template <>
struct Format<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr int64_t bias = 1023;
  static constexpr double infinity = __builtin_inf();
  static constexpr double nan = __builtin_nan("");
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double integer_shift = 0x1.8p52;
  static constexpr double all_integers = 0x1p52;
};

template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
SYMK_HD T select(bool condition, T yes, T no) {
  return condition ? yes : no;
}
SYMK_HD bool mask_bits(bool mask) { return mask; }
template <class To>
SYMK_HD bool mask_cast(bool mask) {
  return mask;
}
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
SYMK_HD bool is_nan(T x) {
  return x != x;
}

SYMK_HD int32_t bits(float x) {
  int32_t r;
  __builtin_memcpy(&r, &x, 4);
  return r;
}
SYMK_HD int64_t bits(double x) {
  int64_t r;
  __builtin_memcpy(&r, &x, 8);
  return r;
}
template <class To>
SYMK_HD float bit_cast(int32_t x) {
  float r;
  __builtin_memcpy(&r, &x, 4);
  return r;
}
template <class To>
SYMK_HD double bit_cast(int64_t x) {
  double r;
  __builtin_memcpy(&r, &x, 8);
  return r;
}

template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
SYMK_HD I bit_and(I a, I b) {
  return a & b;
}
template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
SYMK_HD I bit_or(I a, I b) {
  return a | b;
}
template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
SYMK_HD I bit_xor(I a, I b) {
  return a ^ b;
}
template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
SYMK_HD I bit_not(I a) {
  return static_cast<I>(~a);
}
template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
SYMK_HD I shift_left(I a, int count) {
  return static_cast<I>(static_cast<std::make_unsigned_t<I>>(a) << count);
}
template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
SYMK_HD I shift_right(I a, int count) {
  return a >> count;
}
/// a - b, which wraps.
template <class I>
SYMK_HD I difference(I a, I b) {
  if constexpr (std::is_integral_v<I>) {
    using U = std::make_unsigned_t<I>;
    return static_cast<I>(static_cast<U>(a) - static_cast<U>(b));
  } else {
    return a - b;
  }
}

/// a * b + c, rounded once where the instruction set has the instruction.
SYMK_HD float fma(float a, float b, float c) {
#ifdef SYMK_HAS_FMA
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
SYMK_HD double fma(double a, double b, double c) {
#ifdef SYMK_HAS_FMA
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

SYMK_HD float abs(float x) { return __builtin_fabsf(x); }
SYMK_HD double abs(double x) { return __builtin_fabs(x); }
SYMK_HD float copysign(float x, float s) { return __builtin_copysignf(x, s); }
SYMK_HD double copysign(double x, double s) { return __builtin_copysign(x, s); }
SYMK_HD float sqrt(float x) { return __builtin_sqrtf(x); }
SYMK_HD double sqrt(double x) { return __builtin_sqrt(x); }

/// The second operand when either is NaN.
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
SYMK_HD T min(T a, T b) {
  return a < b ? a : b;
}
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
SYMK_HD T max(T a, T b) {
  return a > b ? a : b;
}

/// NaN when either is NaN.
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
SYMK_HD T min_nan(T a, T b) {
  return ((a < b) | (a != a)) ? a : b;
}
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
SYMK_HD T max_nan(T a, T b) {
  return ((a > b) | (a != a)) ? a : b;
}

/// To the nearest integer, halves to even; down; up. Signs of zero are kept.
template <class T, class = std::enable_if_t<kIsFloating<T>>>
SYMK_HD T round(T x) {
  const T size = abs(x);
  const T nearest = copysign((size + Format<T>::all_integers) - Format<T>::all_integers, x);
  return size < Format<T>::all_integers ? nearest : x;
}
template <class T, class = std::enable_if_t<kIsFloating<T>>>
SYMK_HD T floor(T x) {
  const T r = round(x);
  return copysign(r > x ? r - T(1) : r, x);
}
template <class T, class = std::enable_if_t<kIsFloating<T>>>
SYMK_HD T ceil(T x) {
  const T r = round(x);
  return copysign(r < x ? r + T(1) : r, x);
}

/// The mask, for floating lanes, of the odd integer lanes.
template <class I>
SYMK_HD auto is_odd(I x) {
  return mask_cast<float>(bit_and(x, I(1)) == I(1));
}

SYMK_HD float to_float(int32_t x) { return static_cast<float>(x); }
SYMK_HD double to_float(int64_t x) { return static_cast<double>(x); }

/// f of every lane, one after the other: for what has no vector form. Lanes are copied, since a
/// vector whose lanes are named one by one would lie in memory everywhere.
template <class V, class F>
SYMK_HD V each_lane(V x, F f) {
  if constexpr (std::is_arithmetic_v<V>) {
    return f(x);
  } else {
    Lane<V> lanes[V::width];
    x.store(lanes);
    SYMK_NOT_UNROLLED
    for (int i = 0; i < V::width; ++i) lanes[i] = f(lanes[i]);
    return V::load(lanes);
  }
}
template <class V, class F>
SYMK_HD V each_lane(V x, V y, F f) {
  if constexpr (std::is_arithmetic_v<V>) {
    return f(x, y);
  } else {
    Lane<V> lanes[V::width], others[V::width];
    x.store(lanes);
    y.store(others);
    SYMK_NOT_UNROLLED
    for (int i = 0; i < V::width; ++i) lanes[i] = f(lanes[i], others[i]);
    return V::load(lanes);
  }
}

/// c[i] + c[i + 1] x + c[i + 2] x^2 + ..., by Horner's rule. No loop, as one inside a loop over
/// elements would keep it from becoming vectors.
template <int i = 0, class V, int n>
SYMK_HD V polynomial(V x, const Lane<V> (&c)[n]) {
  if constexpr (i == n - 1) {
    return V(c[i]);
  } else {
    return fma(polynomial<i + 1>(x, c), x, V(c[i]));
  }
}

}  // namespace SYMK_ISA
}  // namespace symk::math
