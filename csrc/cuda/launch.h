// How kernels are written and started. A kernel is a functor. `each` calls it once per index, in no
// order; `blocks` calls it once per thread of each block, and the threads of a block may share
// memory (`__shared__`, `shared_memory`), wait for each other (`__syncthreads`) and hand values
// around within a warp; those of `blocks_together` may wait for other blocks as well. Compiled by
// nvcc this is CUDA; by a C++ compiler, for tests without a GPU, host/ stands for it.
#pragma once

#include <cstdint>

#include "runtime/error.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "cuda/host/cuda_runtime.h"
#include "cuda/host/threads.h"
#endif

#include "math/lanes.h"

namespace symk::cuda {

constexpr int kWarp = 32;

/// The stream that this thread records into, in place of a device's own; null if it does not.
extern thread_local cudaStream_t recorded_stream;

/// The order in which a device works.
struct Queue {
  int device = 0;
  int architecture = 90;     // the compute capability, without its point
  bool tensor_cores = true;  // those of compute capability 8.0 and later
  int processors = 1;        // how many blocks of the largest size run at a time
  cudaStream_t own_stream = nullptr;

  /// Where everything goes that is to be done in order.
  cudaStream_t stream() const { return recorded_stream != nullptr ? recorded_stream : own_stream; }
};

/// Throws Error(kDevice) for what CUDA refuses; `what` is the call.
void check(cudaError_t status, const char* what);

#ifdef __CUDACC__

namespace launched {

template <class F>
__global__ void each(F f, int64_t count) {
  const int64_t first = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
  for (int64_t i = first; i < count; i += int64_t{gridDim.x} * blockDim.x) f(i);
}

template <class F>
__global__ void blocks(F f, int64_t count) {
  for (int64_t block = blockIdx.x; block < count; block += gridDim.x) {
    f(block);
    __syncthreads();  // the next block uses the same shared memory
  }
}

template <class F>
__global__ void __launch_bounds__(F::kThreads, F::kBlocksPerProcessor)
    bounded_blocks(F f, int64_t count) {
  for (int64_t block = blockIdx.x; block < count; block += gridDim.x) {
    f(block);
    __syncthreads();
  }
}

template <class F>
__global__ void __launch_bounds__(F::kThreads, 1) blocks_together(F f) {
  f(blockIdx.x);
}

template <class F>
__global__ void __launch_bounds__(F::kThreads, 1) persistent_blocks(const __grid_constant__ F f) {
  f(blockIdx.x, gridDim.x);
}

}  // namespace launched

constexpr int64_t kMostBlocks = 1 << 20;  // beyond this many, blocks take several turns
constexpr int kEachThreads = 256;         // eight warps, enough to hide latency

/// Calls f(i) for i = 0 .. count-1.
template <class F>
void each(const Queue& queue, int64_t count, const F& f) {
  if (count <= 0) return;
  check(cudaSetDevice(queue.device), "cudaSetDevice");
  const int64_t wanted = (count + kEachThreads - 1) / kEachThreads;
  const auto grid = static_cast<unsigned>(wanted < kMostBlocks ? wanted : kMostBlocks);
  launched::each<<<grid, kEachThreads, 0, queue.stream()>>>(f, count);
  check(cudaGetLastError(), "launch");
}

/// Calls f(block) on `threads` threads for each of `count` blocks; `shared` are the bytes of
/// shared_memory().
template <class F>
void blocks(const Queue& queue, int64_t count, int threads, int64_t shared, const F& f) {
  if (count <= 0) return;
  check(cudaSetDevice(queue.device), "cudaSetDevice");
  const auto grid = static_cast<unsigned>(count < kMostBlocks ? count : kMostBlocks);
  launched::blocks<<<grid, threads, static_cast<size_t>(shared), queue.stream()>>>(f, count);
  check(cudaGetLastError(), "launch");
}

/// As `blocks`, of F::kThreads threads and F::kSharedBytes each. The compiler gives a thread as
/// many registers as F::kBlocksPerProcessor such blocks leave it.
template <class F>
void bounded_blocks(const Queue& queue, int64_t count, const F& f) {
  if (count <= 0) return;
  constexpr int without_asking = 48 * 1024;
  check(cudaSetDevice(queue.device), "cudaSetDevice");
  if (F::kSharedBytes > without_asking) {
    check(cudaFuncSetAttribute(launched::bounded_blocks<F>,
                               cudaFuncAttributeMaxDynamicSharedMemorySize, F::kSharedBytes),
          "cudaFuncSetAttribute");
  }
  const auto grid = static_cast<unsigned>(count < kMostBlocks ? count : kMostBlocks);
  launched::bounded_blocks<<<grid, F::kThreads, F::kSharedBytes, queue.stream()>>>(f, count);
  check(cudaGetLastError(), "launch");
}

/// How many blocks of F::kThreads threads and F::kSharedBytes of shared memory can be there at
/// once, so that they may wait for each other; 0 where the device does not promise it.
template <class F>
int64_t most_together(const Queue& queue) {
  const auto attribute = [&](cudaDeviceAttr name) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, name, queue.device), "cudaDeviceGetAttribute");
    return value;
  };
  if (attribute(cudaDevAttrCooperativeLaunch) == 0 ||
      attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin) < F::kSharedBytes)
    return 0;
  check(cudaSetDevice(queue.device), "cudaSetDevice");
  const auto kernel = launched::blocks_together<F>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, F::kSharedBytes),
        "cudaFuncSetAttribute");
  int blocks = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, F::kThreads,
                                                      F::kSharedBytes),
        "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
  return int64_t{blocks} * attribute(cudaDevAttrMultiProcessorCount);
}

/// Calls f(block) on `threads` threads, F::kThreads at most, for each of `count` blocks that are
/// there at once and wait for each other by `meet_blocks`. most_together<F> must have allowed it.
/// What such blocks share within themselves is shared_memory() alone.
template <class F>
void blocks_together(const Queue& queue, int64_t count, int threads, const F& f) {
  if (count <= 0) return;
  check(cudaSetDevice(queue.device), "cudaSetDevice");
  void* arguments[] = {const_cast<F*>(&f)};
  check(cudaLaunchCooperativeKernel(launched::blocks_together<F>, static_cast<unsigned>(count),
                                    static_cast<unsigned>(threads), arguments, F::kSharedBytes,
                                    queue.stream()),
        "launch");
}

/// Waits until blocks have come here `arrivals` times since `place` was 0. All threads of a block
/// call it; what those of the others have written before is seen after it.
__device__ __forceinline__ void meet_blocks(unsigned* place, unsigned arrivals) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(place, 1u);
    while (*static_cast<volatile unsigned*>(place) < arrivals) {
    }
    __threadfence();
  }
  __syncthreads();
}

/// Calls f(block, blocks) on F::kThreads threads of as many blocks as the device runs at a time, at
/// most `count`, of F::kSharedBytes each. f stays in the memory of arguments, where the hardware
/// reads what it holds of tensor maps.
template <class F>
void persistent_blocks(const Queue& queue, int64_t count, const F& f) {
  if (count <= 0) return;
  check(cudaSetDevice(queue.device), "cudaSetDevice");
  check(cudaFuncSetAttribute(launched::persistent_blocks<F>,
                             cudaFuncAttributeMaxDynamicSharedMemorySize, F::kSharedBytes),
        "cudaFuncSetAttribute");
  const auto grid = static_cast<unsigned>(count < queue.processors ? count : queue.processors);
  launched::persistent_blocks<<<grid, F::kThreads, F::kSharedBytes, queue.stream()>>>(f);
  check(cudaGetLastError(), "launch");
}

/// x, of which the compiler knows nothing: what is found from it again is not kept in registers
/// from the first time.
__device__ __forceinline__ int64_t forgotten(int64_t x) {
  asm volatile("" : "+l"(x));
  return x;
}

/// The memory that the threads of a block share, as large as the launch says.
template <class T>
__device__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

// A table in the device's memory, and a function that is called by its address.
#define SYMK_DEVICE_TABLE __device__
#define SYMK_CALLED __device__
// A function whose code stands in a kernel once, wherever it is called.
#define SYMK_APART __device__ __noinline__
// Before a loop: its arrays are registers, or its code is large.
#define SYMK_UNROLLED _Pragma("unroll")
#define SYMK_ROLLED _Pragma("unroll 1")

#else

template <class F>
void each(const Queue& queue, int64_t count, const F& f) {
  if (count <= 0) return;
  const auto kernel = [count, f] {
    for (int64_t i = 0; i < count; ++i) f(i);
  };
  check(host::launch(queue.stream(), kernel), "launch");
}

template <class F>
void blocks(const Queue& queue, int64_t count, int threads, int64_t shared, const F& f) {
  if (count <= 0) return;
  const auto kernel = [count, threads, shared, f] {
    for (int64_t block = 0; block < count; ++block) {
      auto body = [&] { f(block); };
      host::run_block(
          threads, shared, [](void* context) { (*static_cast<decltype(body)*>(context))(); },
          &body);
    }
  };
  check(host::launch(queue.stream(), kernel), "launch");
}

template <class F>
void bounded_blocks(const Queue& queue, int64_t count, const F& f) {
  blocks(queue, count, F::kThreads, F::kSharedBytes, f);
}

template <class F>
int64_t most_together(const Queue&) {
  return host::most_together();
}

template <class F>
void blocks_together(const Queue& queue, int64_t count, int threads, const F& f) {
  if (count <= 0) return;
  const auto kernel = [count, threads, f] {
    auto body = [&](int64_t block) { f(block); };
    host::run_together(
        count, threads, F::kSharedBytes,
        [](void* context, int64_t block) { (*static_cast<decltype(body)*>(context))(block); },
        &body);
  };
  check(host::launch(queue.stream(), kernel, count), "launch");
}

inline void meet_blocks(unsigned* place, unsigned arrivals) {
  host::meet_blocks(place, arrivals);
}

/// The blocks one after the other: they do not wait for each other.
template <class F>
void persistent_blocks(const Queue& queue, int64_t count, const F& f) {
  const int64_t present = count < queue.processors ? count : queue.processors;
  blocks(queue, present, F::kThreads, F::kSharedBytes,
         [f, present](int64_t block) { f(block, present); });
}

inline int64_t forgotten(int64_t x) { return x; }

template <class T>
T* shared_memory() {
  return static_cast<T*>(host::shared_bytes());
}

#define SYMK_DEVICE_TABLE
#define SYMK_CALLED inline
#define SYMK_APART inline
#define SYMK_UNROLLED
#define SYMK_ROLLED

#endif

}  // namespace symk::cuda
