// What the convolution kernels share when they bind: sizes, the rules of padding, the passes of a
// convolution and of its gradient by the input, and the strip of padded input that a part works on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cpu/conv.h"
#include "cpu/loops.h"
#include "cpu/parts.h"
#include "runtime/error.h"
#include "runtime/kernel.h"
#include "runtime/memory.h"

namespace symk::cpu {

/// One axis of a convolution: y[o] = sum over t of x[o * stride + t * dilation - before] * w[t].
struct ConvAxis {
  int64_t x = 1, y = 1, kernel = 1, stride = 1, dilation = 1, before = 0;
};

/// A convolution of x (batch, planes, rows, columns, groups * in) with w (planes, rows, columns,
/// in, groups * out): group i of the result sees group i of the channels. Fewer axes are the last
/// ones; the others are one long.
struct ConvShape {
  int64_t batch = 0, groups = 1, in = 0, out = 0;
  ConvAxis planes, rows, columns;

  int64_t in_channels() const { return groups * in; }
  int64_t out_channels() const { return groups * out; }
  int64_t taps() const { return planes.kernel * rows.kernel * columns.kernel; }
};

/// Completes an axis: checks its sizes and finds where the first window begins.
inline void finish_axis(ConvAxis& axis, const std::string& padding, const std::string& who) {
  constexpr int64_t limit = int64_t{1} << 31;  // so that positions cannot wrap
  const auto refuse = [&who](const char* text) { throw Error(ErrorCode::kShape, who + text); };
  if (axis.stride < 1 || axis.dilation < 1 || axis.stride >= limit || axis.dilation >= limit ||
      axis.x >= limit || axis.kernel >= limit) {
    refuse("strides and dilation must be at least 1, and sizes below 2^31.");
  }
  const int64_t reach = axis.kernel > 0 ? (axis.kernel - 1) * axis.dilation + 1 : 0;
  int64_t wanted = divide_up(axis.x, axis.stride);
  if (padding == "same") {
    axis.before = std::max<int64_t>(0, (wanted - 1) * axis.stride + reach - axis.x) / 2;
  } else if (padding == "causal") {
    axis.before = std::max<int64_t>(0, reach - 1);
  } else {
    wanted = axis.x >= reach ? (axis.x - reach) / axis.stride + 1 : 0;
  }
  if (axis.y != wanted) refuse("the result has the wrong sizes for this padding.");
  if (reach >= limit) refuse("a dilated kernel must be smaller than 2^31.");
}

/// Reads attributes and checks that x, w and y belong together. Throws Error naming `kernel`.
inline ConvShape read_conv_shape(const Binding& binding, const char* kernel, const Type& x,
                                 const Type& w, const Type& y) {
  const std::string who = std::string("[") + kernel + "] ";
  const auto refuse = [&who](const char* text) { throw Error(ErrorCode::kShape, who + text); };
  const auto strides = binding.integers("strides"), dilation = binding.integers("dilation");
  const std::string padding = binding.text("padding");
  const int rank = x.rank - 2;
  if (rank < 1 || rank > 3 || w.rank != x.rank || y.rank != x.rank)
    refuse("operands must have three to five axes, all as many.");
  if (x.dtype != w.dtype || x.dtype != y.dtype)
    throw Error(ErrorCode::kDtype, who + "operands must have one dtype.");
  if (strides.size() != static_cast<size_t>(rank) || dilation.size() != strides.size())
    refuse("strides and dilation must have a number for each axis.");
  if (padding != "same" && padding != "valid" && padding != "causal")
    refuse("padding must be same, valid or causal.");
  ConvShape shape;
  shape.batch = x.shape[0];
  shape.groups = binding.integer("groups", 1);
  shape.in = w.shape[rank];
  const int64_t channels = x.shape[rank + 1], out = w.shape[rank + 1];
  if (shape.groups < 1 || x.shape[0] != y.shape[0] || y.shape[rank + 1] != out ||
      channels / shape.groups != shape.in || channels % shape.groups || out % shape.groups) {
    refuse("batch, channels and groups must agree.");
  }
  shape.out = out / shape.groups;
  if (channels == 0 && out == 0) shape.groups = 1;  // no group has anything to do
  ConvAxis* axes[] = {&shape.planes, &shape.rows, &shape.columns};
  constexpr int64_t largest_item = 4096;  // some images of doubles
  int64_t padded = checked_multiply(std::max(channels, out), largest_item);
  for (int i = 0; i < rank; ++i) {
    ConvAxis& axis = *axes[3 - rank + i];
    axis = {x.shape[i + 1], y.shape[i + 1], w.shape[i], strides[i], dilation[i], 0};
    finish_axis(axis, padding, who);
    const int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
    padded = checked_multiply(padded, std::max(axis.x, (axis.y - 1) * axis.stride + reach));
  }
  return shape;
}

inline bool has_unit_strides(const ConvShape& shape) {
  return shape.planes.stride == 1 && shape.rows.stride == 1 && shape.columns.stride == 1;
}

/// A convolution over single pixels without strides sees no axes, only pixels: short rows are
/// joined to long ones, so that tiles are full, and planes and images too if need be.
inline void join_pixels(ConvShape& shape) {
  constexpr int64_t long_row = 112;  // eight of the tallest tiles
  for (const ConvAxis* axis : {&shape.planes, &shape.rows, &shape.columns}) {
    if (axis->kernel != 1 || axis->stride != 1 || axis->x == 0) return;
  }
  int64_t& pixels = shape.columns.x;
  for (int64_t* outer : {&shape.rows.x, &shape.planes.x, &shape.batch}) {
    int64_t factor = 1;
    while (factor < *outer && (*outer % factor != 0 || factor * pixels < long_row)) ++factor;
    *outer /= factor;
    pixels *= factor;
    if (*outer > 1) break;
  }
  for (ConvAxis* axis : {&shape.planes, &shape.rows, &shape.columns}) axis->y = axis->x;
}

/// Along one axis: result position first + step * t, for t < count, gathers input positions t *
/// input_step + offset, each times an element of the kernel.
struct AxisPass {
  int64_t first = 0, step = 1, count = 0, input_step = 1;
  std::vector<ConvTap> taps;  // by offset

  int64_t lowest() const { return taps.empty() ? 0 : taps.front().offset; }
  int64_t reach() const { return taps.empty() ? 0 : taps.back().offset - taps.front().offset + 1; }
  /// Input positions that `n` result positions need.
  int64_t span(int64_t n) const {
    return taps.empty() || n == 0 ? 0 : (n - 1) * input_step + reach();
  }
  bool inside(int64_t size) const { return lowest() >= 0 && lowest() + span(count) <= size; }
  bool adjacent() const { return reach() == static_cast<int64_t>(taps.size()); }
  int64_t tap_count() const { return static_cast<int64_t>(taps.size()); }
  /// The taps that look inside an input of `size` positions from result position `t`.
  SomeTaps taps_inside(int64_t t, int64_t size) const {
    int64_t first = 0, last = tap_count();
    while (first < last && t * input_step + taps[static_cast<size_t>(first)].offset < 0) ++first;
    while (first < last && t * input_step + taps[static_cast<size_t>(last - 1)].offset >= size)
      --last;
    return {first, last - first};
  }
};

inline AxisPass forward_pass(const ConvAxis& axis) {
  AxisPass pass;
  pass.count = axis.y;
  pass.input_step = axis.stride;
  for (int64_t k = 0; k < axis.kernel; ++k)
    pass.taps.push_back({k * axis.dilation - axis.before, k});
  return pass;
}

/// x[i] gets g[o] * w[k] wherever o * stride + k * dilation - before = i: one pass for each
/// remainder of i by the stride.
inline std::vector<AxisPass> input_grad_passes(const ConvAxis& axis) {
  std::vector<AxisPass> passes;
  for (int64_t first = 0; first < std::min(axis.stride, axis.x); ++first) {
    AxisPass pass;
    pass.first = first;
    pass.step = axis.stride;
    pass.count = divide_up(axis.x - first, axis.stride);
    for (int64_t k = axis.kernel - 1; k >= 0; --k) {
      const int64_t distance = first + axis.before - k * axis.dilation;
      if (distance % axis.stride == 0) pass.taps.push_back({distance / axis.stride, k});
    }
    passes.push_back(pass);
  }
  return passes;
}

/// One pass over all axes.
struct VolumePass {
  AxisPass planes, rows, columns;
};

/// The passes of a convolution, or (backward) of its gradient by the input.
inline std::vector<VolumePass> volume_passes(const ConvShape& shape, bool backward) {
  if (!backward) {
    return {{forward_pass(shape.planes), forward_pass(shape.rows), forward_pass(shape.columns)}};
  }
  std::vector<VolumePass> passes;
  for (const AxisPass& planes : input_grad_passes(shape.planes)) {
    for (const AxisPass& rows : input_grad_passes(shape.rows)) {
      for (const AxisPass& columns : input_grad_passes(shape.columns))
        passes.push_back({planes, rows, columns});
    }
  }
  return passes;
}

/// Which positions of the first two axes: the first, and how many.
struct Rows {
  int64_t plane = 0, planes = 1, row = 0, rows = 1;
};

/// The sizes of the three axes of a volume.
struct Extent {
  int64_t planes = 1, rows = 1, columns = 1;
};

/// Some channels of the rows of input that some rows of output need, with zeros where the input
/// ends. Channels lie next to each other.
struct Strip {
  int64_t channels = 0;
  int64_t source_pixel = 0;  // elements from one column of the input to the next
  int64_t pixel = 0;         // elements from one column of the strip to the next
  int64_t width = 0;         // columns, padding included
  int64_t first_column = 0;  // column of the input at which it begins; may be negative
  int64_t plane = 0;         // elements from one plane of the strip to the next
  int64_t row() const { return width * pixel; }

  /// Copies rows of a volume; `which` may lie outside of it.
  template <class T>
  void copy(const T* volume, const Extent& size, const Rows& which, T* to) const {
    for (int64_t i = 0; i < which.planes; ++i, to += plane) {
      const int64_t source = which.plane + i;
      if (source < 0 || source >= size.planes) {
        std::fill(to, to + which.rows * row(), T(0));
      } else {
        copy_plane(volume + source * size.rows * size.columns * source_pixel, size, which, to);
      }
    }
  }

 private:
  template <class T>
  void copy_plane(const T* from_plane, const Extent& size, const Rows& which, T* to) const {
    const int64_t left = std::min(width, std::max<int64_t>(0, -first_column));
    const int64_t from = std::max<int64_t>(0, first_column);
    const int64_t inside = std::max<int64_t>(0, std::min(width - left, size.columns - from));
    for (int64_t i = 0; i < which.rows; ++i, to += row()) {
      const int64_t source = which.row + i;
      if (source < 0 || source >= size.rows || inside == 0 || channels == 0) {
        std::fill(to, to + row(), T(0));
        continue;
      }
      std::fill(to, to + left * pixel, T(0));
      copy_pixels(from_plane + (source * size.columns + from) * source_pixel, inside,
                  to + left * pixel);
      std::fill(to + (left + inside) * pixel, to + row(), T(0));
    }
  }

  template <class T>
  void copy_pixels(const T* from, int64_t count, T* to) const {
    if (pixel == channels && source_pixel == channels) {
      std::memcpy(to, from, static_cast<size_t>(count * channels) * sizeof(T));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(to + i * pixel, from + i * source_pixel,
                  static_cast<size_t>(channels) * sizeof(T));
    }
  }
};

/// Elements between pixels of a strip: rows of a tile that are whole pages apart would fight for
/// the same lines of L1, and half pages are too close to a fight where a copy costs nothing more.
template <class T>
int64_t pixel_step(int64_t channels) {
  constexpr int64_t page = 4096 / static_cast<int64_t>(sizeof(T));
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  return channels > 0 && channels % (page / 2) == 0 ? channels + line : channels;
}

/// w = the sum of some arrays of `count` elements, `step` apart, added in order.
template <class T>
void add_sums(const T* sums, int64_t arrays, int64_t step, T* w, int64_t count, ThreadPool& pool) {
  const int64_t parts = clamp(count * arrays / kPartElements, 1, kMaxParts);
  run_parts(pool, parts, [&](int64_t part) {
    const int64_t first = part_begin(count, part, parts), last = part_begin(count, part + 1, parts);
    std::copy(sums + first, sums + last, w + first);
    for (int64_t i = 1; i < arrays; ++i) add_to(w + first, sums + i * step + first, last - first);
  });
}

}  // namespace symk::cpu
