// A dtype, and a view: dense row-major memory with a shape. Includes nothing that allocates, so
// kernel files may include it.
#pragma once

#include <cstdint>

namespace symk {

enum class DType : uint8_t {
  kFloat32 = 0,
  kFloat64 = 1,
  kFloat16 = 2,
  kInt8 = 3,
  kInt16 = 4,
  kInt32 = 5,
  kInt64 = 6,
  kUInt8 = 7,
  kBool = 8,
};
constexpr int kDTypeCount = 9;

/// Bytes of one element.
constexpr int64_t item_bytes(DType dtype) {
  constexpr int64_t bytes[kDTypeCount] = {4, 8, 2, 1, 2, 4, 8, 1, 1};
  return bytes[static_cast<int>(dtype)];
}

constexpr const char* dtype_name(DType dtype) {
  constexpr const char* names[kDTypeCount] = {"float32", "float64", "float16", "int8", "int16",
                                              "int32",   "int64",   "uint8",   "bool"};
  return names[static_cast<int>(dtype)];
}

constexpr int kMaxRank = 8;

/// The shape and dtype of an operand once sizes are bound.
struct Type {
  DType dtype = DType::kFloat32;
  int rank = 0;
  int64_t shape[kMaxRank] = {};

  int64_t count() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
  int64_t bytes() const { return count() * item_bytes(dtype); }
};

}  // namespace symk
