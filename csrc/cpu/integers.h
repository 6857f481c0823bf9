// Operands of any integer dtype, read one element at a time. For *_step.cpp files and devices.
#pragma once

#include <cstdint>

#include "math/lanes.h"
#include "runtime/view.h"

namespace symk::cpu {

inline bool is_integer(DType dtype) {
  return dtype >= DType::kInt8 && dtype <= DType::kUInt8;
}

/// Element i of an operand of an integer dtype.
SYMK_HD int64_t integer_at(DType dtype, const void* data, int64_t i) {
  switch (dtype) {
    case DType::kInt8: return static_cast<const int8_t*>(data)[i];
    case DType::kInt16: return static_cast<const int16_t*>(data)[i];
    case DType::kInt32: return static_cast<const int32_t*>(data)[i];
    case DType::kUInt8: return static_cast<const uint8_t*>(data)[i];
    default: return static_cast<const int64_t*>(data)[i];
  }
}

}  // namespace symk::cpu
