// Pixels by their numbers, and where the rows of a convolution's product stand in its result.
#pragma once

#include "cuda/conv_geometry.h"
#include "cuda/divider.h"
#include "cuda/epilogue.h"

namespace symk::cuda {

struct Pixel {
  int32_t image;  // the number of its first pixel, among those that are read
  int32_t plane, row, column;
};

/// Finds the parts of numbers of pixels.
struct PixelNumbers {
  Divider planes, rows, columns;

  PixelNumbers(int32_t planes, int32_t rows, int32_t columns)
      : planes(std::max(planes, 1)), rows(std::max(rows, 1)), columns(std::max(columns, 1)) {}

  SYMK_HD Pixel pixel(int64_t number) const {
    auto column = static_cast<uint32_t>(number);
    uint32_t row = columns.divide(column), plane = rows.divide(row);
    const uint32_t image = planes.divide(plane);
    return {static_cast<int32_t>(image), static_cast<int32_t>(plane), static_cast<int32_t>(row),
            static_cast<int32_t>(column)};
  }
};

/// Rows of results that lie as they are numbered.
struct RowsInOrder {
  SYMK_HD int64_t row(int64_t number) const { return number; }
};

/// Rows for the pixels of a part, among those of all pixels.
struct RowsOfPart {
  PixelNumbers numbers;
  AxisPart planes, rows, columns;
  int64_t plane_size = 1, row_size = 1, column_size = 1;
  bool in_order = true;  // it is the only part

  RowsOfPart() : numbers(1, 1, 1) {}
  RowsOfPart(const Geometry& whole, const GradPart& part)
      : numbers(part.planes.pixels, part.rows.pixels, part.columns.pixels), planes(part.planes),
        rows(part.rows), columns(part.columns), plane_size(whole.planes.x), row_size(whole.rows.x),
        column_size(whole.columns.x),
        in_order(planes.stride == 1 && rows.stride == 1 && columns.stride == 1) {}

  SYMK_HD int64_t row(int64_t number) const {
    if (in_order) return number;
    const Pixel p = numbers.pixel(number);
    const int64_t plane = p.image * plane_size + planes.first + p.plane * planes.stride;
    const int64_t row = plane * row_size + rows.first + p.row * rows.stride;
    return row * column_size + columns.first + p.column * columns.stride;
  }
};

template <class T, class RowNumbers>
struct FinishResults {
  T* y;
  int64_t channels;
  RowNumbers rows;
  Epilogue<T> epilogue;
  SYMK_HD void operator()(int64_t i, T sum) const {
    const int64_t channel = i % channels, at = rows.row(i / channels) * channels + channel;
    y[at] = epilogue(sum, channel, at);
  }
};

template <class T>
struct Zero {
  T* to;
  SYMK_HD void operator()(int64_t i) const { to[i] = T(0); }
};

}  // namespace symk::cuda
