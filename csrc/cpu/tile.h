// The one building block of matmul and convolution: a small tile of C, held in registers, gathers
// products over "taps". A tap is a place in A; there the tile walks `depth` elements, while B,
// packed, goes on without a jump. A matrix product is one tap; a convolution has one per kernel row
// or kernel element. For files compiled per instruction set: everything is in the namespace of the
// set.
#pragma once

#include "cpu/epilogue.h"
#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {

/// Rows and columns of the largest tile: accumulators, two vectors of B and one of A fill the
/// registers. On Arm products take elements of A from registers, so a few more of these are needed.
constexpr int kTileRows = kVectorRegisters == 16 ? 6 : (kVectorBytes == 16 ? 12 : 14);
constexpr int kTileVectors = 2;
template <class T>
constexpr int kTileColumns = kTileVectors* Vec<T>::width;

/// Rows of a tile of A whose rows are `a_row` elements apart. Those that are whole pages apart share
/// the lines of one set of the first cache, which has 8 ways or more.
template <class T>
[[gnu::always_inline]] inline int64_t most_rows(int64_t a_row) {
  constexpr int64_t few = kTileRows < 7 ? kTileRows : 7;
  return a_row * static_cast<int64_t>(sizeof(T)) % 4096 == 0 ? few : kTileRows;
}

/// Memory that is brought closer while a tile gathers: at each depth the line `step` elements
/// further on.
template <class T>
struct Fetch {
  const T* from = nullptr;  // null: nothing
  int64_t step = 0;
};

/// One tile. Element (i, t, d) of A is a[taps[t] + i * a_row + d * a_depth]. Row t * depth + d of B
/// is at b + that * b_step, which is not 0: kTileColumns<T> elements that may all be read.
template <class T>
struct Tile {
  const T* a;
  int64_t a_row;
  int64_t a_depth;
  const int64_t* taps;
  int64_t tap_count;
  int64_t depth;
  const T* b;
  int64_t b_step;
  T* c;
  int64_t c_row;
  int columns;           // how many columns of C exist here
  bool accumulate;       // add to what is in C
  bool pairs;            // A and B hold pairs of bfloat16 (bfloat16.h); T is float
  Fetch<T> next_a, next_b;
  Epilogue<T> epilogue;  // what is done to finished values; its pointers are those of this tile
};

/// The share that one of `tiles` tiles fetches of the panel behind one that all of them read.
template <class T>
[[gnu::always_inline]] inline Fetch<T> share_of_panel(const T* panel, int64_t tile, int64_t tiles,
                                                      int64_t depths) {
  const int64_t step = (kTileColumns<T> + tiles - 1) / tiles;
  return {panel + tile * step * depths, step};
}

/// Computes a tile of `rows` rows, 1 <= rows <= kTileRows.
template <class T>
void compute_tile(const Tile<T>& tile, int rows);
template <>
void compute_tile<float>(const Tile<float>& tile, int rows);
template <>
void compute_tile<double>(const Tile<double>& tile, int rows);

/// Packs B (k x n; element (d, j) at b[d * row + j * column], one of the strides is 1) as panels of
/// kTileColumns<T> columns, `panel_step` elements apart. A panel is k rows of its columns; columns
/// from n on are zero.
template <class T>
void pack_columns(const T* b, int64_t row, int64_t column, int64_t k, int64_t n, T* packed,
                  int64_t panel_step);

/// Packs rows 0 .. rows - 1 of A (element (i, d) at a[i * row + d * column], one of the strides is
/// 1) as k columns of kTileRows; rows from `rows` on are zero.
template <class T>
void pack_rows(const T* a, int64_t row, int64_t column, int rows, int64_t k, T* packed);

}  // namespace symk::cpu::SYMK_ISA
