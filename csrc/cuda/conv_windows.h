// Convolutions of images as products of windows: rows are windows in order, columns filters, the
// depth goes through the channels of one tap after the other. The gradient by the input is such a
// product as well, of the gradient of the result, with the taps in the other order; with strides
// there is one for each part of the pixels (conv_geometry.h).
#pragma once

#include "cuda/conv_rows.h"
#include "cuda/packed_operand.h"
#include "cuda/warpgroup_product.h"

namespace symk::cuda {

/// Taps along an axis: which ones of the kernel, and where they are from the first place of a
/// window on: tap number j is `first + j * step` and lies at `offset + j * distance`.
struct TapAxis {
  int32_t count = 1;
  int32_t first = 0, step = 1;
  int32_t offset = 0, distance = 0;

  int32_t largest_offset() const { return std::max(offset, offset + (count - 1) * distance); }
};

/// Windows of images times some taps of a kernel.
struct WindowProduct {
  WindowAxis rows, columns;
  TapAxis row_taps, column_taps;
  RowsOfPart results;  // where its rows stand

  int64_t taps() const { return int64_t{row_taps.count} * column_taps.count; }
};

/// Images and a kernel as they lie in memory. The kernel has a matrix for each tap, whose lines are
/// the columns of the product.
struct ConvOperands {
  int64_t images = 0, rows = 0, columns = 0, channels = 0;
  OperandForm kernel;
  int64_t tap_step = 0;     // elements from one tap's matrix to the next
  int32_t taps_across = 1;  // of a row of the kernel

  OperandForm pixels() const { return {channels, 1, images * rows * columns, channels, 1}; }
  /// As deep as the boxes that are copied: each tap has boxes of its own.
  ProductSize size(const WindowProduct& product, Factor factor) const {
    const int64_t box = box_depth(factor);
    return {images * product.rows.count * product.columns.count, kernel.lines,
            product.taps() * ((channels + box - 1) / box) * box};
  }
};

/// A convolution: window i begins at i * stride - before, and sees a tap every `dilation`.
inline WindowProduct product_of(const Geometry& g) {
  const auto windows = [](const Axis& axis) {
    return WindowAxis{axis.x, -axis.before, axis.y, axis.stride};
  };
  const auto taps = [](const Axis& axis) { return TapAxis{axis.kernel, 0, 1, 0, axis.dilation}; };
  return {windows(g.rows), windows(g.columns), taps(g.rows), taps(g.columns), RowsOfPart()};
}

/// The gradient of some pixels of x, by the sizes of the part's convolution: tap j reaches pixel i
/// from place i + before - j * dilation of g, so the last tap does from the first place.
inline WindowProduct product_of(const Geometry& whole, const GradPart& part) {
  const Geometry g = part.geometry(whole);
  const auto windows = [](const Axis& axis) {
    return WindowAxis{axis.y, axis.before - (axis.kernel - 1) * axis.dilation, axis.x, 1};
  };
  const auto taps = [](const Axis& axis, const AxisPart& of) {
    return TapAxis{axis.kernel, of.first_tap, of.tap_step, (axis.kernel - 1) * axis.dilation,
                   -axis.dilation};
  };
  return {windows(g.rows), windows(g.columns), taps(g.rows, part.rows),
          taps(g.columns, part.columns), RowsOfPart(whole, part)};
}

inline ConvOperands operands_of(const Geometry& g) {
  ConvOperands made;
  made.images = g.batch, made.rows = g.rows.x, made.columns = g.columns.x, made.channels = g.in;
  made.kernel = {1, g.out, g.out, g.in, g.taps()};
  made.tap_step = g.in * g.out;
  made.taps_across = g.columns.kernel;
  return made;
}

/// g in place of x, and each tap's matrix transposed.
inline ConvOperands operands_of_gradient(const Geometry& g) {
  ConvOperands made = operands_of(g);
  made.rows = g.rows.y, made.columns = g.columns.y, made.channels = g.out;
  made.kernel = {g.out, 1, g.in, g.out, g.taps()};
  return made;
}

/// One group of images, or of sequences as images of one row.
inline bool is_of_images(const Geometry& g) {
  const Axis& planes = g.planes;
  return g.groups == 1 && planes.x == 1 && planes.y == 1 && planes.kernel == 1;
}

/// Whether a map takes the windows, tiles are filled half, and few depths are the zeros that fill
/// boxes of channels. By warps, half of the rate is reached at most, but of float32 nearly all.
inline bool suits_warp_groups(const ConvOperands& operands, const WindowProduct& product,
                              Factor factor) {
  const ProductSize size = operands.size(product, factor);
  const int64_t eighths = factor == Factor::kFloat32 ? 7 : 4;
  return suits_warp_groups(size) &&
         8 * product.taps() * operands.channels >= eighths * size.depth &&
         suits_window_map(product.rows, product.row_taps.largest_offset()) &&
         suits_window_map(product.columns, product.column_taps.largest_offset());
}

}  // namespace symk::cuda
