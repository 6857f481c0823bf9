// Boxes of arrays, copied into the memory of a block by the hardware of compute capability 9.0
// ("TMA"). A tensor map says where an array of three axes lies and how large a box is; the copy of
// a box fills what lies outside of the array with zeros and counts the bytes of the whole box at a
// barrier. Lines of a box are 128 bytes, one after the other, and swizzled: the eight runs of 16
// bytes of a line change places, so that those of one column of eight lines lie in all banks.
// Sources: PTX ISA, "Tensors", "cp.async.bulk.tensor" and "Swizzling modes"; cuda.h on
// cuTensorMapEncodeTiled.
#pragma once

#include "cuda/barrier.h"

namespace symk::cuda {

constexpr int kBoxLineBytes = 128;
/// Swizzled boxes begin at a multiple of this.
constexpr int kBoxAlignment = 1024;

/// Where the byte of an address, of a box that is not swizzled, is in a swizzled one: bits 7 to 9,
/// the line modulo eight, are added to bits 4 to 6.
SYMK_BOTH constexpr uint32_t swizzled(uint32_t address) {
  return address ^ ((address >> 7 & 7) << 4);
}

/// The elements of an array, and what happens to them on the way. kRounded: numbers of float32
/// become those of TF32, to nearest, halves to even, but for infinity and NaN.
enum class BoxElement { kBits16, kBits32, kRounded };
constexpr int size_of(BoxElement element) { return element == BoxElement::kBits16 ? 2 : 4; }

/// Axes of an array, the fastest one first, whose elements lie together. Steps are in bytes, from
/// one line to the next and from one slice to the next, multiples of 16 as the address.
struct BoxArray {
  const void* data = nullptr;
  BoxElement element = BoxElement::kBits16;
  int64_t depth = 0, lines = 0, slices = 0;
  int64_t line_step = 0, slice_step = 0;
};

struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

/// The map of an array in boxes of `box_lines` lines, at most 256, and 128 bytes of depth. Throws
/// Error(kDevice) where the driver refuses it.
TensorMap make_tensor_map(const BoxArray& array, int box_lines);

#ifdef __CUDACC__

/// Begins to copy the box that begins at `depth` and `line` of a slice. One thread calls it.
SYMK_HD void copy_box(void* to, const TensorMap& map, int depth, int line, int slice,
                      Barrier* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(shared_address(to)),
      "l"(&map), "r"(depth), "r"(line), "r"(slice), "r"(shared_address(barrier))
      : "memory");
}

#else

inline void copy_box(void* to, const TensorMap& map, int depth, int line, int slice,
                     Barrier* barrier) {
  host::copy_box(to, map.bytes, depth, line, slice, barrier);
}

#endif

}  // namespace symk::cuda
