// sin, cos, tan, asin, acos, atan, atan2. Float lanes are within about 2 units in the last place;
// arguments beyond `kReducible` and double lanes go through the C library, lane by lane. Special
// values as C's functions give them. Source: range reduction by Cody & Waite 1980; coefficients by
// coefficients.py.
#pragma once

#include "math/lanes.h"

namespace symk::math {
inline namespace SYMK_ISA {

SYMK_TABLE constexpr float kSineTerms[] = {-0.166666552f, 0.00833219104f,
                                           -0.000195186105f};  // (sin(x) / x - 1) / x^2
SYMK_TABLE constexpr float kCosineTerms[] = {0.0416666456f, -0.0013887313f,
                                             2.4432964e-5f};  // (cos(x) - 1 + x^2 / 2) / x^4
SYMK_TABLE constexpr float kTangentTerms[] = {
    0.333331436f,  0.133390844f,   0.0533906892f,
    0.0244961269f, 0.00302308565f, 0.00943853334f};  // (tan(x) / x - 1) / x^2
SYMK_TABLE constexpr float kArcsineTerms[] = {0.166667536f, 0.0749527663f, 0.0454714522f,
                                              0.0241787955f, 0.0421625003f};
SYMK_TABLE constexpr float kArctangentTerms[] = {-0.333331436f,  0.19993566f,    -0.142093986f,
                                                 0.106595658f,   -0.0753864646f, 0.0430533662f,
                                                 -0.0162714031f, 0.00289678201f};

constexpr float kPi = 3.14159265f, kPiRest = -8.74227766e-8f;  // their sum is pi
constexpr float kHalfPi = 1.57079633f, kHalfPiRest = -4.37113883e-8f;

/// Up to here the parts of pi/2 below, of at most 11 bits each but for the last, have exact
/// products with the quadrant.
constexpr float kReducible = 8192.0f;

/// x = quadrant * pi/2 + rest, |rest| <= pi/4, for |x| <= kReducible. The quadrant's low bits stand
/// in `bits(placed)`.
template <class V>
struct Quadrant {
  V placed, rest;
};

template <class V>
SYMK_HD Quadrant<V> reduce_quadrant(V x) {
  const V shift = V(Format<float>::integer_shift);
  const V placed = fma(x, V(0.636619772f), shift);
  const V quadrant = placed - shift;
  V rest = fma(quadrant, V(-0x1.92p0f), x);
  rest = fma(quadrant, V(-0x1.fb4p-12f), rest);
  rest = fma(quadrant, V(-0x1.444p-24f), rest);
  return {placed, fma(quadrant, V(-0x1.68c234p-39f), rest)};
}

template <class V>
SYMK_HD V sin_reduced(V r, V z) {
  return fma(r * z, polynomial(z, kSineTerms), r);
}
template <class V>
SYMK_HD V cos_reduced(V z) {
  return fma(z * z, polynomial(z, kCosineTerms), fma(z, V(-0.5f), V(1.0f)));
}

/// sin(x + turns * pi/2) for |x| <= kReducible.
template <int turns, class V>
SYMK_HD V sin_inside(V x) {
  using I = std::remove_const_t<decltype(bits(x))>;
  const auto q = reduce_quadrant(x);
  const V z = q.rest * q.rest;
  const I number = bits(q.placed) + I(turns);
  const V y = select(is_odd(number), cos_reduced(z), sin_reduced(q.rest, z));
  // Bit 1 of the quadrant is the sign.
  return bit_cast<float>(bit_xor(bits(y), bit_and(shift_left(number, 30), I(INT32_MIN))));
}

template <class V>
SYMK_HD V tan_inside(V x) {
  const auto q = reduce_quadrant(x);
  const V z = q.rest * q.rest;
  const V y = fma(q.rest * z, polynomial(z, kTangentTerms), q.rest);
  return select(is_odd(bits(q.placed)), V(-1.0f) / y, y);
}

/// `inside` where reduce_quadrant can take x, elsewhere f of that lane alone, so that no lane
/// changes the result of another.
template <class V, class F>
SYMK_HD V or_far(V x, V inside, F f) {
  const auto far = abs(x) > V(kReducible);
  if (mask_bits(far) == 0) return inside;
  return select(far, each_lane(x, f), inside);
}

template <class V>
SYMK_HD V sin(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return __builtin_sin(t); });
  } else {
    return or_far(x, select(x == V(0.0f), x, sin_inside<0>(x)),
                  [](float t) { return static_cast<float>(__builtin_sin(t)); });
  }
}

template <class V>
SYMK_HD V cos(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return __builtin_cos(t); });
  } else {
    return or_far(x, sin_inside<1>(x),
                  [](float t) { return static_cast<float>(__builtin_cos(t)); });
  }
}

template <class V>
SYMK_HD V tan(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return __builtin_tan(t); });
  } else {
    return or_far(x, select(x == V(0.0f), x, tan_inside(x)),
                  [](float t) { return static_cast<float>(__builtin_tan(t)); });
  }
}

/// asin(r) for 0 <= r <= 1/2, with z = r^2.
template <class V>
SYMK_HD V asin_near(V r, V z) {
  return fma(r * z, polynomial(z, kArcsineTerms), r);
}

/// Above 1/2: asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)).
template <class V>
SYMK_HD V asin(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return __builtin_asin(t); });
  } else {
    const V size = abs(x);
    const auto far = size > V(0.5f);
    const V z = select(far, V(0.5f) - V(0.5f) * size, size * size);
    const V y = asin_near(select(far, sqrt(z), size), z);
    return copysign(select(far, V(kHalfPi) - (y + y - V(kHalfPiRest)), y), x);
  }
}

template <class V>
SYMK_HD V acos(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return __builtin_acos(t); });
  } else {
    const V size = abs(x);
    const auto far = size > V(0.5f);
    const V z = select(far, V(0.5f) - V(0.5f) * size, size * size);
    const V y = asin_near(select(far, sqrt(z), size), z);
    const V near = V(kHalfPi) - (copysign(y, x) - V(kHalfPiRest));
    const V edge = select(x > V(0.0f), y + y, V(kPi) - (y + y - V(kPiRest)));
    return select(far, edge, near);
  }
}

/// atan(r) for 0 <= r <= 1.
template <class V>
SYMK_HD V atan_near(V r) {
  const V z = r * r;
  return fma(r * z, polynomial(z, kArctangentTerms), r);
}

template <class V>
SYMK_HD V atan(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return __builtin_atan(t); });
  } else {
    const V size = abs(x);
    const auto far = size > V(1.0f);
    const V y = atan_near(select(far, V(1.0f) / size, size));
    return copysign(select(far, V(kHalfPi) - (y - V(kHalfPiRest)), y), x);
  }
}

/// The angle of the point (x, y).
template <class V>
SYMK_HD V atan2(V y, V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(y, x, [](double s, double t) { return __builtin_atan2(s, t); });
  } else {
    const V width = abs(x), height = abs(y);
    const auto steep = height > width;
    const V large = select(steep, height, width), small = select(steep, width, height);
    // 0 / 0 counts as 0 and infinity / infinity as 1, as C says.
    const V ratio =
        select(small == large, select(large == V(0.0f), V(0.0f), V(1.0f)), small / large);
    const V first = atan_near(ratio);
    const V angle = select(steep, V(kHalfPi) - (first - V(kHalfPiRest)), first);
    const V turned = select(copysign(V(1.0f), x) < V(0.0f), V(kPi) - (angle - V(kPiRest)), angle);
    return copysign(turned, y);
  }
}

}  // namespace SYMK_ISA
}  // namespace symk::math
