// float16 as the host writes it where only a constant is wanted (the fill value of pad). For
// *_step.cpp files.
#pragma once

#include <cmath>
#include <cstdint>

namespace symk::cpu {

/// The IEEE binary16 bits nearest to `value`, halves to even.
inline uint16_t half_bits(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return sign;
  if (std::isnan(value)) return sign | 0x7e00;
  if (magnitude >= 65520.0)
    return sign | 0x7c00;  // halfway from the largest half to the next power
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int scale = exponent - 11 > -24 ? exponent - 11 : -24;  // 2^scale is the last place
  const int mantissa = static_cast<int>(std::nearbyint(std::ldexp(magnitude, -scale)));
  // A mantissa of 1024 or more carries the exponent: normal numbers count from scale -24.
  return static_cast<uint16_t>(sign + mantissa + ((scale + 24) << 10));
}

}  // namespace symk::cpu
