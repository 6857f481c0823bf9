// What a product multiplies, and how it is cut. An operand is asked where an element lies, by the
// line (a row of A, a column of B) and the depth. It says once what belongs to a line and once what
// belongs to a depth, so that a kernel keeps either while it walks along the other:
//
//   Line line(int64_t i)               Deep deep(int64_t d)
//   const T* at(line, deep)            null where the element is 0
//   kAlongDepth                        whether neighbours along the depth are neighbours in memory,
//                                      else those of neighbouring lines are
//   fours                              whether four such neighbours, counted from a multiple of
//                                      four, lie together at a multiple of 16 bytes
//
// A source of a product has operands `left` and `right`, `select(product)`, which turns to one of
// several products, and `finish(row, column, sum, piece)`, which takes an element of the result.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/divider.h"
#include "cuda/factor.h"
#include "cuda/launch.h"
#include "runtime/kernel.h"

namespace symk::cuda {

/// A matrix: one of its steps is 1.
template <class T, bool along_depth>
struct Matrix {
  static constexpr bool kAlongDepth = along_depth;
  const T* data;
  int64_t step;  // elements from one line to the next, or from one depth to the next
  bool fours;

  /// `start`: where products of a batch begin, or null.
  static Matrix of(const T* data, int64_t step, const int64_t* start = nullptr,
                   int64_t products = 0) {
    bool fours = reinterpret_cast<uintptr_t>(data) % 16 == 0 && step % 4 == 0;
    for (int64_t i = 0; i < products; ++i) fours = fours && start[i] % 4 == 0;
    return {data, step, fours};
  }

  SYMK_HD int64_t line(int64_t i) const { return along_depth ? i * step : i; }
  SYMK_HD int64_t deep(int64_t d) const { return along_depth ? d : d * step; }
  SYMK_HD const T* at(int64_t line, int64_t deep) const { return data + line + deep; }
};

template <class Operand>
SYMK_HD auto element(const Operand& operand, int64_t line, int64_t depth) {
  const auto* const place = operand.at(operand.line(line), operand.deep(depth));
  return place != nullptr ? *place : 0;
}

struct ProductSize {
  int64_t rows = 0, columns = 0, depth = 0;
};

/// How a product is cut, by its sizes alone: where blocks would be few, the depth is cut into
/// pieces whose sums are added afterwards.
struct ProductCut {
  bool large = false;
  Factor factor = Factor::kFloat32;
  int64_t products = 1;  // of one size
  int64_t pieces = 1, piece_depth = 1;

  static ProductCut of(const ProductSize& size, int64_t products, Factor factor, bool is_double) {
    constexpr int64_t enough_blocks = 256, least_depth = 256;  // two blocks per processor
    ProductCut cut = whole(size, products, factor);
    const auto blocks_of = [&](int64_t side) {
      return products * ((size.rows + side - 1) / side) * ((size.columns + side - 1) / side);
    };
    cut.large = !is_double && blocks_of(128) >= enough_blocks;
    const int64_t blocks = blocks_of(cut.large ? 128 : 64);
    if (blocks == 0 || blocks >= enough_blocks || size.depth < 2 * least_depth) return cut;
    const int64_t wanted = std::min(enough_blocks / blocks, size.depth / least_depth);
    constexpr int64_t multiple = 16;  // the depth of a tile, and more than a run of four
    cut.piece_depth = (size.depth + wanted * multiple - 1) / (wanted * multiple) * multiple;
    cut.pieces = (size.depth + cut.piece_depth - 1) / cut.piece_depth;
    return cut;
  }

  /// In one piece.
  static ProductCut whole(const ProductSize& size, int64_t products, Factor factor) {
    ProductCut cut;
    cut.factor = factor;
    cut.products = products;
    cut.piece_depth = std::max<int64_t>(1, size.depth);
    return cut;
  }
};

/// About what products take: tiles follow each other on the processors, and the last ones alone.
inline Load load_of_products(const Queue& queue, const ProductSize& size, const ProductCut& cut) {
  constexpr int64_t begin_ns = 2500, pieces_ns = 3000;  // of a launch; of the one that adds them up
  constexpr int64_t depth = 16;  // of a stage; what one takes is in docs/cuda.md
  const int64_t side = cut.large ? 128 : 64, beside = cut.large ? 1 : 2;  // tiles on a processor
  int64_t stage_ns = cut.large ? 600 : 300;
  if (cut.factor != Factor::kFloat32) stage_ns /= 3;
  const int64_t blocks = cut.products * cut.pieces * ((size.rows + side - 1) / side) *
                         ((size.columns + side - 1) / side);
  const int64_t most = queue.processors * beside;
  Load load;
  load.time_ns = begin_ns + (blocks + most - 1) / most * (cut.piece_depth / depth + 1) * stage_ns;
  if (cut.pieces > 1) load.time_ns += pieces_ns;
  load.share = static_cast<int>(std::min<int64_t>(blocks * Load::kWhole / most + 1, Load::kWhole));
  return load;
}

/// A block's part of a product.
struct TilePlace {
  int row, column;  // of tiles
  int piece, product;
};

/// Numbers blocks so that those which run together share their rows and columns: bands of eight
/// rows of tiles, and in a band one column after the other.
class TileGrid {
 public:
  TileGrid(const ProductSize& size, const ProductCut& cut, int64_t tile_rows, int64_t tile_columns)
      : rows_(divide_up(size.rows, tile_rows)),
        count_(rows_ * divide_up(size.columns, tile_columns) * cut.pieces * cut.products) {
    if (count_ == 0) return;
    const int64_t columns = divide_up(size.columns, tile_columns);
    tiles_ = Divider(rows_ * columns);
    pieces_ = Divider(cut.pieces);
    band_ = Divider(kBand * columns);
    height_ = Divider(kBand);
    last_height_ = Divider((rows_ - 1) % kBand + 1);
  }
  /// Below 2^31: tiles of so many would hold more than any memory.
  SYMK_BOTH int64_t count() const { return count_; }

  SYMK_BOTH TilePlace place(int64_t block) const {
    auto tile = static_cast<uint32_t>(block);
    uint32_t piece = tiles_.divide(tile);
    const uint32_t product = pieces_.divide(piece);
    const uint32_t first = band_.divide(tile) * kBand;
    const bool whole = first + kBand <= rows_;
    const uint32_t column = whole ? height_.divide(tile) : last_height_.divide(tile);
    return {static_cast<int>(first + tile), static_cast<int>(column), static_cast<int>(piece),
            static_cast<int>(product)};
  }

 private:
  static constexpr int64_t kBand = 8;
  static int64_t divide_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit; }

  int64_t rows_, count_;
  Divider tiles_, pieces_, band_, height_, last_height_;
};

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
