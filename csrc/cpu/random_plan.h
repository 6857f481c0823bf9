// The operands of random draws. For *_step.cpp files, and for the bindings of other devices.
#pragma once

#include "cpu/require.h"

namespace symk::cpu {

/// Throws Error unless the only input is a key: seed and offset.
inline void require_key(const Binding& binding, const char* kernel) {
  require_operands(binding, kernel, 1, 1);
  const Type& key = binding.inputs()[0];
  require_dtype(key, DType::kInt64, kernel);
  require(key.count() == 2, kernel, "the key must have two elements");
}

}  // namespace symk::cpu
