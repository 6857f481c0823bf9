// Boxes of arrays, copied into the memory of a block by the hardware of compute capability 9.0
// ("TMA"). A tensor map says where an array of three axes lies and how large a box is; the copy of
// a box fills what lies outside of the array with zeros and counts the bytes of the whole box at a
// barrier. Lines of a box are 128 bytes, one after the other, and swizzled: the eight runs of 16
// bytes of a line change places, so that those of one column of eight lines lie in all banks.
//
// The same for windows of images ("im2col"): a line of a box is a pixel, its depth channels. Of the
// PTX ISA, "im2col mode", this relies on:
//   - the coordinates of a copy are the place of a window's first tap, which lies in the bounding
//     box of all windows, and may lie outside of the image; offsets, of a tap, are added to it;
//   - lines go on from window to window: along a row by its stride until the bounding box ends,
//     which belongs to it, then from its first column on in the next row, then in the next image;
//   - what lies outside of the image or behind the last one is zeros, and counts as bytes as well.
// A corner of the bounding box is told by its distance from that of the image, the columns first:
// cuda.h has them the other way round in words, those who have run it (CUTLASS, CubeCL) as here.
// Sources: PTX ISA, "Tensors", "cp.async.bulk.tensor" and "Swizzling modes"; cuda.h on
// cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col.
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

/// Windows along one axis of images of `size`: the first one begins at `first`, which may lie
/// outside, and the others a stride further each.
struct WindowAxis {
  int32_t size = 1, first = 0, count = 1, stride = 1;

  /// The corners of the bounding box.
  constexpr int32_t lower() const { return first; }
  constexpr int32_t upper() const { return first + (count - 1) * stride - (size - 1); }
};

/// Whether a map can tell of them, and a copy of offsets up to this one.
inline bool suits_window_map(const WindowAxis& axis, int64_t largest_offset) {
  constexpr int64_t least = -128, most = 127, most_offset = 255, most_stride = 8;
  const int64_t upper = int64_t{axis.first} + int64_t{axis.count - 1} * axis.stride - axis.size + 1;
  return axis.size > 0 && axis.count > 0 && axis.stride <= most_stride && axis.first >= least &&
         axis.first <= most && upper >= least && upper <= most && largest_offset <= most_offset;
}

/// The map of windows in boxes of so many, at most 1024. Lines of the array are the pixels of
/// images, one image after the other. Throws Error(kDevice) where the driver refuses it.
TensorMap make_window_map(const BoxArray& pixels, const WindowAxis& rows, const WindowAxis& columns,
                          int box_windows);

/// A tap of windows: where it is from their first one on.
struct TapOffset {
  uint16_t row, column;
};

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

/// The same of windows, from the one on whose first tap is at `row` and `column`.
SYMK_HD void copy_windows(void* to, const TensorMap& map, int channel, int column, int row,
                          int image, const TapOffset& tap, Barrier* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%2, %3, %4, %5}], [%6], {%7, %8};" ::"r"(shared_address(to)),
      "l"(&map), "r"(channel), "r"(column), "r"(row), "r"(image), "r"(shared_address(barrier)),
      "h"(tap.column), "h"(tap.row)
      : "memory");
}

#else

inline void copy_box(void* to, const TensorMap& map, int depth, int line, int slice,
                     Barrier* barrier) {
  host::copy_box(to, map.bytes, depth, line, slice, barrier);
}
inline void copy_windows(void* to, const TensorMap& map, int channel, int column, int row,
                         int image, const TapOffset& tap, Barrier* barrier) {
  host::copy_windows(to, map.bytes, {channel, column, row, image}, {tap.column, tap.row}, barrier);
}

#endif

}  // namespace symk::cuda
