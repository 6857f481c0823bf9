// What the three convolution kernels share when they bind: sizes, TensorFlow's padding rule, taps,
// and the strip of padded input that a part works on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "cpu/parts.h"
#include "runtime/error.h"
#include "runtime/kernel.h"
#include "runtime/memory.h"

namespace symk::cpu {

/// One axis of a convolution: y[o] = sum over t of x[o * stride + t * dilation - before] * w[t].
struct ConvAxis {
  int64_t x = 0, y = 0, kernel = 0, stride = 1, dilation = 1, before = 0;
};

/// A convolution of x (batch, rows, columns, in) with w (rows, columns, in, out).
struct ConvShape {
  int64_t batch = 0, in = 0, out = 0;
  ConvAxis rows, columns;
};

/// Reads attributes and checks that x, w and y belong together. Throws Error naming `kernel`.
inline ConvShape read_conv_shape(const Binding& binding, const char* kernel, const Type& x,
                                 const Type& w, const Type& y) {
  const auto refuse = [kernel](const std::string& text) {
    throw Error(ErrorCode::kShape, std::string("[") + kernel + "] " + text);
  };
  if (x.rank != 4 || w.rank != 4 || y.rank != 4) refuse("operands must have four axes.");
  if (x.dtype != w.dtype || x.dtype != y.dtype) {
    throw Error(ErrorCode::kDtype, std::string("[") + kernel + "] operands must have one dtype.");
  }
  const auto strides = binding.integers("strides"), dilation = binding.integers("dilation");
  const std::string padding = binding.text("padding");
  if (strides.size() != 2 || dilation.size() != 2)
    refuse("strides and dilation must have two numbers.");
  if (padding != "same" && padding != "valid")
    refuse("padding must be same or valid; it is " + padding + ".");
  if (x.shape[0] != y.shape[0] || x.shape[3] != w.shape[2] || y.shape[3] != w.shape[3]) {
    refuse("batch and channels must agree.");
  }
  constexpr int64_t limit = int64_t{1} << 31;  // so that positions cannot wrap
  constexpr int64_t largest_item = 4096;       // some images of doubles
  int64_t padded = 1;
  ConvShape shape;
  shape.batch = x.shape[0];
  shape.in = w.shape[2];
  shape.out = w.shape[3];
  for (int i = 0; i < 2; ++i) {
    ConvAxis& axis = i == 0 ? shape.rows : shape.columns;
    axis = {x.shape[i + 1], y.shape[i + 1], w.shape[i], strides[i], dilation[i], 0};
    if (axis.stride < 1 || axis.dilation < 1 || axis.stride >= limit || axis.dilation >= limit ||
        axis.x >= limit || axis.kernel >= limit) {
      refuse("strides and dilation must be at least 1, and sizes below 2^31.");
    }
    const int64_t reach = axis.kernel > 0 ? (axis.kernel - 1) * axis.dilation + 1 : 0;
    int64_t wanted = 0;
    if (padding == "same") {
      wanted = divide_up(axis.x, axis.stride);
      axis.before = std::max<int64_t>(0, (wanted - 1) * axis.stride + reach - axis.x) / 2;
    } else if (axis.x >= reach) {
      wanted = (axis.x - reach) / axis.stride + 1;
    }
    if (axis.y != wanted) refuse("the result has the wrong sizes for this padding.");
    if (reach >= limit) refuse("a dilated kernel must be smaller than 2^31.");
    padded = checked_multiply(padded, std::max(axis.x, (axis.y - 1) * axis.stride + reach));
  }
  checked_multiply(padded, checked_multiply(std::max(shape.in, shape.out), largest_item));
  return shape;
}

/// A 1x1 convolution without strides sees no rows and columns, only pixels: short rows are joined
/// to long ones, so that tiles are full, and images too if need be.
inline void join_pixels(ConvShape& shape) {
  constexpr int64_t long_row = 112;  // eight of the tallest tiles
  ConvAxis &rows = shape.rows, &columns = shape.columns;
  const bool pointwise =
      rows.kernel == 1 && columns.kernel == 1 && rows.stride == 1 && columns.stride == 1;
  if (!pointwise || columns.x == 0) return;
  const auto join = [&](int64_t& outer) {
    int64_t factor = 1;
    while (factor < outer && (outer % factor != 0 || factor * columns.x < long_row)) ++factor;
    if (outer == 0) return;
    outer /= factor;
    columns.x *= factor;
  };
  join(rows.x);
  if (rows.x == 1) join(shape.batch);
  rows.y = rows.x;
  columns.y = columns.x;
}

/// The rows of input that some rows of output need, with zeros where the input ends. Channels lie
/// next to each other.
struct Strip {
  int64_t channels = 0;
  int64_t pixel = 0;         // elements from one column to the next
  int64_t width = 0;         // columns, padding included
  int64_t first_column = 0;  // column of the input at which it begins; may be negative
  int64_t row() const { return width * pixel; }

  /// Copies rows first .. first + count - 1 of an image of `rows` x `columns` pixels.
  template <class T>
  void copy(const T* image, int64_t rows, int64_t columns, int64_t first, int64_t count,
            T* to) const {
    const int64_t left = std::min(width, std::max<int64_t>(0, -first_column));
    const int64_t from = std::max<int64_t>(0, first_column);
    const int64_t inside = std::max<int64_t>(0, std::min(width - left, columns - from));
    for (int64_t i = 0; i < count; ++i, to += row()) {
      const int64_t source = first + i;
      if (source < 0 || source >= rows || inside == 0 || channels == 0) {
        std::fill(to, to + row(), T(0));
        continue;
      }
      std::fill(to, to + left * pixel, T(0));
      copy_pixels(image + (source * columns + from) * channels, inside, to + left * pixel);
      std::fill(to + (left + inside) * pixel, to + row(), T(0));
    }
  }

 private:
  template <class T>
  void copy_pixels(const T* from, int64_t count, T* to) const {
    if (pixel == channels) {
      std::memcpy(to, from, static_cast<size_t>(count * channels) * sizeof(T));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(to + i * pixel, from + i * channels, static_cast<size_t>(channels) * sizeof(T));
    }
  }
};

/// Elements between pixels of a strip: rows of a tile a multiple of 4 KB apart would fight for the
/// same lines of L1.
template <class T>
int64_t pixel_step(int64_t channels) {
  constexpr int64_t page = 4096 / static_cast<int64_t>(sizeof(T));
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  return channels > 0 && channels % (page / 2) == 0 ? channels + line : channels;
}

}  // namespace symk::cpu
