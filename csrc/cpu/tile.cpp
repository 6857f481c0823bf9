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

/// Scale, bias, addend and relu of a vector at c, whose epilogue begins there.
template <class T>
struct Finish {
  Vec<T> scale, bias, floor, limit;

  Finish(const Epilogue<T>& epilogue, int column, int lanes)
      // A sum times 1 plus the bias is rounded as the sum plus the bias.
      : scale(epilogue.scale ? Vec<T>::load_partial(epilogue.scale + column, lanes)
                             : Vec<T>(T(1))),
        bias(epilogue.bias ? Vec<T>::load_partial(epilogue.bias + column, lanes)
                           : Vec<T>::zero()),
        floor(epilogue.is_relu ? Vec<T>::zero() : Vec<T>(T(-__builtin_inf()))),
        limit(epilogue.limit) {}

  [[gnu::always_inline]] Vec<T> product(Vec<T> sum) const { return fma(sum, scale, bias); }
  /// NaN is the second operand of max and min, and so stays.
  [[gnu::always_inline]] Vec<T> last(Vec<T> value) const { return max(floor, value); }
  [[gnu::always_inline]] Vec<T> limited(Vec<T> value) const { return min(limit, value); }
};

/// The pointer `step` further on. Compilers do not see through it: they would make the addresses of
/// all rows of a tile beforehand, which are too many for registers.
template <class P>
[[gnu::always_inline]] inline P* moved(P* pointer, int64_t step) {
  pointer += step;
  asm("" : "+r"(pointer));
  return pointer;
}

/// Of a tile all of whose columns exist, in registers. What there is nothing of is left out for all
/// sums at once: this is most of what a tile of few depths does besides its products.
template <class T, int rows, int vectors>
[[gnu::always_inline]] inline void finish(const Tile<T>& tile, Vec<T> (&sum)[rows][vectors]) {
  constexpr int width = Vec<T>::width;
  const Epilogue<T>& epilogue = tile.epilogue;
  const int64_t c_row = tile.c_row;
  if (tile.accumulate) {
    const T* c = tile.c;
#pragma GCC unroll 14
    for (int i = 0; i < rows; ++i, c = moved(c, c_row)) {
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) sum[i][j] += Vec<T>::load(c + j * width);
    }
  }
  if (epilogue.scale || epilogue.bias || epilogue.addend || epilogue.is_relu) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) {
      const Finish<T> parts(epilogue, j * width, width);
#pragma GCC unroll 14
      for (int i = 0; i < rows; ++i) sum[i][j] = parts.product(sum[i][j]);
      if (epilogue.addend) {
        const T* addend = epilogue.addend + j * width;
#pragma GCC unroll 14
        for (int i = 0; i < rows; ++i, addend = moved(addend, c_row))
          sum[i][j] += Vec<T>::load(addend);
      }
#pragma GCC unroll 14
      for (int i = 0; i < rows; ++i) sum[i][j] = parts.last(sum[i][j]);
      if (epilogue.is_limited()) {
#pragma GCC unroll 14
        for (int i = 0; i < rows; ++i) sum[i][j] = parts.limited(sum[i][j]);
      }
    }
  }
  T* c = tile.c;
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i, c = moved(c, c_row)) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j].store(c + j * width);
  }
  finish_rows(tile, rows);
}

/// The same of any tile, from memory: a copy in each of the functions below would be most of the
/// library.
template <class T>
[[gnu::noinline]] void finish_sums(const Tile<T>& tile, const Vec<T> (*sums)[kTileVectors],
                                   int rows) {
  constexpr int width = Vec<T>::width;
#pragma GCC unroll 1
  for (int column = 0; column < tile.columns; column += width) {
    const int lanes = tile.columns - column < width ? tile.columns - column : width;
    const Finish<T> parts(tile.epilogue, column, lanes);
    const T* addend = tile.epilogue.addend ? tile.epilogue.addend + column : nullptr;
    T* c = tile.c + column;
#pragma GCC unroll 1
    for (int i = 0; i < rows; ++i, c += tile.c_row) {
      Vec<T> sum = sums[i][column / width];
      if (tile.accumulate) sum += Vec<T>::load_partial(c, lanes);
      Vec<T> value = parts.product(sum);
      if (addend) value += Vec<T>::load_partial(addend + i * tile.c_row, lanes);
      parts.limited(parts.last(value)).store_partial(c, lanes);
    }
  }
  finish_rows(tile, rows);
}

/// Tiles of these numbers of rows are most of the work: their sums stay in registers.
template <class T, int rows>
constexpr bool kInRegisters = !is_spare(Isa::SYMK_ISA) && sizeof(T) == 4 &&
                              (rows == kTileRows || 2 * rows == kTileRows);

template <bool in_registers, class T, int rows, int vectors>
[[gnu::always_inline]] inline void finish_any(const Tile<T>& tile, Vec<T> (&sum)[rows][vectors]) {
  if constexpr (in_registers) {
    if (tile.columns == vectors * Vec<T>::width) return finish(tile, sum);
  }
  Vec<T> sums[rows][kTileVectors];
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[i][j] = sum[i][j];
  }
  finish_sums<T>(tile, sums, rows);
}

/// A tile of C comes from memory while the products are gathered: this one, or the one behind it if
/// that does not take long enough.
template <class T, int rows, int vectors>
[[gnu::always_inline]] inline void fetch_c(const Tile<T>& tile) {
  const bool slow = tile.tap_count * tile.depth >= kFetchDepth;
  const T* const c = tile.c + (slow ? 0 : rows * tile.c_row);
#pragma GCC unroll 1
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j)
      prefetch_to_write(c + i * tile.c_row + j * Vec<T>::width);
  }
}

/// An element of each row of A. Where there are many, pointers to some of them keep the distances
/// of the others in registers: compilers would use one pointer and load most distances at each
/// depth.
template <class T, int rows>
class Rows {
 public:
  Rows(const T* a, int64_t row) : row_(row) {
    for (int i = 0; i < kGroups; ++i) group_[i] = a + i * kRows * row_;
  }
  [[gnu::always_inline]] T operator[](int i) const { return group_[i / kRows][i % kRows * row_]; }
  [[gnu::always_inline]] void move(int64_t step) {
#pragma GCC unroll 3
    for (int i = 0; i < kGroups; ++i)
      group_[i] = kGroups == 1 ? group_[i] + step : moved(group_[i], step);
  }

 private:
  static constexpr int kRows = rows <= 7 ? rows : 5;
  static constexpr int kGroups = (rows + kRows - 1) / kRows;
  int64_t row_;
  const T* group_[kGroups];
};

/// The multiply-adds of dot_pairs, one after the other: all of the high halves, then the low ones.
template <int rows, int vectors>
[[gnu::always_inline]] inline void add_halves(const Rows<float, rows>& a,
                                              const Vec<int32_t> (&right)[vectors],
                                              Vec<float> (&sum)[rows][vectors]) {
  const Vec<int32_t> high(static_cast<int32_t>(0xffff0000));
  Vec<float> half[vectors];
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) half[j] = bit_cast<float>(bit_and(right[j], high));
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
    const Vec<float> left = bit_cast<float>(bit_and(bits(Vec<float>(a[i])), high));
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j] = fma(left, half[j], sum[i][j]);
  }
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) half[j] = bit_cast<float>(shift_left(right[j], 16));
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
    const Vec<float> left = bit_cast<float>(shift_left(bits(Vec<float>(a[i])), 16));
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j] = fma(left, half[j], sum[i][j]);
  }
}

template <class T, int rows, int vectors>
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
  const int64_t step = tile.a_depth, b_step = tile.b_step;
  const T* next_a = tile.next_a.from ? tile.next_a.from : b;  // b is near: fetching it is no work
  const T* next_b = tile.next_b.from ? tile.next_b.from : b;
  const int64_t next_a_step = tile.next_a.step, next_b_step = tile.next_b.step;
  for (int64_t t = 0; t < tile.tap_count; ++t) {
    Rows<T, rows> a(tile.a + tile.taps[t], tile.a_row);
    for (const auto* const end = b + tile.depth * b_step; b != end; a.move(step), b += b_step) {
      prefetch(next_a);
      prefetch(next_b);
      next_a += next_a_step;
      next_b += next_b_step;
      Vec<T> right[vectors];
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) right[j] = Vec<T>::load(b + j * width);
#pragma GCC unroll 14
      for (int i = 0; i < rows; ++i) {
        const Vec<T> left(a[i]);
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) sum[i][j] = fma(left, right[j], sum[i][j]);
      }
    }
  }
  finish_any<kInRegisters<T, rows>>(tile, sum);
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
  const int64_t step = tile.a_depth, b_step = tile.b_step;
  const float* next_a = tile.next_a.from ? tile.next_a.from : b;
  const float* next_b = tile.next_b.from ? tile.next_b.from : b;
  const int64_t next_a_step = tile.next_a.step, next_b_step = tile.next_b.step;
  for (int64_t t = 0; t < tile.tap_count; ++t) {
    Rows<float, rows> a(tile.a + tile.taps[t], tile.a_row);
    for (const auto* const end = b + tile.depth * b_step; b != end; a.move(step), b += b_step) {
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
          const Pairs left = bits(V(a[i]));
#pragma GCC unroll 2
          for (int j = 0; j < vectors; ++j) sum[i][j] = dot_pairs(left, right[j], sum[i][j]);
        }
      } else {
        add_halves<rows, vectors>(a, right, sum);
      }
    }
  }
  finish_any<direct && kInRegisters<float, rows>>(tile, sum);
}

template <class T>
using Compute = void (*)(const Tile<T>&);

/// Functions by rows - 1: of tiles of one vector, and of two.
struct Table {
  Compute<float> narrow[kTileRows], wide[kTileRows];
};

template <int rows>
constexpr void fill(Table& table) {
  table.narrow[rows - 1] = compute<float, rows, 1>;
  table.wide[rows - 1] = compute<float, rows, 2>;
  if constexpr (rows > 1) fill<rows - 1>(table);
}

constexpr Table make_table() {
  Table table{};
  if constexpr (!is_spare(Isa::SYMK_ISA)) fill<kTileRows>(table);
  return table;
}

constexpr Table kTable = make_table();

/// What need not be so fast has functions for these numbers of rows, which follow each other in a
/// tile.
constexpr int kPieces[] = {kTileRows, kTileRows / 2, 3, 1};
constexpr int kPieceCount = 4;

/// Calls function[place] for pieces of kPieces[place] rows that make up the tile.
template <class T>
void compute_pieces(Tile<T> tile, int rows, const Compute<T> (&functions)[kPieceCount]) {
  for (int place = 0; rows > 0;) {
    const int piece = kPieces[place];
    if (piece > rows) {
      ++place;
      continue;
    }
    functions[place](tile);
    rows -= piece;
    tile.a += piece * tile.a_row;
    tile.c += piece * tile.c_row;
    tile.epilogue = tile.epilogue.at(0, piece * tile.c_row);
  }
}

template <class T, int vectors>
constexpr Compute<T> kByPieces[kPieceCount] = {
    compute<T, kPieces[0], vectors>, compute<T, kPieces[1], vectors>,
    compute<T, kPieces[2], vectors>, compute<T, kPieces[3], vectors>};

template <bool direct>
constexpr Compute<float> kPairs[kPieceCount] = {
    compute_pairs<kPieces[0], 2, direct>, compute_pairs<kPieces[1], 2, direct>,
    compute_pairs<kPieces[2], 2, direct>, compute_pairs<kPieces[3], 2, direct>};

}  // namespace

template <>
void compute_tile<float>(const Tile<float>& tile, int rows) {
  if (tile.pairs) {
    return compute_pieces(tile, rows, can_dot_pairs() ? kPairs<kMayDotPairs> : kPairs<false>);
  }
  const bool wide = tile.columns > Vec<float>::width;
  if constexpr (is_spare(Isa::SYMK_ISA)) {
    compute_pieces(tile, rows, wide ? kByPieces<float, 2> : kByPieces<float, 1>);
  } else {
    (wide ? kTable.wide : kTable.narrow)[rows - 1](tile);
  }
}

template <>
void compute_tile<double>(const Tile<double>& tile, int rows) {
  compute_pieces(tile, rows, kByPieces<double, 2>);
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

/// Transposes the first vectors of `lines` lines, `line` apart, of which those from `valid` on are
/// zero: to rows of `lines` elements, `step` apart; at most as many lines as a vector has lanes.
template <class T>
[[gnu::noinline]] void transpose_square(const T* from, int64_t line, int valid, int lines, T* to,
                                        int64_t step) {
  constexpr int width = Vec<T>::width;
  T copy[width * width];
  if (valid < width) {
    for (int q = 0; q < width; ++q)
      (q < valid ? Vec<T>::load(from + q * line) : Vec<T>::zero()).store(copy + q * width);
    from = copy;
    line = width;
  }
  Vec<T> block[width];
#pragma GCC unroll 16
  for (int q = 0; q < width; ++q) block[q] = Vec<T>::load(from + q * line);
  transpose(block);
  if (lines == width) {
#pragma GCC unroll 16
    for (int q = 0; q < width; ++q) block[q].store(to + q * step);
  } else {
#pragma GCC unroll 16
    for (int q = 0; q < width; ++q) block[q].store_partial(to + q * step, lines);
  }
}

/// Transposes `lines` lines of `count` elements, `line` apart, to count rows of `lines` elements.
/// Lines from `valid` on are zero.
template <class T>
void transpose_lines(const T* from, int64_t line, int valid, int lines, int64_t count, T* to) {
  constexpr int width = Vec<T>::width;
  int64_t d = 0;
  for (; d + width <= count; d += width) {
    for (int first = 0; first < lines; first += width) {
      transpose_square(from + first * line + d, line, valid - first,
                       lines - first < width ? lines - first : width, to + d * lines + first,
                       lines);
    }
  }
  for (; d < count; ++d) {
    for (int q = 0; q < lines; ++q) to[d * lines + q] = q < valid ? from[q * line + d] : T(0);
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
    transpose_lines(b + j * column, column, valid, columns, k, packed);
  }
}

template <class T>
void pack_rows(const T* a, int64_t row, int64_t column, int rows, int64_t k, T* packed) {
  constexpr int width = Vec<T>::width;
  if (column == 1) return transpose_lines(a, row, rows, kTileRows, k, packed);
  for (int64_t d = 0; d < k; ++d, a += column, packed += kTileRows) {
    for (int i = 0; i < kTileRows; i += width) {
      const int lanes = kTileRows - i < width ? kTileRows - i : width;
      const int valid = rows - i < lanes ? (rows > i ? rows - i : 0) : lanes;
      Vec<T>::load_partial(a + (valid > 0 ? i : 0), valid).store_partial(packed + i, lanes);
    }
  }
}

template void pack_columns<float>(const float*, int64_t, int64_t, int64_t, int64_t, float*,
                                  int64_t);
template void pack_columns<double>(const double*, int64_t, int64_t, int64_t, int64_t, double*,
                                   int64_t);
template void pack_rows<float>(const float*, int64_t, int64_t, int, int64_t, float*);
template void pack_rows<double>(const double*, int64_t, int64_t, int, int64_t, double*);

}  // namespace symk::cpu::SYMK_ISA
