// What the bindings of recurrent kernels share. For *_step.cpp.
#pragma once

#include <string>

#include "cpu/dispatch.h"
#include "cpu/recurrent.h"
#include "runtime/error.h"

namespace symk::cpu {

inline Curve curve_named(const char* kernel, const std::string& name) {
  static constexpr const char* names[] = {"linear", "relu", "tanh", "sigmoid", "hard_sigmoid"};
  for (int i = 0; i < 5; ++i) {
    if (name == names[i]) return static_cast<Curve>(i);
  }
  throw Error(ErrorCode::kArgument, std::string("[") + kernel +
                                        "] an activation must be linear, relu, tanh, sigmoid or "
                                        "hard_sigmoid; \"" +
                                        name + "\" was given.");
}

template <class T>
const RecurrentFunctions<T>& cell_functions() {
  if constexpr (sizeof(T) == 4) {
    return kernels<RecurrentKernels>().float32;
  } else {
    return float64_kernels<RecurrentKernels>().float64;
  }
}

}  // namespace symk::cpu
