// Winograd's transforms, vectorised over channels. In one dimension, with the points 0, a, -a, b,
// -b and infinity: results y = A^T ((G w) * (B^T x)); in two, each is applied along both axes. The
// rows of B^T are the polynomials that are zero at all points but one, with leading coefficient 1;
// what is missing to Lagrange's is in G. Source: Toom 1963, Cook 1966; Lavin & Gray 2016.
#include "cpu/conv_winograd.h"

#include "cpu/channels.h"

namespace symk::cpu::SYMK_ISA {
namespace {

using V = Vec<float>;
constexpr int kSide = kWinogradSide;
constexpr int kResults = kWinogradResults;
// Lines of a tile that are written out: where registers hold most of it, all.
constexpr int kUnrolled = kVectorRegisters == 32 ? kSide : 1;

// The points whose errors were smallest among those with few bits: less than half of those of 1, 2.
constexpr double kPointA = 0.625, kPointB = 1.5;
constexpr double kSquareA = kPointA * kPointA, kSquareB = kPointB * kPointB;
constexpr double kSumOfSquares = kSquareA + kSquareB, kProductOfSquares = kSquareA * kSquareB;

constexpr float single(double x) { return static_cast<float>(x); }

/// The rows of a point and of minus it: even powers plus and minus odd ones.
[[gnu::always_inline]] inline void source_pair(V d1, V d2, V d3, V d4, double point,
                                               double other_square, V* out) {
  const V other(single(-other_square));
  const V even = fma(d2, other, d4), odd = fma(d1, other, d3);
  out[0] = fma(V(single(point)), odd, even);
  out[1] = fma(V(single(-point)), odd, even);
}

/// B^T d.
[[gnu::always_inline]] inline void transform_line(const V* d, V* out) {
  const V sum(single(-kSumOfSquares)), product(single(kProductOfSquares));
  out[0] = fma(d[2], sum, fma(d[0], product, d[4]));
  source_pair(d[1], d[2], d[3], d[4], kPointA, kSquareB, out + 1);
  source_pair(d[1], d[2], d[3], d[4], kPointB, kSquareA, out + 3);
  out[5] = fma(d[3], sum, fma(d[1], product, d[5]));
}

/// The values of w0 + w1 x + w2 x^2 at a point and at minus it, over Lagrange's denominator.
[[gnu::always_inline]] inline void kernel_pair(const V* w, double point, double denominator,
                                               V* out) {
  const V even = fma(w[2], V(single(point * point / denominator)), w[0] * single(1 / denominator));
  const V odd(single(point / denominator));
  out[0] = fma(w[1], odd, even);
  out[1] = fma(-w[1], odd, even);
}

/// G w.
[[gnu::always_inline]] inline void transform_taps(const V* w, V* out) {
  out[0] = w[0] * single(1 / kProductOfSquares);
  kernel_pair(w, kPointA, 2 * kSquareA * (kSquareA - kSquareB), out + 1);
  kernel_pair(w, kPointB, 2 * kSquareB * (kSquareB - kSquareA), out + 3);
  out[5] = w[2];
}

/// A^T m.
[[gnu::always_inline]] inline void gather_line(const V* m, V* y) {
  const V even_a = m[1] + m[2], odd_a = m[1] - m[2];
  const V even_b = m[3] + m[4], odd_b = m[3] - m[4];
  y[0] = m[0] + (even_a + even_b);
  y[1] = fma(odd_a, V(single(kPointA)), odd_b * single(kPointB));
  y[2] = fma(even_a, V(single(kSquareA)), even_b * single(kSquareB));
  y[3] = fma(odd_a, V(single(kSquareA * kPointA)), fma(odd_b, V(single(kSquareB * kPointB)), m[5]));
}

/// One vector of a kernel, or of a pixel: `block` says which of its lanes there are.
template <class Block>
[[gnu::always_inline]] inline void transform_taps_of(const float* taps, int64_t tap_step, float* to,
                                                     int64_t step, Block block) {
  V down[kSide][3];
#pragma GCC unroll kUnrolled
  for (int j = 0; j < 3; ++j) {
    V w[3], out[kSide];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) w[i] = block.load(taps + (i * 3 + j) * tap_step, 0);
    transform_taps(w, out);
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) down[i][j] = out[i];
  }
#pragma GCC unroll kUnrolled
  for (int i = 0; i < kSide; ++i) {
    V out[kSide];
    transform_taps(down[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < kSide; ++j) block.store(out[j], to + (i * kSide + j) * step, 0);
  }
}

void transform_kernel(const float* taps, int64_t tap_step, int64_t count, float* to, int64_t step) {
  for_channels<float, 1, kFreeMasks>(count, [=](int64_t i, auto block) {
    transform_taps_of(taps + i, tap_step, to + i, step, block);
  });
}

/// The pixels of the next tile, `ahead` elements further on, are fetched meanwhile: the hardware
/// does not foresee them (a sixth of the time where they come from memory).
template <class Block>
[[gnu::always_inline]] inline void transform_pixels(const float* const* pixels, int64_t ahead,
                                                    int64_t channel, float* to, int64_t step,
                                                    Block block) {
  V down[kSide][kSide];
#pragma GCC unroll kUnrolled
  for (int j = 0; j < kSide; ++j) {
    V d[kSide], out[kSide];
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) {
      const float* const pixel = pixels[i * kSide + j] + channel;
      d[i] = block.load(pixel, 0);
      if (j >= kSide - kResults) prefetch(pixel + ahead);
    }
    transform_line(d, out);
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i) down[i][j] = out[i];
  }
#pragma GCC unroll kUnrolled
  for (int i = 0; i < kSide; ++i) {
    V out[kSide];
    transform_line(down[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < kSide; ++j) block.store(out[j], to + (i * kSide + j) * step + channel, 0);
  }
}

void transform_source(const float* const* pixels, int64_t channels, float* to, int64_t step) {
  for_channels<float, 1, kFreeMasks>(channels, [=](int64_t j, auto block) {
    transform_pixels(pixels, kResults * channels, j, to, step, block);
  });
}

/// What is added to sums, and where they go, for one vector of channels.
template <class Block>
[[gnu::always_inline]] inline void finish_channels(const WinogradResults& results, int64_t channel,
                                                   Block block) {
  V down[kResults][kSide];
#pragma GCC unroll kUnrolled
  for (int j = 0; j < kSide; ++j) {
    V m[kSide], out[kResults];
#pragma GCC unroll 6
    for (int i = 0; i < kSide; ++i)
      m[i] = V::load(results.products + (i * kSide + j) * results.step + channel);
    gather_line(m, out);
#pragma GCC unroll 4
    for (int i = 0; i < kResults; ++i) down[i][j] = out[i];
  }
  const Epilogue<float>& epilogue = results.epilogue;
  const V scale = epilogue.scale ? block.load(epilogue.scale + channel, 0) : V(1.0f);
  const V bias = epilogue.bias ? block.load(epilogue.bias + channel, 0) : V::zero();
  // NaN is the second operand of max and min, and so stays.
  const V floor = epilogue.is_relu ? V::zero() : V(-__builtin_inff());
  const V limit(epilogue.limit);
#pragma GCC unroll kUnrolled
  for (int i = 0; i < kResults; ++i) {
    if (i == results.rows) break;
    V y[kResults];
    gather_line(down[i], y);
#pragma GCC unroll 4
    for (int j = 0; j < kResults; ++j) {
      if (j == results.columns) break;
      const int64_t place = i * results.row + j * results.pixel + channel;
      V value = fma(y[j], scale, bias);
      if (epilogue.addend) value += block.load(epilogue.addend + place, 0);
      block.store(min(limit, max(floor, value)), results.y + place, 0);
    }
  }
}

/// Activation, if it is not done in registers, and factor, over pixels that are still near.
void finish_pixels(const WinogradResults& results) {
  const Epilogue<float>& epilogue = results.epilogue;
  const Activation<float> activation = epilogue.is_relu ? Activation<float>() : epilogue.activation;
  if (!activation && !epilogue.factor) return;
  for (int i = 0; i < results.rows; ++i) {
    for (int j = 0; j < results.columns; ++j) {
      const int64_t at = i * results.row + j * results.pixel;
      float* const y = results.y + at;
      if (activation) activation(y, results.channels);
      if (!epilogue.factor) continue;
      for (int64_t k = 0; k < results.channels; ++k) y[k] *= epilogue.factor[at + k];
    }
  }
}

void finish(const WinogradResults& results) {
  for_channels<float, 1, kFreeMasks>(
      results.channels, [&](int64_t j, auto block) { finish_channels(results, j, block); });
  finish_pixels(results);
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const WinogradFunctions& WinogradFunctions::of<Isa::SYMK_ISA>() {
  static constexpr WinogradFunctions table = {&SYMK_ISA::transform_kernel,
                                              &SYMK_ISA::transform_source, &SYMK_ISA::finish};
  return table;
}

}  // namespace symk::cpu
