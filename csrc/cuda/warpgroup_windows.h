// Windows of images and a kernel as the source of a product by warp groups. The depth goes through
// the boxes of channels of one tap after the other.
#pragma once

#include "cuda/warpgroup_conv.h"
#include "cuda/warpgroup_tile.h"

namespace symk::cuda {

/// One axis on the device.
struct WindowPlaces {
  int32_t size, first, stride;  // see WindowAxis
  TapAxis taps;

  WindowPlaces(const WindowAxis& axis, const TapAxis& taps)
      : size(axis.size), first(axis.first), stride(axis.stride), taps(taps) {}

  SYMK_HD int at(uint32_t window) const { return first + static_cast<int>(window) * stride; }
  SYMK_HD int offset(uint32_t tap) const {
    return taps.offset + static_cast<int>(tap) * taps.distance;
  }
  SYMK_HD int tap(uint32_t number) const {
    return taps.first + static_cast<int>(number) * taps.step;
  }
};

/// Images and kernel as they lie in memory, for sums that are added up again.
struct PlainConv {
  const float *pixels, *kernel;
  int64_t channels, tap_step, line_step, depth_step;  // the steps are the kernel's

  PlainConv(const ConvOperands& operands, const float* pixels, const float* kernel)
      : pixels(pixels), kernel(kernel), channels(operands.channels), tap_step(operands.tap_step),
        line_step(operands.kernel.line_step), depth_step(operands.kernel.depth_step) {}
};

template <class Form>
struct WindowSource {
  TensorMap left, right;
  int images;  // of a part of the operand
  WindowPlaces rows, columns;
  int taps_across;                 // of a row of the whole kernel
  Divider down, across;            // windows
  Divider tap_boxes, across_taps;  // boxes of a tap, taps of a row
  RowsOfPart results;
  PlainConv plain;

  WindowSource(const ConvOperands& operands, const PackedConv& packed, const WindowProduct& product,
               const float* pixels, const float* kernel)
      : left(make_window_map(packed.pixels, product.rows, product.columns, Form::rows)),
        right(make_tensor_map(packed.kernel, Form::columns)),
        images(static_cast<int>(operands.images)), rows(product.rows, product.row_taps),
        columns(product.columns, product.column_taps), taps_across(operands.taps_across),
        down(product.rows.count), across(product.columns.count),
        tap_boxes((operands.channels + Form::depth - 1) / Form::depth),
        across_taps(product.column_taps.count), results(product.results),
        plain(operands, pixels, kernel) {}

  /// The first window, by its first place, and the first column.
  struct Lines {
    int image, row, column, filter;
  };
  SYMK_HD Lines lines(const TilePlace& place) const {
    Lines first = window(int64_t{place.row} * Form::rows);
    first.filter = place.column * Form::columns;
    return first;
  }

  SYMK_HD void copy(const Stages<Form>& stages, int stage, const Lines& lines, int depth,
                    Barrier* full) const {
    const Box box = box_of(depth);
    const TapOffset tap = {static_cast<uint16_t>(box.row), static_cast<uint16_t>(box.column)};
    SYMK_UNROLLED
    for (int part = 0; part < Form::parts; ++part) {
      copy_windows(stages.left(stage, part), left, box.channel, lines.column, lines.row,
                   part * images + lines.image, tap, full);
      copy_box(stages.right(stage, part), right, box.channel, lines.filter,
               box.tap * Form::parts + part, full);
    }
  }

  SYMK_HD int64_t row(int64_t number) const { return results.row(number); }

  /// Of zeros around an image, and not of those that fill a box of channels.
  SYMK_HD float added(const TilePlace&, int64_t row, int64_t column, int64_t first,
                      int64_t last) const {
    const Lines at = window(row);
    float sum = 0;
    SYMK_ROLLED
    for (int64_t depth = first; depth < last; depth += Form::depth)
      sum = added_box(at, box_of(static_cast<int>(depth)), column, sum);
    return sum;
  }

 private:
  /// Some channels of a tap, whose place is counted from that of the window on.
  struct Box {
    int channel, tap, row, column;
  };

  SYMK_HD Lines window(int64_t number) const {
    auto column = static_cast<uint32_t>(number);
    uint32_t row = across.divide(column);
    const uint32_t image = down.divide(row);
    return {static_cast<int>(image), rows.at(row), columns.at(column), 0};
  }

  SYMK_HD Box box_of(int depth) const {
    auto box = static_cast<uint32_t>(depth / Form::depth);
    uint32_t column = tap_boxes.divide(box);
    const uint32_t row = across_taps.divide(column);
    return {static_cast<int>(box) * Form::depth, rows.tap(row) * taps_across + columns.tap(column),
            rows.offset(row), columns.offset(column)};
  }

  SYMK_HD float added_box(const Lines& at, const Box& box, int64_t filter, float sum) const {
    const int row = at.row + box.row, column = at.column + box.column;
    const bool inside = row >= 0 && row < rows.size && column >= 0 && column < columns.size;
    const int64_t pixel = (int64_t{at.image} * rows.size + row) * columns.size + column;
    const float* const w = plain.kernel + box.tap * plain.tap_step + filter * plain.line_step;
    const int64_t end = box.channel + Form::depth;
    const int64_t last = end < plain.channels ? end : plain.channels;
    SYMK_ROLLED
    for (int64_t c = box.channel; c < last && !math::is_nan(sum); ++c) {
      const float x = inside ? plain.pixels[pixel * plain.channels + c] : 0.0f;
      sum = math::fma(x, w[c * plain.depth_step], sum);
    }
    return sum;
  }
};

}  // namespace symk::cuda
