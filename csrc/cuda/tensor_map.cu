// Tensor maps, as the driver writes them: its library is open already. In tests without a GPU,
// host/hopper.cpp stands for this file.
#ifdef __CUDACC__

#include "cuda/tensor_map.h"

#include <cuda.h>
#include <dlfcn.h>

namespace symk::cuda {
namespace {

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap), "a map is what the driver writes");

using Encode = decltype(&cuTensorMapEncodeTiled);

/// Null where the driver is older than CUDA 12.
Encode find_encode() {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return library == nullptr ? nullptr
                            : reinterpret_cast<Encode>(dlsym(library, "cuTensorMapEncodeTiled"));
}

CUtensorMapDataType type_of(BoxElement element) {
  switch (element) {
    case BoxElement::kBits16: return CU_TENSOR_MAP_DATA_TYPE_UINT16;
    case BoxElement::kBits32: return CU_TENSOR_MAP_DATA_TYPE_UINT32;
    default: return CU_TENSOR_MAP_DATA_TYPE_TFLOAT32;
  }
}

}  // namespace

TensorMap make_tensor_map(const BoxArray& array, int box_lines) {
  static const Encode encode = find_encode();
  if (encode == nullptr)
    throw Error(ErrorCode::kDevice,
                "[cuda] a driver for CUDA 12 or later is required; this one "
                "makes no tensor maps. Update the driver, or set wgmma to 0.");
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(array.depth),
                              static_cast<cuuint64_t>(array.lines),
                              static_cast<cuuint64_t>(array.slices)};
  const cuuint64_t steps[] = {static_cast<cuuint64_t>(array.line_step),
                              static_cast<cuuint64_t>(array.slice_step)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(kBoxLineBytes / size_of(array.element)),
                            static_cast<cuuint32_t>(box_lines), 1};
  const cuuint32_t each[] = {1, 1, 1};
  alignas(alignof(CUtensorMap)) TensorMap map;
  const CUresult status =
      encode(reinterpret_cast<CUtensorMap*>(&map), type_of(array.element), 3,
             const_cast<void*>(array.data), sizes, steps, box, each, CU_TENSOR_MAP_INTERLEAVE_NONE,
             CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS)
    throw Error(ErrorCode::kDevice,
                "[cuda] cuTensorMapEncodeTiled failed: " + std::to_string(status) + ".");
  return map;
}

}  // namespace symk::cuda

#endif
