// Matrix products from register tiles: blocks of A are packed to stay in L2 while panels of B pass through L1.
// Matrix times vector has loops of its own, bound by memory.
#include "cpu/matmul.h"

#include "cpu/tile.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

constexpr int64_t kBlockDepth = 256;                  // a panel of B this deep is 32 KB of float: it stays in L1
constexpr int64_t kBlockRows = 8 * kTileRows;         // with that depth 112 KB of float: a small part of L2

template <class T>
void run(const MatmulJob<T>& job) {
  constexpr int64_t columns = kTileColumns<T>;
  const int64_t start = 0;
  int64_t d0 = 0;
  do {
    const int64_t depth = smaller(kBlockDepth, job.k - d0);
    const bool last = d0 + depth == job.k;
    for (int64_t i0 = 0; i0 < job.m; i0 += kBlockRows) {
      const int64_t rows = smaller(kBlockRows, job.m - i0);
      const T* a = job.a + i0 * job.a_row + d0 * job.a_column;
      if (job.packed_a) {
        for (int64_t i = 0; i < rows; i += kTileRows) {
          const int count = static_cast<int>(smaller(kTileRows, rows - i));
          pack_rows(a + i * job.a_row, job.a_row, job.a_column, count, depth, job.packed_a + i * depth);
        }
      }
      for (int64_t j = 0; j < job.n; j += columns) {
        Tile<T> tile;
        tile.taps = &start;
        tile.tap_count = 1;
        tile.depth = depth;
        tile.b = job.b + j / columns * job.panel_step + d0 * job.b_step;
        tile.b_step = job.b_step;
        tile.c_row = job.c_row;
        tile.columns = static_cast<int>(smaller(columns, job.n - j));
        tile.accumulate = d0 > 0;
        tile.bias = job.bias && last ? job.bias + j : nullptr;
        tile.activation = last ? job.activation : nullptr;
        for (int64_t i = 0; i < rows; i += kTileRows) {
          tile.a = job.packed_a ? job.packed_a + i * depth : a + i * job.a_row;
          tile.a_row = job.packed_a ? 1 : job.a_row;
          tile.a_depth = job.packed_a ? kTileRows : job.a_column;
          tile.c = job.c + (i0 + i) * job.c_row + j;
          compute_tile(tile, static_cast<int>(smaller(kTileRows, rows - i)), tile.a_row == 1);
        }
      }
    }
    d0 += depth;
  } while (d0 < job.k);
}

/// Four rows at a time share the loads of v; each row sums in four vectors, then over their lanes.
template <class T>
void dot_rows(const T* x, int64_t row, const T* v, T* y, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  constexpr int64_t width = V::width;
  for (int64_t i = 0; i < rows; ++i) {
    const T* p = x + i * row;
    V sum[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
    int64_t d = 0;
    for (; d + 4 * width <= columns; d += 4 * width) {
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) {
        sum[q] = fma(V::load(p + d + q * width), V::load(v + d + q * width), sum[q]);
      }
    }
    for (; d < columns; d += width) {
      const int lanes = static_cast<int>(smaller(width, columns - d));
      sum[0] = fma(V::load_partial(p + d, lanes), V::load_partial(v + d, lanes), sum[0]);
    }
    y[i] = reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
}

/// Four rows at a time, so that y is loaded and stored once for four multiplications.
template <class T>
void add_rows(const T* x, int64_t row, const T* v, int64_t v_step, T* y, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  constexpr int64_t width = V::width;
  for (int64_t j = 0; j < columns; ++j) y[j] = T(0);
  for (int64_t i = 0; i < rows; i += 4) {
    const int count = static_cast<int>(smaller(4, rows - i));
    const T* p[4];
    V factor[4];
    for (int q = 0; q < 4; ++q) {
      p[q] = x + (i + (q < count ? q : 0)) * row;
      factor[q] = q < count ? V(v[(i + q) * v_step]) : V::zero();
    }
    for (int64_t j = 0; j < columns; j += width) {
      const int lanes = static_cast<int>(smaller(width, columns - j));
      if (lanes == width && count == 4) {
        V sum = V::load(y + j);
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) sum = fma(factor[q], V::load(p[q] + j), sum);
        sum.store(y + j);
      } else {
        V sum = V::load_partial(y + j, lanes);
        for (int q = 0; q < count; ++q) sum = fma(factor[q], V::load_partial(p[q] + j, lanes), sum);
        sum.store_partial(y + j, lanes);
      }
    }
  }
}

template <class T>
constexpr MatmulFunctions<T> functions() {
  return {kTileRows,       kTileColumns<T>, kBlockRows * kBlockDepth, &pack_columns<T>,
          &run<T>, &dot_rows<T>,    &add_rows<T>};
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const MatmulKernels& MatmulKernels::of<Isa::SYMK_ISA>() {
  static constexpr MatmulKernels table = {SYMK_ISA::functions<float>(), SYMK_ISA::functions<double>()};
  return table;
}

}  // namespace symk::cpu
