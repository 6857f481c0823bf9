// A number as the bits of an element of a dtype, for the constants of bindings. For *_step.cpp
// files, and for the bindings of other devices.
#pragma once

#include <cstdint>
#include <cstring>

#include "cpu/half.h"
#include "cpu/require.h"

namespace symk::cpu {

template <class T>
uint64_t bits_of(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

/// The integer nearest to zero from `value`; the ends of the range beyond them, 0 for NaN.
inline int64_t saturated(double value) {
  if (value >= 0x1p63) return INT64_MAX;
  if (value < -0x1p63) return INT64_MIN;
  return value == value ? static_cast<int64_t>(value) : 0;
}

/// The bits of `value` as an element of `dtype`, in the low bytes.
inline uint64_t element_bits(double value, DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return bits_of(static_cast<float>(value));
    case DType::kFloat64: return bits_of(value);
    case DType::kFloat16: return half_bits(value);
    case DType::kBool: return value != 0 ? 1 : 0;
    default: return bits_of(saturated(value));
  }
}

/// The only element of the result of `size`.
inline uint64_t size_bits(const Binding& binding) {
  require_operands(binding, "size", 0, 1);
  const Type& y = binding.outputs()[0];
  require(y.count() == 1, "size", "y must have one element");
  const int64_t size = binding.integer("size");
  return y.dtype == DType::kInt64 ? bits_of(size)
                                  : element_bits(static_cast<double>(size), y.dtype);
}

}  // namespace symk::cpu
