// pow, floor_div and mod, for floating lanes (pow: scalars) and integer scalars. Powers of float32
// are computed in double lanes, to within half a unit and a little; those of double go through the
// C library. Special values as C's pow; signs of division as Python. Source: coefficients by
// coefficients.py.
#pragma once

#include "math/lanes.h"

namespace symk::math {
inline namespace SYMK_ISA {

// (2 atanh(s) / ln(2) / s - 2 / ln(2)) / s^2 in s^2
SYMK_TABLE constexpr double kLog2Terms[] = {0.96179669392479616, 0.57707801712265572,
                                            0.41219841626775827, 0.32061559259071692,
                                            0.26146562924652444, 0.24269497094858708};
// 2^r for |r| <= 1/2
SYMK_TABLE constexpr double kExp2Terms[] = {
    0.99999999995954825,   0.6931471805459305,    0.24022651213595278,   0.055504109412154126,
    0.0096180256029521211, 0.0013333450560412074, 0.0001546973197833081, 1.5310081137407198e-5};

SYMK_HD uint64_t wide_bits(double x) { return static_cast<uint64_t>(bits(x)); }
SYMK_HD double wide_of(uint64_t x) { return bit_cast<double>(static_cast<int64_t>(x)); }

/// log2(x) for a positive, finite float, which in double is normal.
SYMK_HD double log2_wide(double x) {
  constexpr uint64_t root_half = 0x3fe6a09e667f3bcd, exponent_of_one = uint64_t{1023} << 52;
  const uint64_t shifted =
      (wide_bits(x) - root_half + exponent_of_one) & ~((uint64_t{1} << 52) - 1);
  const double m = wide_of(wide_bits(x) - (shifted - exponent_of_one));
  // The exponent as a double, without a conversion of 64-bit integers: bits of 2^52 + exponent.
  const double exponent = wide_of((shifted >> 52) | wide_bits(0x1p52)) - (0x1p52 + 1023.0);
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  return exponent + s * fma(z, polynomial(z, kLog2Terms), 2.8853900817779268);
}

/// 2^x for |x| <= 1000, in double.
SYMK_HD double exp2_wide(double x) {
  const double placed = x + Format<double>::integer_shift;
  const double r = x - (placed - Format<double>::integer_shift);
  return wide_of(wide_bits(polynomial(r, kExp2Terms)) + (wide_bits(placed) << 52));
}

SYMK_HD double pow(double x, double y) { return __builtin_pow(x, y); }

SYMK_HD float pow(float x, float y) {
  const float size = abs(x), infinity = Format<float>::infinity;
  double logarithm = log2_wide(size);
  logarithm = size == 0.0f ? -1e300 : size == infinity ? 1e300 : logarithm;
  double product = static_cast<double>(y) * logarithm;
  product = product < -1000.0 ? -1000.0 : product;
  product = product > 1000.0 ? 1000.0 : product;
  float r = static_cast<float>(exp2_wide(product));
  const bool whole = floor(y) == y;
  const bool odd = whole & (floor(0.5f * y) != 0.5f * y);
  r = ((x < 0.0f) & !whole & (size < infinity)) ? Format<float>::nan : r;
  r = odd ? copysign(r, x) : r;
  r = ((x != x) | (y != y)) ? x + y : r;
  return (y == 0.0f) | (x == 1.0f) | ((x == -1.0f) & (abs(y) == infinity)) ? 1.0f : r;
}

/// By squaring, modulo 2^bits. A negative exponent gives the inverse cut to an integer: 1 and -1
/// have one, others give 0.
template <class T, class = std::enable_if_t<std::is_integral_v<T>>>
SYMK_HD T pow(T x, T y) {
  if (y < T(0)) return x == T(1) ? T(1) : x == T(-1) ? (y & 1 ? T(-1) : T(1)) : T(0);
  uint64_t base = static_cast<uint64_t>(x), result = 1;
  for (uint64_t rest = static_cast<uint64_t>(y); rest != 0; rest >>= 1) {
    if (rest & 1) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}

SYMK_HD float remainder_of(float x, float y) { return __builtin_fmodf(x, y); }
SYMK_HD double remainder_of(double x, double y) { return __builtin_fmod(x, y); }

/// Lane by lane what scalars give. Where a fused multiply-add is there, all lanes at once, unless a
/// quotient is too large: a quotient that the division rounds up to an integer leaves a negative
/// rest, which is still exact.
template <class V, class T = typename V::Scalar>
SYMK_HD V remainder_of(V x, V y) {
#ifdef SYMK_HAS_FMA
  const V size = abs(x), step = abs(y), quotient = floor(size / step);
  V rest = fma(-quotient, step, size);
  rest = select(rest < V(T(0)), rest + step, rest);
  rest = select(size < step, size, rest);
  constexpr uint32_t all = (uint64_t{1} << V::width) - 1;
  if (mask_bits(quotient < V(Format<T>::all_integers)) == all) return copysign(rest, x);
#endif
  T xs[V::width], ys[V::width];
  x.store(xs);
  y.store(ys);
  for (int lane = 0; lane < V::width; ++lane) xs[lane] = remainder_of(xs[lane], ys[lane]);
  return V::load(xs);
}

/// Whether a rest r, not 0, and y have different signs.
template <class V>
SYMK_HD auto signs_differ(V r, V y) {
  const V one(1);
  return copysign(one, r) * copysign(one, y) < V(0);
}

/// x - floor(x / y) * y, with the sign of y; NaN for y = 0.
template <class V, class = std::enable_if_t<kIsFloating<Lane<V>>>>
SYMK_HD V mod(V x, V y) {
  const V r = remainder_of(x, y), zero(0);
  return select(r == zero, copysign(zero, y), select(signs_differ(r, y), r + y, r));
}

/// floor(x / y), exact where x / y is near an integer; x / y for y = 0.
template <class V, class = std::enable_if_t<kIsFloating<Lane<V>>>>
SYMK_HD V floor_div(V x, V y) {
  const V r = remainder_of(x, y), zero(0), one(1), ratio = x / y;
  V quotient = (x - r) / y;
  quotient = select(r == zero, quotient, select(signs_differ(r, y), quotient - one, quotient));
  V whole = floor(quotient);
  whole = select(quotient - whole > V(Lane<V>(0.5)), whole + one, whole);
  whole = select(quotient == zero, copysign(zero, ratio), whole);
  return select(y == zero, ratio, whole);
}

/// 0 for y = 0; the lowest integer over -1 wraps round to itself.
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
SYMK_HD T floor_div(T x, T y) {
  if (y == T(0)) return T(0);
  if constexpr (std::is_signed_v<T>) {
    if (y == T(-1)) return static_cast<T>(0 - static_cast<uint64_t>(x));
  }
  const T quotient = static_cast<T>(x / y);
  return (x % y != 0) && ((x < T(0)) != (y < T(0))) ? static_cast<T>(quotient - 1) : quotient;
}

/// The sign of y; 0 for y = 0.
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
SYMK_HD T mod(T x, T y) {
  if (y == T(0)) return T(0);
  if constexpr (std::is_signed_v<T>) {
    if (y == T(-1)) return T(0);
  }
  const T r = static_cast<T>(x % y);
  return r != T(0) && ((r < T(0)) != (y < T(0))) ? static_cast<T>(r + y) : r;
}

}  // namespace SYMK_ISA
}  // namespace symk::math
