// Operands of any integer dtype, as kernels read them.
#pragma once

#include "cpu/integers.h"
#include "cuda/launch.h"

namespace symk::cuda {

struct Integers {
  const void* data;
  DType dtype;
  SYMK_HD int64_t operator[](int64_t i) const { return cpu::integer_at(dtype, data, i); }
};

}  // namespace symk::cuda
