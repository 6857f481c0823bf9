// A dtype, and a view: dense row-major memory with a shape. Includes nothing that allocates, so
// kernel files may include it.
#pragma once

#include <cstdint>
#include <type_traits>

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

/// The dtype of elements of a type of C++. float16 has none.
template <class T>
constexpr DType dtype_of() {
  if (std::is_same_v<T, float>) return DType::kFloat32;
  if (std::is_same_v<T, double>) return DType::kFloat64;
  if (std::is_same_v<T, int8_t>) return DType::kInt8;
  if (std::is_same_v<T, int16_t>) return DType::kInt16;
  if (std::is_same_v<T, int32_t>) return DType::kInt32;
  if (std::is_same_v<T, int64_t>) return DType::kInt64;
  if (std::is_same_v<T, uint8_t>) return DType::kUInt8;
  static_assert(std::is_signed_v<T> || sizeof(T) == 1, "no dtype has such elements");
  return DType::kBool;
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
