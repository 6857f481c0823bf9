// The memory of a shared variable.
#include "runtime/tensor.h"

#include "runtime/error.h"

namespace symk {
namespace {

int64_t checked_bytes(const Type& type) {
  int64_t bytes = item_bytes(type.dtype);
  for (int axis = 0; axis < type.rank; ++axis) {
    if (type.shape[axis] < 0)
      throw Error(ErrorCode::kShape, "[tensor] sizes must not be negative.");
    bytes = checked_multiply(bytes, type.shape[axis]);
  }
  return bytes;
}

}  // namespace

Tensor::Tensor(const Type& type) : type_(type), memory_(checked_bytes(type)) {}

}  // namespace symk
