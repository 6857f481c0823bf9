// Unary elementwise ops in place, by name: what a matrix product or a convolution does to its
// finished values.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace symk::cpu {

template <class T>
using Activation = void (*)(T* x, int64_t count);

struct NamedActivation {
  const char* name;
  Activation<float> float32;
  Activation<double> float64;
};

struct ActivationKernels {
  const NamedActivation* all;
  int count;
  template <Isa isa>
  static const ActivationKernels& of();
};
template <>
const ActivationKernels& ActivationKernels::of<Isa::portable>();
template <>
const ActivationKernels& ActivationKernels::of<Isa::avx2>();
template <>
const ActivationKernels& ActivationKernels::of<Isa::avx512>();

/// The activation of that name for the active set; null for "". Throws Error when there is none.
template <class T>
Activation<T> find_activation(const char* name);
template <>
Activation<float> find_activation<float>(const char* name);
template <>
Activation<double> find_activation<double>(const char* name);

}  // namespace symk::cpu
