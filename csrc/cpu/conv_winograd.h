// The transforms of Winograd's convolution F(4x4, 3x3) for one instruction set: 4 x 4 results of a
// 3 x 3 window come from 36 products instead of 144. conv_winograd_step.cpp cuts the work and says
// how large the error is.
#pragma once

#include <cstdint>

#include "cpu/epilogue.h"
#include "cpu/isa.h"

namespace symk::cpu {

constexpr int kWinogradResults = 4;                      // of a tile, along each axis
constexpr int kWinogradSide = kWinogradResults + 3 - 1;  // positions that they see
constexpr int kWinogradProducts = kWinogradSide * kWinogradSide;

/// The results of one tile, from their products: product p of channel j is products[p * step + j],
/// and there may be read up to a whole vector.
struct WinogradResults {
  const float* products;
  int64_t step;
  float* y;            // the first of the results
  int64_t row, pixel;  // from a row of them to the next, and from a pixel
  int rows, columns;   // how many exist
  int64_t channels;
  Epilogue<float> epilogue;  // of this tile
};

struct WinogradFunctions {
  /// Product p of element i of a kernel is to[p * step + i]; tap t is at taps[t * tap_step + i],
  /// for i < count.
  void (*transform_kernel)(const float* taps, int64_t tap_step, int64_t count, float* to,
                           int64_t step);
  /// Product p of channel j of a tile is to[p * step + j]; pixel s is at pixels[s][j].
  void (*transform_source)(const float* const* pixels, int64_t channels, float* to, int64_t step);
  void (*finish)(const WinogradResults& results);

  template <Isa isa>
  static const WinogradFunctions& of();
};
template <>
const WinogradFunctions& WinogradFunctions::of<Isa::portable>();
template <>
const WinogradFunctions& WinogradFunctions::of<Isa::avx2>();
template <>
const WinogradFunctions& WinogradFunctions::of<Isa::avx512>();

}  // namespace symk::cpu
