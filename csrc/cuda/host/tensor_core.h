// What a tensor core adds up, for tests without a GPU. NVIDIA does not publish it; what has been
// measured (Fasi et al. 2021, "Numerical behavior of NVIDIA tensor cores") is at least as exact as
// this: products are exact, all addends are cut to the last bit of the largest one, and their sum
// is cut to float32.
#pragma once

#include <cmath>

namespace symk::cuda::host {

/// x cut to a multiple of 2^exponent, towards zero.
inline double cut(double x, int exponent) {
  return std::ldexp(std::trunc(std::ldexp(x, -exponent)), exponent);
}

/// c + the sum of a[i] * b[i].
template <int depth>
float sum_products(float c, const double (&a)[depth], const double (&b)[depth]) {
  constexpr int bits = 24;
  double largest = std::fabs(c), plain = c, sum = 0;
  for (int i = 0; i < depth; ++i) {
    largest = std::fmax(largest, std::fabs(a[i] * b[i]));
    plain += a[i] * b[i];
  }
  if (!std::isfinite(plain) || largest == 0) return static_cast<float>(plain);
  const int last = std::ilogb(largest) - bits + 1;
  sum = cut(c, last);
  for (int i = 0; i < depth; ++i) sum += cut(a[i] * b[i], last);
  if (sum == 0) return 0;
  return static_cast<float>(cut(sum, std::ilogb(sum) - bits + 1));
}

}  // namespace symk::cuda::host
