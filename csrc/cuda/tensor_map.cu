// Tensor maps, as the driver writes them: its library is open already. In tests without a GPU,
// host/hopper.cpp stands for this file.
#ifdef __CUDACC__

#include "cuda/tensor_map.h"

#include <cuda.h>
#include <dlfcn.h>

namespace symk::cuda {
namespace {

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap), "a map is what the driver writes");

/// A function of the driver, of CUDA 12 and later.
template <class Encode>
Encode find_encode(const char* name) {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  void* const found = library == nullptr ? nullptr : dlsym(library, name);
  if (found == nullptr)
    throw Error(ErrorCode::kDevice,
                "[cuda] a driver for CUDA 12 or later is required; this one "
                "makes no tensor maps. Update the driver, or set wgmma to 0.");
  return reinterpret_cast<Encode>(found);
}

void check_encoded(CUresult status, const char* name) {
  if (status != CUDA_SUCCESS)
    throw Error(ErrorCode::kDevice,
                std::string("[cuda] ") + name + " failed: " + std::to_string(status) + ".");
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
  constexpr const char* name = "cuTensorMapEncodeTiled";
  static const auto encode = find_encode<decltype(&cuTensorMapEncodeTiled)>(name);
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
  check_encoded(status, name);
  return map;
}

TensorMap make_window_map(const BoxArray& pixels, const WindowAxis& rows, const WindowAxis& columns,
                          int box_windows) {
  constexpr const char* name = "cuTensorMapEncodeIm2col";
  static const auto encode = find_encode<decltype(&cuTensorMapEncodeIm2col)>(name);
  const int64_t images = pixels.lines * pixels.slices / rows.size / columns.size;
  const int64_t row_step = pixels.line_step * columns.size, image_step = row_step * rows.size;
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(pixels.depth),
                              static_cast<cuuint64_t>(columns.size),
                              static_cast<cuuint64_t>(rows.size), static_cast<cuuint64_t>(images)};
  const cuuint64_t steps[] = {static_cast<cuuint64_t>(pixels.line_step),
                              static_cast<cuuint64_t>(row_step),
                              static_cast<cuuint64_t>(image_step)};
  const int lower[] = {columns.lower(), rows.lower()};
  const int upper[] = {columns.upper(), rows.upper()};
  const cuuint32_t each[] = {1, static_cast<cuuint32_t>(columns.stride),
                             static_cast<cuuint32_t>(rows.stride), 1};
  alignas(alignof(CUtensorMap)) TensorMap map;
  const CUresult status =
      encode(reinterpret_cast<CUtensorMap*>(&map), type_of(pixels.element), 4,
             const_cast<void*>(pixels.data), sizes, steps, lower, upper,
             static_cast<cuuint32_t>(kBoxLineBytes / size_of(pixels.element)),
             static_cast<cuuint32_t>(box_windows), each, CU_TENSOR_MAP_INTERLEAVE_NONE,
             CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  check_encoded(status, name);
  return map;
}

}  // namespace symk::cuda

#endif
