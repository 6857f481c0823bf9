// Elementwise ops on the device: the structs of csrc/math, which are also the CPU's, one thread per element.
// What leaves this file is a table from (op name, dtype) to a launcher; it decides nothing about memory or streams.
#include "cuda/elementwise.h"

#include <cstring>

#include "math/binary.h"
#include "math/unary.h"

namespace symk::cuda {
namespace {

constexpr int kBlock = 256;           // threads of a block: eight warps, enough to hide latency at any register count
constexpr int64_t kMostBlocks = 4096;  // beyond this many, threads take several elements

int blocks_for(int64_t count) {
  const int64_t wanted = (count + kBlock - 1) / kBlock;
  return static_cast<int>(wanted < kMostBlocks ? wanted : kMostBlocks);
}

template <class Op, class T>
__global__ void map_one(const T* x, T* y, int64_t count) {
  for (int64_t i = blockIdx.x * int64_t(kBlock) + threadIdx.x; i < count; i += int64_t(gridDim.x) * kBlock)
    y[i] = Op()(x[i]);
}

template <class Op, class T>
void launch(const void* x, void* y, int64_t count, cudaStream_t stream) {
  if (count == 0) return;
  map_one<Op, T><<<blocks_for(count), kBlock, 0, stream>>>(static_cast<const T*>(x), static_cast<T*>(y), count);
}

template <class Op>
UnaryLauncher launcher_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return launch<Op, float>;
    case DType::kFloat64: return launch<Op, double>;
    default: return nullptr;
  }
}

/// The launcher of the op called `name` among the ops of a list, or null.
template <class... Ops>
UnaryLauncher find_among(math::List<Ops...>, const char* name, DType dtype) {
  UnaryLauncher found = nullptr;
  const bool seen = ((std::strcmp(Ops::name, name) == 0 && (found = launcher_of<Ops>(dtype), true)) || ...);
  return seen ? found : nullptr;
}

}  // namespace

UnaryLauncher find_unary(const char* name, DType dtype) { return find_among(math::UnaryOps{}, name, dtype); }

}  // namespace symk::cuda
