// Vectors times matrices that are stored in less than float32: read as they are, so that as little
// memory is read as there is.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace symk::cpu {

struct StoredKernels {
  /// y[j] = sum over i of v[i] * x[i * columns + j], for i < rows, j < columns.
  void (*add_bytes)(const int8_t* x, const float* v, float* y, int64_t rows, int64_t columns);
  void (*add_halves)(const uint16_t* x, const float* v, float* y, int64_t rows, int64_t columns);
  template <Isa isa>
  static const StoredKernels& of();
};
template <>
const StoredKernels& StoredKernels::of<Isa::portable>();
template <>
const StoredKernels& StoredKernels::of<Isa::avx2>();
template <>
const StoredKernels& StoredKernels::of<Isa::avx512>();

}  // namespace symk::cpu
