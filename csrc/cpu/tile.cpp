// The register tile and the packing of its operands, for every instruction set.
#include "cpu/tile.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int64_t kFetchDepth = 96;  // depths that take as long as memory does

/// Activation, if it is not done in registers, and factor, over rows that are still near.
template <class T>
void finish_rows(const Tile<T>& tile, int rows) {
  const Epilogue<T>& epilogue = tile.epilogue;
  if (epilogue.activation && !epilogue.is_relu) {
    for (int i = 0; i < rows; ++i) epilogue.activation(tile.c + i * tile.c_row, tile.columns);
  }
  if (epilogue.factor) {
    for (int i = 0; i < rows; ++i) {
      T* const c = tile.c + i * tile.c_row;
      const T* const factor = epilogue.factor + i * tile.c_row;
      for (int j = 0; j < tile.columns; ++j) c[j] *= factor[j];
    }
  }
}

template <class T, int rows, int vectors>
[[gnu::always_inline]] inline void finish(const Tile<T>& tile, Vec<T> (&sum)[rows][vectors]) {
  constexpr int width = Vec<T>::width;
  // NaN is the second operand of max, and so stays.
  const Vec<T> floor = tile.epilogue.is_relu ? Vec<T>::zero() : Vec<T>(T(-__builtin_inf()));
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) {
    const int left = tile.columns - j * width;
    const int lanes = left >= width ? width : (left > 0 ? left : 0);
    if (lanes == 0) break;
    // A sum times 1 plus the bias is rounded as the sum plus the bias.
    const Epilogue<T>& epilogue = tile.epilogue;
    const Vec<T> scale =
        epilogue.scale ? Vec<T>::load_partial(epilogue.scale + j * width, lanes) : Vec<T>(T(1));
    const Vec<T> bias =
        epilogue.bias ? Vec<T>::load_partial(epilogue.bias + j * width, lanes) : Vec<T>::zero();
    const T* addend = epilogue.addend ? epilogue.addend + j * width : nullptr;
#pragma GCC unroll 14
    for (int i = 0; i < rows; ++i) {
      T* c = tile.c + i * tile.c_row + j * width;
      if (lanes == width) {
        if (tile.accumulate) sum[i][j] += Vec<T>::load(c);
        Vec<T> value = fma(sum[i][j], scale, bias);
        if (addend) value += Vec<T>::load(addend + i * tile.c_row);
        max(floor, value).store(c);
      } else {
        if (tile.accumulate) sum[i][j] += Vec<T>::load_partial(c, lanes);
        Vec<T> value = fma(sum[i][j], scale, bias);
        if (addend) value += Vec<T>::load_partial(addend + i * tile.c_row, lanes);
        max(floor, value).store_partial(c, lanes);
      }
    }
  }
  finish_rows(tile, rows);
}

/// A tile of C comes from memory while the products are gathered, if that takes long enough.
template <class T, int rows, int vectors>
[[gnu::always_inline]] inline void fetch_c(const Tile<T>& tile) {
  if (tile.tap_count * tile.depth < kFetchDepth) return;
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j)
      prefetch_to_write(tile.c + i * tile.c_row + j * Vec<T>::width);
  }
}

/// The multiply-adds of dot_pairs, one after the other: all of the high halves, then the low ones.
template <int rows, int vectors>
[[gnu::always_inline]] inline void add_halves(const float* a, int64_t row,
                                              const Vec<int32_t> (&right)[vectors],
                                              Vec<float> (&sum)[rows][vectors]) {
  const Vec<int32_t> high(static_cast<int32_t>(0xffff0000));
  Vec<float> half[vectors];
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) half[j] = bit_cast<float>(bit_and(right[j], high));
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
    const Vec<float> left = bit_cast<float>(bit_and(bits(Vec<float>(a[i * row])), high));
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j] = fma(left, half[j], sum[i][j]);
  }
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) half[j] = bit_cast<float>(shift_left(right[j], 16));
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
    const Vec<float> left = bit_cast<float>(shift_left(bits(Vec<float>(a[i * row])), 16));
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j] = fma(left, half[j], sum[i][j]);
  }
}

template <class T, int rows, int vectors, bool unit_row>
void compute(const Tile<T>& tile) {
  constexpr int width = Vec<T>::width;
  fetch_c<T, rows, vectors>(tile);
  Vec<T> sum[rows][vectors];
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j] = Vec<T>::zero();
  }
  const T* b = tile.b;
  const int64_t b_step = tile.b_step;
  const int64_t row = unit_row ? 1 : tile.a_row;
  const int64_t step = unit_row ? tile.a_depth : 1;
  const T* next_a = tile.next_a.from ? tile.next_a.from : b;  // b is near: fetching it is no work
  const T* next_b = tile.next_b.from ? tile.next_b.from : b;
  const int64_t next_a_step = tile.next_a.step, next_b_step = tile.next_b.step;
  for (int64_t t = 0; t < tile.tap_count; ++t) {
    const T* a = tile.a + tile.taps[t];
    for (int64_t d = 0; d < tile.depth; ++d, a += step, b += b_step) {
      prefetch(next_a);
      prefetch(next_b);
      next_a += next_a_step;
      next_b += next_b_step;
      Vec<T> right[vectors];
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) right[j] = Vec<T>::load(b + j * width);
#pragma GCC unroll 14
      for (int i = 0; i < rows; ++i) {
        const Vec<T> left(a[i * row]);
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) sum[i][j] = fma(left, right[j], sum[i][j]);
      }
    }
  }
  finish<T, rows, vectors>(tile, sum);
}

/// Some rows of sums that have left the registers, and the tile that begins with them.
template <int rows>
[[gnu::always_inline]] inline void finish_some(Tile<float>& tile, const Vec<float> (*sums)[2]) {
  Vec<float> sum[rows][kTileVectors];
  for (int i = 0; i < rows; ++i) sum[i][0] = sums[i][0], sum[i][1] = sums[i][1];
  finish<float, rows, kTileVectors>(tile, sum);
  tile.c += rows * tile.c_row;
  tile.epilogue = tile.epilogue.at(0, rows * tile.c_row);
}

/// One finish for all tiles of pairs: a copy in each of them would be most of the library.
[[gnu::noinline]] void finish_sums(Tile<float> tile, const Vec<float> (*sums)[2], int rows) {
  constexpr int together = kTileRows / 2;
  for (; rows >= together; rows -= together, sums += together) finish_some<together>(tile, sums);
  for (; rows > 0; --rows, ++sums) finish_some<1>(tile, sums);
}

/// As compute, of pairs; `direct` by the machine's own instruction, else to the same bits.
template <int rows, int vectors, bool direct>
void compute_pairs(const Tile<float>& tile) {
  using V = Vec<float>;
  using Pairs = Vec<int32_t>;
  fetch_c<float, rows, vectors>(tile);
  V sum[rows][vectors];
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j] = V::zero();
  }
  const float* b = tile.b;
  const int64_t row = tile.a_row, step = tile.a_depth, b_step = tile.b_step;
  const float* next_a = tile.next_a.from ? tile.next_a.from : b;
  const float* next_b = tile.next_b.from ? tile.next_b.from : b;
  const int64_t next_a_step = tile.next_a.step, next_b_step = tile.next_b.step;
  for (int64_t t = 0; t < tile.tap_count; ++t) {
    const float* a = tile.a + tile.taps[t];
    for (int64_t d = 0; d < tile.depth; ++d, a += step, b += b_step) {
      prefetch(next_a);
      prefetch(next_b);
      next_a += next_a_step;
      next_b += next_b_step;
      Pairs right[vectors];
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) right[j] = bits(V::load(b + j * V::width));
      if constexpr (direct) {
#pragma GCC unroll 14
        for (int i = 0; i < rows; ++i) {
          const Pairs left = bits(V(a[i * row]));
#pragma GCC unroll 2
          for (int j = 0; j < vectors; ++j) sum[i][j] = dot_pairs(left, right[j], sum[i][j]);
        }
      } else {
        add_halves<rows, vectors>(a, row, right, sum);
      }
    }
  }
  V sums[rows][kTileVectors];
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[i][j] = sum[i][j];
  }
  finish_sums(tile, sums, rows);
}

template <class T>
using Compute = void (*)(const Tile<T>&);

/// Functions by rows - 1, vectors - 1 and unit_row.
template <class T>
struct Table {
  Compute<T> of[kTileRows][kTileVectors][2];
};

template <class T, int rows>
constexpr void fill(Table<T>& table) {
  table.of[rows - 1][0][0] = compute<T, rows, 1, false>;
  table.of[rows - 1][0][1] = compute<T, rows, 1, true>;
  table.of[rows - 1][1][0] = compute<T, rows, 2, false>;
  table.of[rows - 1][1][1] = compute<T, rows, 2, true>;
  if constexpr (rows > 1) fill<T, rows - 1>(table);
}

template <class T>
constexpr Table<T> make_table() {
  Table<T> table{};
  fill<T, kTileRows>(table);
  return table;
}

template <class T>
constexpr Table<T> kTable = make_table<T>();

/// Of pairs, by rows - 1, vectors - 1, and whether the machine has the instruction.
struct PairTable {
  Compute<float> of[kTileRows][kTileVectors][2];
};

template <int rows>
constexpr void fill_pairs(PairTable& table) {
  table.of[rows - 1][0][0] = table.of[rows - 1][1][0] = compute_pairs<rows, 2, false>;
  if constexpr (kMayDotPairs) {
    table.of[rows - 1][0][1] = compute_pairs<rows, 1, true>;
    table.of[rows - 1][1][1] = compute_pairs<rows, 2, true>;
  }
  if constexpr (rows > 1) fill_pairs<rows - 1>(table);
}

constexpr PairTable make_pair_table() {
  PairTable table{};
  fill_pairs<kTileRows>(table);
  return table;
}

constexpr PairTable kPairTable = make_pair_table();

}  // namespace

template <class T>
void compute_tile(const Tile<T>& tile, int rows, bool unit_row) {
  const int vectors = tile.columns > Vec<T>::width ? 2 : 1;
  if constexpr (sizeof(T) == 4) {
    if (tile.pairs) return kPairTable.of[rows - 1][vectors - 1][can_dot_pairs()](tile);
  }
  kTable<T>.of[rows - 1][vectors - 1][unit_row](tile);
}

namespace {

/// Columns that lie next to each other: rows of B are read as they come, each to its place in all
/// panels.
template <class T>
void copy_rows(const T* b, int64_t row, int64_t k, int64_t n, T* packed, int64_t panel_step) {
  constexpr int width = Vec<T>::width;
  constexpr int columns = kTileColumns<T>;
  const int64_t whole = n / columns * columns;
  for (int64_t i = 0; i < k; ++i, b += row, packed += columns) {
    T* to = packed;
    int64_t j = 0;
    for (; j < whole; j += columns, to += panel_step) {
#pragma GCC unroll 2
      for (int q = 0; q < columns; q += width) Vec<T>::load(b + j + q).store(to + q);
    }
    if (j == n) continue;
    for (int q = 0; q < columns; q += width) {
      const int64_t left = n - j - q;
      const int lanes = left >= width ? width : (left > 0 ? static_cast<int>(left) : 0);
      Vec<T>::load_partial(b + j + (lanes > 0 ? q : 0), lanes).store(to + q);
    }
  }
}

/// Transposes `lines` lines of `count` elements, `line` apart, to count rows of `lines` elements,
/// `step` apart. Lines from `valid` on are zero.
template <class T, int lines>
[[gnu::always_inline]] inline void transpose_lines(const T* from, int64_t line, int valid,
                                                   int64_t count, T* to, int64_t step) {
  constexpr int width = Vec<T>::width;
  int64_t d = 0;
  for (; d + width <= count; d += width) {
    for (int first = 0; first < lines; first += width) {
      constexpr int whole = lines < width ? lines : width;
      Vec<T> block[width];
      if (valid >= first + whole) {
#pragma GCC unroll 16
        for (int q = 0; q < width; ++q) {
          block[q] = q < whole ? Vec<T>::load(from + (first + q) * line + d) : Vec<T>::zero();
        }
      } else {
        for (int q = 0; q < width; ++q) {
          block[q] =
              first + q < valid ? Vec<T>::load(from + (first + q) * line + d) : Vec<T>::zero();
        }
      }
      transpose(block);
#pragma GCC unroll 16
      for (int q = 0; q < width; ++q) {
        T* place = to + (d + q) * step + first;
        if (first + width <= lines) {
          block[q].store(place);
        } else {
          block[q].store_partial(place, lines % width);
        }
      }
    }
  }
  for (; d < count; ++d) {
    for (int q = 0; q < lines; ++q) to[d * step + q] = q < valid ? from[q * line + d] : T(0);
  }
}

}  // namespace

template <class T>
void pack_columns(const T* b, int64_t row, int64_t column, int64_t k, int64_t n, T* packed,
                  int64_t panel_step) {
  constexpr int columns = kTileColumns<T>;
  if (column == 1) return copy_rows(b, row, k, n, packed, panel_step);
  for (int64_t j = 0; j < n; j += columns, packed += panel_step) {
    const int valid = n - j < columns ? static_cast<int>(n - j) : columns;
    transpose_lines<T, columns>(b + j * column, column, valid, k, packed, columns);
  }
}

template <class T>
void pack_rows(const T* a, int64_t row, int64_t column, int rows, int64_t k, T* packed) {
  constexpr int width = Vec<T>::width;
  if (column == 1) return transpose_lines<T, kTileRows>(a, row, rows, k, packed, kTileRows);
  for (int64_t d = 0; d < k; ++d, a += column, packed += kTileRows) {
    for (int i = 0; i < kTileRows; i += width) {
      const int lanes = kTileRows - i < width ? kTileRows - i : width;
      const int valid = rows - i < lanes ? (rows > i ? rows - i : 0) : lanes;
      Vec<T>::load_partial(a + (valid > 0 ? i : 0), valid).store_partial(packed + i, lanes);
    }
  }
}

template void compute_tile<float>(const Tile<float>&, int, bool);
template void compute_tile<double>(const Tile<double>&, int, bool);
template void pack_columns<float>(const float*, int64_t, int64_t, int64_t, int64_t, float*,
                                  int64_t);
template void pack_columns<double>(const double*, int64_t, int64_t, int64_t, int64_t, double*,
                                   int64_t);
template void pack_rows<float>(const float*, int64_t, int64_t, int, int64_t, float*);
template void pack_rows<double>(const double*, int64_t, int64_t, int, int64_t, double*);

}  // namespace symk::cpu::SYMK_ISA
