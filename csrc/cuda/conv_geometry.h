// Convolutions as kernels of the device take them, and the parts of the gradient of a strided one.
#pragma once

#include <algorithm>
#include <vector>

#include "cpu/conv_geometry.h"
#include "cpu/require.h"
#include "cuda/launch.h"

namespace symk::cuda {

/// One axis: y[o] = sum over t of x[o * stride + t * dilation - before] * w[t].
struct Axis {
  int32_t x = 1, y = 1, kernel = 1, stride = 1, dilation = 1, before = 0;
};

/// A convolution as kernels take it.
struct Geometry {
  int64_t batch, groups, in, out;  // channels of one group
  Axis planes, rows, columns;

  int64_t taps() const { return int64_t{planes.kernel} * rows.kernel * columns.kernel; }
  int64_t x_pixels() const { return int64_t{planes.x} * rows.x * columns.x; }
  int64_t y_pixels() const { return int64_t{planes.y} * rows.y * columns.y; }
};

inline Axis axis_of(const cpu::ConvAxis& axis) {
  return {static_cast<int32_t>(axis.x),        static_cast<int32_t>(axis.y),
          static_cast<int32_t>(axis.kernel),   static_cast<int32_t>(axis.stride),
          static_cast<int32_t>(axis.dilation), static_cast<int32_t>(axis.before)};
}

/// Positions are numbers of 31 bits on the device.
inline void require_small(const cpu::ConvShape& shape, const Geometry& g, const char* kernel) {
  constexpr int64_t limit = int64_t{1} << 31;
  bool fits = g.batch * g.x_pixels() < limit && g.batch * g.y_pixels() < limit &&
              g.taps() * std::max(g.in, g.out) < limit;
  for (const cpu::ConvAxis* axis : {&shape.planes, &shape.rows, &shape.columns})
    fits = fits && axis->x + axis->kernel * axis->dilation + axis->stride < limit;
  cpu::require(fits, kernel, "a GPU takes images with fewer than 2^31 positions in all");
}

inline Geometry geometry_of(const cpu::ConvShape& shape, const char* kernel) {
  Geometry geometry = {};
  geometry.batch = shape.batch;
  geometry.groups = shape.groups;
  geometry.in = shape.in;
  geometry.out = shape.out;
  geometry.planes = axis_of(shape.planes);
  geometry.rows = axis_of(shape.rows);
  geometry.columns = axis_of(shape.columns);
  require_small(shape, geometry, kernel);
  return geometry;
}

/// Whether pixel i of y sees pixel i of x alone: then each kernel is one product of matrices.
inline bool is_pixelwise(const Geometry& g) {
  const auto is_one_to_one = [](const Axis& axis) {
    return axis.kernel == 1 && axis.stride == 1 && axis.before == 0 && axis.x == axis.y;
  };
  return g.groups == 1 && is_one_to_one(g.planes) && is_one_to_one(g.rows) &&
         is_one_to_one(g.columns);
}

// --- gradients of strided convolutions ---

/// Pixels x = first + stride * i of an axis, which the same taps reach: first_tap + tap_step * j,
/// from y = i + shift - j * turn.
struct AxisPart {
  int32_t first = 0, stride = 1, pixels = 0;
  int32_t first_tap = 0, tap_step = 1, taps = 0;
  int32_t shift = 0, turn = 1;
};

/// The pixels of an axis by x + before modulo the stride, those of no taps left out.
inline std::vector<AxisPart> parts_of(const Axis& axis) {
  std::vector<AxisPart> parts;
  for (int32_t rest = 0; rest < axis.stride; ++rest) {
    AxisPart part;
    part.stride = axis.stride;
    part.first = ((rest - axis.before) % axis.stride + axis.stride) % axis.stride;
    part.pixels = std::max(0, (axis.x - part.first + axis.stride - 1) / axis.stride);
    for (int32_t tap = 0; tap < axis.kernel; ++tap) {
      if (tap * axis.dilation % axis.stride != rest) continue;
      if (part.taps == 0) part.first_tap = tap;
      if (part.taps == 1) part.tap_step = tap - part.first_tap;
      ++part.taps;
    }
    if (part.pixels == 0 || part.taps == 0) continue;
    part.shift = (part.first + axis.before - part.first_tap * axis.dilation) / axis.stride;
    if (part.taps > 1) part.turn = part.tap_step * axis.dilation / axis.stride;
    parts.push_back(part);
  }
  return parts;
}

/// Part of the gradient of x: that of a convolution of stride 1, over some pixels and taps.
struct GradPart {
  AxisPart planes, rows, columns;

  /// The convolution; `whole` is the one that this is a part of.
  Geometry geometry(const Geometry& whole) const {
    Geometry g = whole;
    const auto set = [](Axis& axis, const AxisPart& part) {
      axis = {part.pixels, axis.y, part.taps, 1, part.turn, part.shift};
    };
    set(g.planes, planes);
    set(g.rows, rows);
    set(g.columns, columns);
    return g;
  }
};

/// All of them, those of no taps left out.
inline std::vector<GradPart> grad_parts(const Geometry& g) {
  std::vector<GradPart> parts;
  for (const AxisPart& planes : parts_of(g.planes)) {
    for (const AxisPart& rows : parts_of(g.rows)) {
      for (const AxisPart& columns : parts_of(g.columns)) parts.push_back({planes, rows, columns});
    }
  }
  return parts;
}

}  // namespace symk::cuda
