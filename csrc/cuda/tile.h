// Products without tensor cores: C(i, j) = sum over d of A(i, d) B(d, j), by blocks that hold tiles
// of A and B in shared memory and by threads that hold small squares of C in registers.
#pragma once

#include "cuda/operand.h"

namespace symk::cuda {

/// Sizes of a tile: `rows` x `columns` of C over `depth` products at a time, `row_run` x
/// `column_run` elements of C per thread.
template <int rows_, int columns_, int depth_, int row_run_, int column_run_>
struct TileForm {
  static constexpr int rows = rows_, columns = columns_, depth = depth_;
  static constexpr int row_run = row_run_, column_run = column_run_;
  static constexpr int threads = (rows / row_run) * (columns / column_run);
};

// A thread holds 64 or 16 sums.
using LargeTile = TileForm<128, 128, 8, 8, 8>;
using SmallTile = TileForm<64, 64, 16, 4, 4>;
using DoubleTile = TileForm<64, 64, 8, 4, 4>;

template <class Source, class T, class Tile>
struct TileProduct {
  Source source;
  ProductSize size;
  TileGrid grid;
  int64_t piece_depth;  // depths of one piece; pieces are blocks of their own
  Factor factor;

  SYMK_HD void operator()(int64_t block) const {
    __shared__ T a_tile[Tile::depth][Tile::rows + 1];
    __shared__ T b_tile[Tile::depth][Tile::columns + 1];
    const TilePlace place = grid.place(block);
    const int64_t first_column = int64_t{place.column} * Tile::columns;
    const int64_t first_row = int64_t{place.row} * Tile::rows;
    const int64_t first_depth = place.piece * piece_depth;
    const int64_t last_depth =
        first_depth + piece_depth < size.depth ? first_depth + piece_depth : size.depth;
    Source own = source;
    own.select(place.product);
    constexpr int threads_across = Tile::columns / Tile::column_run;
    const int across = threadIdx.x % threads_across, down = threadIdx.x / threads_across;
    T sums[Tile::row_run][Tile::column_run] = {};
    for (int64_t depth = first_depth; depth < last_depth; depth += Tile::depth) {
      load(own.left, a_tile, first_row, size.rows, depth, last_depth);
      load(own.right, b_tile, first_column, size.columns, depth, last_depth);
      __syncthreads();
      for (int d = 0; d < Tile::depth; ++d) {
        T a[Tile::row_run], b[Tile::column_run];
        for (int i = 0; i < Tile::row_run; ++i) a[i] = a_tile[d][row_of(down, i)];
        for (int j = 0; j < Tile::column_run; ++j) b[j] = b_tile[d][column_of(across, j)];
        for (int i = 0; i < Tile::row_run; ++i) {
          for (int j = 0; j < Tile::column_run; ++j) sums[i][j] = math::fma(a[i], b[j], sums[i][j]);
        }
      }
      __syncthreads();
    }
    for (int i = 0; i < Tile::row_run; ++i) {
      const int64_t row = first_row + row_of(down, i);
      for (int j = 0; j < Tile::column_run; ++j) {
        const int64_t column = first_column + column_of(across, j);
        if (row < size.rows && column < size.columns)
          own.finish(row, column, sums[i][j], place.piece);
      }
    }
  }

  // A thread's elements are spread over the tile, so that threads beside each other read and write
  // neighbours.
  SYMK_HD static int row_of(int down, int i) { return down + i * (Tile::rows / Tile::row_run); }
  SYMK_HD static int column_of(int across, int j) {
    return across + j * (Tile::columns / Tile::column_run);
  }

  /// Neighbouring threads load what are neighbours in memory.
  template <class Operand, int width>
  SYMK_HD void load(const Operand& operand, T (*tile)[width], int64_t first_line, int64_t lines,
                    int64_t depth, int64_t last_depth) const {
    constexpr int side = width - 1;
    for (int e = threadIdx.x; e < side * Tile::depth; e += Tile::threads) {
      const int d = Operand::kAlongDepth ? e % Tile::depth : e / side;
      const int i = Operand::kAlongDepth ? e / Tile::depth : e % side;
      const bool inside = first_line + i < lines && depth + d < last_depth;
      tile[d][i] =
          inside ? as_factor(T(element(operand, first_line + i, depth + d)), factor) : T(0);
    }
  }
};

template <class Tile, class Source, class T>
void run_tiles(const Queue& queue, const Source& source, const ProductSize& size,
               const ProductCut& cut) {
  const TileGrid grid(size, cut, Tile::rows, Tile::columns);
  blocks(queue, grid.count(), Tile::threads, 0,
         TileProduct<Source, T, Tile>{source, size, grid, cut.piece_depth, cut.factor});
}

}  // namespace symk::cuda
