// Stands for cuda/launch.h where a program is compiled from text: what makes kernels of it, one for
// each form of members. Compiled as C++, for tests without a GPU, a kernel is a loop.
#pragma once

#include "math/lanes.h"

#ifdef __CUDACC__

#define SYMK_APART __device__ __noinline__
#define SYMK_ROLLED _Pragma("unroll 1")

// Three blocks to a processor keep enough loads on their way; a few values that are spilled for it
// stay in the first cache.
#define SYMK_PROGRAM_KERNEL(name, Members)                                     \
  extern "C" __global__ void __launch_bounds__(symk::cuda::kProgramThreads, 3) \
      name(const Members members, int64_t tiles) {                             \
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x)           \
      symk::cuda::run_program(members, tile);                                  \
  }

#else

#define SYMK_APART inline
#define SYMK_ROLLED

namespace symk::cuda {
struct Index {
  int x = 0;
};
static thread_local Index threadIdx, blockDim;
}  // namespace symk::cuda

#define SYMK_PROGRAM_KERNEL(name, Members)                                      \
  extern "C" void name(const void* arguments, int64_t tiles, int threads) {     \
    using symk::cuda::threadIdx;                                                \
    symk::cuda::blockDim.x = threads;                                           \
    for (int64_t tile = 0; tile < tiles; ++tile) {                              \
      for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)               \
        symk::cuda::run_program(*static_cast<const Members*>(arguments), tile); \
    }                                                                           \
  }

#endif
