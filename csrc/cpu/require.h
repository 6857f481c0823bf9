// What a binding may take for granted only after it has looked: a Plan from a file can name any
// operands. For *_step.cpp.
#pragma once

#include <string>
#include <vector>

#include "runtime/error.h"
#include "runtime/kernel.h"

namespace symk::cpu {

/// Throws Error unless `holds`. `wanted` says what must be, as "the ranks must agree".
inline void require(bool holds, const char* kernel, const char* wanted) {
  if (!holds) {
    throw Error(ErrorCode::kShape, std::string("[") + kernel + "] " + wanted +
                                       "; the operands of this step do not. The Plan is damaged.");
  }
}

inline void require_operands(const Binding& binding, const char* kernel, size_t inputs,
                             size_t outputs) {
  require(binding.inputs().size() == inputs && binding.outputs().size() == outputs, kernel,
          "the number of inputs and outputs must be the kernel's");
}

/// The Error of a kernel that has no code for a dtype.
inline Error no_dtype(const char* kernel, DType dtype) {
  return Error(ErrorCode::kDtype, std::string("[") + kernel + "] the kernel has no code for " +
                                      dtype_name(dtype) + ". Cast the operand.");
}

/// 0 for float32, 1 for float64; no other dtype passes.
inline int float_place(const char* kernel, DType dtype) {
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) throw no_dtype(kernel, dtype);
  return dtype == DType::kFloat64;
}

inline void require_dtype(const Type& type, DType dtype, const char* kernel) {
  require(type.dtype == dtype, kernel, "the dtypes must agree");
}

inline bool same_shape(const Type& a, const Type& b) {
  if (a.rank != b.rank) return false;
  for (int axis = 0; axis < a.rank; ++axis) {
    if (a.shape[axis] != b.shape[axis]) return false;
  }
  return true;
}

/// The attribute `axis`, inside the rank.
inline int axis_inside(const Binding& binding, const Type& type, const char* kernel) {
  const int64_t axis = binding.integer("axis");
  require(axis >= 0 && axis < type.rank, kernel, "the axis must be inside the rank");
  return static_cast<int>(axis);
}

/// A list attribute with one entry per axis of `type`.
inline std::vector<int64_t> per_axis(const Binding& binding, const char* key, const Type& type,
                                     const char* kernel) {
  std::vector<int64_t> values = binding.integers(key);
  require(values.size() == static_cast<size_t>(type.rank), kernel,
          "the lists of integers must have one entry per axis");
  return values;
}

/// Whether `whole` has the sizes of `part` but for axis `axis`.
inline bool same_but_axis(const Type& whole, const Type& part, int axis) {
  if (whole.rank != part.rank) return false;
  for (int i = 0; i < whole.rank; ++i) {
    if (i != axis && whole.shape[i] != part.shape[i]) return false;
  }
  return true;
}

}  // namespace symk::cpu
