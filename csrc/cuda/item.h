// Calls a function with the type that has as many bytes as an item, or with that of a dtype.
#pragma once

#include <cstdint>

#include "runtime/view.h"

namespace symk::cuda {

template <class T>
struct TypeTag {
  using type = T;
};

/// f(TypeTag<T>()) with an unsigned T of 1, 2, 4 or 8 bytes.
template <class F>
auto with_item(int64_t bytes, F f) {
  switch (bytes) {
    case 1: return f(TypeTag<uint8_t>());
    case 2: return f(TypeTag<uint16_t>());
    case 4: return f(TypeTag<uint32_t>());
    default: return f(TypeTag<uint64_t>());
  }
}

/// f(TypeTag<T>()) for a dtype of numbers; `otherwise` is called for float16 and bool.
template <class F, class Otherwise>
auto with_number(DType dtype, F f, Otherwise otherwise) {
  switch (dtype) {
    case DType::kFloat32: return f(TypeTag<float>());
    case DType::kFloat64: return f(TypeTag<double>());
    case DType::kInt8: return f(TypeTag<int8_t>());
    case DType::kInt16: return f(TypeTag<int16_t>());
    case DType::kInt32: return f(TypeTag<int32_t>());
    case DType::kInt64: return f(TypeTag<int64_t>());
    case DType::kUInt8: return f(TypeTag<uint8_t>());
    default: return otherwise();
  }
}

}  // namespace symk::cuda
