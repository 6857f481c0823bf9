// Unary elementwise ops of the CUDA device, by name.
#pragma once

#include <cuda_runtime.h>

#include "runtime/view.h"

namespace symk::cuda {

/// Computes `count` dense elements of device memory on a stream; x and y may be the same memory.
using UnaryLauncher = void (*)(const void* x, void* y, int64_t count, cudaStream_t stream);

/// The launcher of an op for float32 or float64; null when there is none.
UnaryLauncher find_unary(const char* name, DType dtype);

}  // namespace symk::cuda
