// erf and its inverse. Float lanes are within about 3 units in the last place; double lanes go
// through the C library, the inverse by Halley's iteration on it. Source: float forms by
// coefficients.py; starting value of the iteration: Winitzki 2008.
#pragma once

#include "math/logarithm.h"
#include "math/trigonometric.h"

namespace symk::math {
inline namespace SYMK_ISA {

// erf(x) / x - 1 in x^2, for |x| <= 1
SYMK_TABLE constexpr float kErfNear[] = {0.128379166f,   -0.376126289f, 0.112836182f,
                                         -0.0268551242f, 0.0051907259f, -0.000803065428f,
                                         7.91990169e-5f};
// -log(1 - erf(x)) / x, for 1 <= x <= 4
SYMK_TABLE constexpr float kErfFar[] = {1.12860548f,     0.63538307f,    0.105721191f,
                                        -0.0231463369f,  0.00321573159f, -0.000150952605f,
                                        -2.60356283e-5f, 3.35929076e-6f};
constexpr float kErfOne = 4.0f;  // erf is 1 above

// erfinv(x) / x in w - 5/2, for w = -log(1 - x^2) below 5
SYMK_TABLE constexpr float kErfinvNear[] = {1.50140929f,     0.246640295f,    -0.00417713448f,
                                            -0.00125275669f, 0.000218093279f, -4.95578024e-6f,
                                            -3.3637657e-6f,  4.64677953e-7f,  6.50116272e-9f,
                                            -8.6907237e-9f,  1.01613562e-9f};
// erfinv(x) / x in sqrt(w) - 3, above
SYMK_TABLE constexpr float kErfinvFar[] = {
    2.83297682f,     1.00167489f,    0.009444708f,    -0.00763631286f,  0.00569098489f,
    -0.00360174896f, 0.00147572334f, -4.82381656e-5f, -0.000302537926f, 0.00010950998f};

template <class V>
SYMK_HD V erf(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return __builtin_erf(t); });
  } else {
    const V size = min(V(kErfOne), abs(x));
    const V near = fma(size, polynomial(size * size, kErfNear), size);
    const V far = V(1.0f) - exp(-(size * polynomial(size, kErfFar)));
    return copysign(select(size < V(1.0f), near, far), x);
  }
}

/// The inverse of erf for |x| < 1 in double precision.
SYMK_HD double erfinv_double(double x) {
  const double size = __builtin_fabs(x);
  if (!(size < 1.0))
    return size == 1.0 ? __builtin_copysign(__builtin_inf(), x) : __builtin_nan("");
  if (size < 1e-8) return x * 0.88622692545275801;
  const double w = __builtin_log1p(-size * size), t = 4.3307467508 + 0.5 * w;
  double y = __builtin_sqrt(__builtin_sqrt(t * t - w * 6.8027210884) - t);
  for (int i = 0; i < 3; ++i) {
    // Far out erf is nearly 1, where only its complement has digits.
    const double error = size < 0.5 ? __builtin_erf(y) - size : (1.0 - size) - __builtin_erfc(y);
    const double newton = error / (1.1283791670955126 * __builtin_exp(-y * y));
    y -= newton / (1.0 + y * newton);
  }
  return __builtin_copysign(y, x);
}

template <class V>
SYMK_HD V erfinv(V x) {
  if constexpr (kIsDouble<V>) {
    return each_lane(x, [](double t) { return erfinv_double(t); });
  } else {
    const V one = V(1.0f), size = abs(x);
    const V w = -log((one - size) * (one + size));
    const V near = polynomial(w - V(2.5f), kErfinvNear);
    const V far = polynomial(sqrt(w) - V(3.0f), kErfinvFar);
    const V y = select(w < V(5.0f), near, far) * x;
    return select(size == one, x * V(Format<float>::infinity), y);
  }
}

}  // namespace SYMK_ISA
}  // namespace symk::math
