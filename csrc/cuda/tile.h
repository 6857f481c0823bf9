// The matrix product that matmul and the convolutions share: C(i, j) = sum over d of A(i, d) B(d,
// j), by blocks that hold tiles of A and B in shared memory and by threads that hold small squares
// of C in registers. Where the elements lie is the source's business: a source is asked for A(i, d)
// and B(d, j), and is given each finished element.
#pragma once

#include <algorithm>

#include "cpu/require.h"
#include "cuda/launch.h"
#include "math/bfloat16.h"

namespace symk::cuda {

/// Whether the attribute `products` asks for operands of products rounded to bfloat16. "winograd"
/// allows sums of another order, which no kernel here takes.
inline bool rounds_products(const Binding& binding, const char* kernel) {
  if (!binding.has("products")) return false;
  const std::string products = binding.text("products");
  cpu::require(products == "bfloat16" || products == "float32" || products == "winograd", kernel,
               "products must be of float32, bfloat16 or winograd");
  if (products != "bfloat16") return false;
  cpu::require_dtype(binding.outputs()[0], DType::kFloat32, kernel);
  return true;
}

/// An operand as it is multiplied.
template <class T>
SYMK_HD T as_factor(T x, bool rounds) {
  if constexpr (sizeof(T) == 4) {
    return rounds ? math::rounded_to_bfloat16(x) : x;
  } else {
    return x;
  }
}

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

struct ProductSize {
  int64_t rows = 0, columns = 0, depth = 0;
};

/// Source: `T a(row, depth)`, `T b(depth, column)`, `void finish(row, column, T sum, piece)`, and
/// kAlongDepthA, kAlongColumnB: whether neighbouring threads shall load neighbours along the depth
/// of A, and along the columns of B, because these are neighbours in memory.
template <class Source, class T, class Tile>
struct TileProduct {
  Source source;
  ProductSize size;
  int64_t row_tiles, column_tiles;
  int64_t piece_depth;  // depths of one piece; pieces are blocks of their own
  bool rounds;          // whether operands are rounded to bfloat16

  SYMK_HD void operator()(int64_t block) const {
    __shared__ T a_tile[Tile::depth][Tile::rows + 1];
    __shared__ T b_tile[Tile::depth][Tile::columns + 1];
    const int64_t first_column = block % column_tiles * Tile::columns;
    const int64_t first_row = block / column_tiles % row_tiles * Tile::rows;
    const int64_t piece = block / column_tiles / row_tiles;
    const int64_t first_depth = piece * piece_depth;
    const int64_t last_depth =
        first_depth + piece_depth < size.depth ? first_depth + piece_depth : size.depth;
    constexpr int threads_across = Tile::columns / Tile::column_run;
    const int across = threadIdx.x % threads_across, down = threadIdx.x / threads_across;
    T sums[Tile::row_run][Tile::column_run] = {};
    for (int64_t depth = first_depth; depth < last_depth; depth += Tile::depth) {
      load_a(a_tile, first_row, depth, last_depth);
      load_b(b_tile, first_column, depth, last_depth);
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
        if (row < size.rows && column < size.columns) source.finish(row, column, sums[i][j], piece);
      }
    }
  }

  // A thread's elements are spread over the tile, so that threads beside each other read and write
  // neighbours.
  SYMK_HD static int row_of(int down, int i) { return down + i * (Tile::rows / Tile::row_run); }
  SYMK_HD static int column_of(int across, int j) {
    return across + j * (Tile::columns / Tile::column_run);
  }

  SYMK_HD void load_a(T (*tile)[Tile::rows + 1], int64_t first_row, int64_t depth,
                      int64_t last_depth) const {
    for (int e = threadIdx.x; e < Tile::rows * Tile::depth; e += Tile::threads) {
      const int d = source.kAlongDepthA ? e % Tile::depth : e / Tile::rows;
      const int i = source.kAlongDepthA ? e / Tile::depth : e % Tile::rows;
      const bool inside = first_row + i < size.rows && depth + d < last_depth;
      tile[d][i] = inside ? as_factor(source.a(first_row + i, depth + d), rounds) : T(0);
    }
  }
  SYMK_HD void load_b(T (*tile)[Tile::columns + 1], int64_t first_column, int64_t depth,
                      int64_t last_depth) const {
    for (int e = threadIdx.x; e < Tile::columns * Tile::depth; e += Tile::threads) {
      const int d = source.kAlongColumnB ? e / Tile::columns : e % Tile::depth;
      const int j = source.kAlongColumnB ? e % Tile::columns : e / Tile::depth;
      const bool inside = first_column + j < size.columns && depth + d < last_depth;
      tile[d][j] = inside ? as_factor(source.b(depth + d, first_column + j), rounds) : T(0);
    }
  }
};

/// How a product is cut, by its sizes alone: where blocks would be few, the depth is cut into
/// pieces whose sums are added afterwards.
struct ProductCut {
  bool large = false, rounds = false;
  int64_t pieces = 1, piece_depth = 1;

  static ProductCut of(const ProductSize& size, int64_t products, bool is_double) {
    constexpr int64_t enough_blocks = 256, least_depth = 256;  // two blocks per processor
    ProductCut cut;
    const auto blocks_of = [&](int64_t side) {
      return products * ((size.rows + side - 1) / side) * ((size.columns + side - 1) / side);
    };
    cut.large = !is_double && blocks_of(128) >= enough_blocks;
    const int64_t blocks = blocks_of(cut.large ? 128 : 64);
    cut.piece_depth = std::max<int64_t>(1, size.depth);
    if (blocks == 0 || blocks >= enough_blocks || size.depth < 2 * least_depth) return cut;
    const int64_t wanted = std::min(enough_blocks / blocks, size.depth / least_depth);
    cut.piece_depth = (size.depth + wanted - 1) / wanted;
    cut.pieces = (size.depth + cut.piece_depth - 1) / cut.piece_depth;
    return cut;
  }
};

template <class Tile, class Source, class T>
void run_tiles(const Queue& queue, const Source& source, const ProductSize& size,
               const ProductCut& cut) {
  const int64_t rows = (size.rows + Tile::rows - 1) / Tile::rows;
  const int64_t columns = (size.columns + Tile::columns - 1) / Tile::columns;
  blocks(queue, rows * columns * cut.pieces, Tile::threads, 0,
         TileProduct<Source, T, Tile>{source, size, rows, columns, cut.piece_depth, cut.rounds});
}

/// Runs one product.
template <class T, class Source>
void run_product(const Queue& queue, const Source& source, const ProductSize& size,
                 const ProductCut& cut) {
  if constexpr (sizeof(T) == 8) {
    run_tiles<DoubleTile, Source, T>(queue, source, size, cut);
  } else if (cut.large) {
    run_tiles<LargeTile, Source, T>(queue, source, size, cut);
  } else {
    run_tiles<SmallTile, Source, T>(queue, source, size, cut);
  }
}

/// y = finish(sum of all pieces), in order.
template <class T, class Finish>
struct AddPieces {
  const T* sums;
  int64_t pieces, count;
  Finish finish;
  SYMK_HD void operator()(int64_t i) const {
    T sum = sums[i];
    for (int64_t piece = 1; piece < pieces; ++piece) sum += sums[piece * count + i];
    finish(i, sum);
  }
};

}  // namespace symk::cuda
