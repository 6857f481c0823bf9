// Products of float32 on tensor cores. A block holds the tiles of several depths in shared memory,
// which are copied while it multiplies (a ring of stages); a warp holds a part of the result in
// registers. Tiles stand there as they lie in memory, and a lane reads two or four neighbours along
// the depth of a line: those of one instruction. Which depth of the tile is which depth of the
// instruction does not matter, as long as A and B agree.
//
// Factors of float32 are sums of two numbers of TF32, so three instructions stand for one product
// ("3xTF32", Ootomo & Yokota 2022, arXiv 2203.03341). With u = 2^-24, a big part is within 2^-11 of
// its number, and what both parts leave out is below 2^-22 of it: 12 u for small times small and
// both rests. A tensor core cuts instead of rounding: so it adds up a depth of 16 only, its sum
// within 41 u of the sum of absolute products, and these sums are added in float32, rounded.
// Together
//
//    |error| <= (53 + depth / 16) u * sum over d of |A(i, d) B(d, j)|
//
// which is below the bound of plain float32, depth * u, from a depth of 57 on.
#pragma once

#include <utility>

#include "cuda/async_copy.h"
#include "cuda/mma.h"
#include "cuda/operand.h"

namespace symk::cuda {

constexpr int kTileDepth = 16;

/// A tile of `side` x `side` results, of which a warp has `warp_rows` x `warp_columns`.
template <int side_, int warp_rows_, int warp_columns_, int stages_, int blocks_>
struct TensorForm {
  static constexpr int side = side_, warp_rows = warp_rows_, warp_columns = warp_columns_;
  static constexpr int stages = stages_, blocks_per_processor = blocks_;
  static constexpr int warps_across = side / warp_columns;
  static constexpr int threads = kWarp * warps_across * (side / warp_rows);
  static constexpr int tile_count = side * kTileDepth;  // numbers of a tile
  static constexpr int shared_bytes = stages * 2 * tile_count * 4;
};

/// Where things stand in a tile of an operand, so that the lanes of a warp, which read eight lines
/// and four runs of `run` depths, find them in 32 banks, and runs of four neighbours in memory stay
/// together. Lines are rows of 16 depths, whose halves change places in every other pair of lines;
/// or, where lines are neighbours in memory, depths are rows of lines.
template <int side, bool along_depth, int run>
struct Staged {
  SYMK_BOTH static constexpr int place(int line, int depth) {
    if (along_depth) return line * kTileDepth + (depth ^ line / 2 % 2 * 8);
    return depth * side + ((line / 4) ^ (depth / run % 4 * 2)) * 4 + line % 4;
  }

  /// The first line and depth of four neighbours in memory; these are numbered as they lie there.
  static constexpr int fours = side * kTileDepth / 4;
  SYMK_BOTH static constexpr int line_of(int four) {
    return along_depth ? four / (kTileDepth / 4) : four % (side / 4) * 4;
  }
  SYMK_BOTH static constexpr int depth_of(int four) {
    return along_depth ? four % (kTileDepth / 4) * 4 : four / (side / 4);
  }
};

/// Begins a thread's copies of one operand.
template <class Operand, int side, int run, int threads>
class Loader {
  static constexpr bool along_depth = Operand::kAlongDepth;
  using Place = Staged<side, along_depth, run>;
  static constexpr int own = Place::fours / threads;
  static constexpr int kept_lines = along_depth ? own : 1;
  static_assert(along_depth || threads % (side / 4) == 0, "copies of a thread share a line");

 public:
  SYMK_HD Loader(const Operand& operand, int first_line, int64_t lines)
      : operand_(operand), first_(first_line), lines_(static_cast<int>(lines) - first_line) {
    SYMK_UNROLLED
    for (int i = 0; i < kept_lines; ++i) kept_[i] = operand.line(first_line + line(i));
  }

  /// The tile of `depth`, of which `depths` are left.
  SYMK_HD void load(float* tile, int depth, int depths) const {
    if (operand_.fours) {
      load_fours(tile, depth, depths);
    } else {
      load_singly(tile, depth, depths);
    }
  }

 private:
  SYMK_HD static int four(int i) { return threadIdx.x + i * threads; }
  SYMK_HD static int line(int i) { return Place::line_of(four(i)); }

  SYMK_HD void load_fours(float* tile, int depth, int depths) const {
    auto deep = operand_.deep(depth + Place::depth_of(four(0)));
    SYMK_UNROLLED
    for (int i = 0; i < own; ++i) {
      const int at_line = line(i), at_depth = Place::depth_of(four(i));
      if (!along_depth && i > 0) deep = operand_.deep(depth + at_depth);
      const int more_lines = lines_ - at_line, more_depths = depths - at_depth;
      const int more = more_lines <= 0 || more_depths <= 0 ? 0
                       : along_depth                       ? more_depths
                                                           : more_lines;
      const float* const from = operand_.at(kept_[along_depth ? i : 0], deep);
      const int given = from == nullptr ? 0 : more < 4 ? more : 4;
      copy_16_bytes(tile + Place::place(at_line, at_depth), given > 0 ? from : operand_.data,
                    4 * given);
    }
  }

  SYMK_HD void load_singly(float* tile, int depth, int depths) const {
    SYMK_ROLLED
    for (int i = 0; i < 4 * own; ++i) {
      const int at_line = line(i / 4) + (along_depth ? 0 : i % 4);
      const int at_depth = Place::depth_of(four(i / 4)) + (along_depth ? i % 4 : 0);
      const float* from = nullptr;
      if (at_line < lines_ && at_depth < depths)
        from = operand_.at(operand_.line(first_ + at_line), operand_.deep(depth + at_depth));
      copy_4_bytes(tile + Place::place(at_line, at_depth), from != nullptr ? from : operand_.data,
                   from != nullptr ? 4 : 0);
    }
  }

  const Operand& operand_;
  const int first_, lines_;  // the first line, and how many there are from it on
  decltype(std::declval<Operand>().line(0)) kept_[kept_lines];
};

/// Neighbours along the depth.
template <int run>
struct alignas(4 * run) Run {
  float x[run];
};

/// Reads what a lane multiplies of the lines of its warp.
template <int side, bool along_depth, int run>
class Reader {
  using Place = Staged<side, along_depth, run>;
  static constexpr int steps = kTileDepth / (4 * run);
  static constexpr int kept = along_depth ? steps : 4;  // after four times eight lines, all repeats

 public:
  /// `first` is a multiple of 32.
  SYMK_HD explicit Reader(int first) {
    const int lane = threadIdx.x % kWarp, line = first + lane / 4, quarter = lane % 4;
    SYMK_UNROLLED
    for (int i = 0; i < kept; ++i) {
      kept_[i] = along_depth ? Place::place(line, (i * 4 + quarter) * run)
                             : Place::place(line + i * 8, quarter * run);
    }
  }

  /// Of line `eight` * 8 + lane / 4, the depths of instruction `step`.
  SYMK_HD Run<run> read(const float* tile, int eight, int step) const {
    if constexpr (along_depth) {
      const float* const place = tile + kept_[step] + eight * 8 * kTileDepth;
      return *reinterpret_cast<const Run<run>*>(place);
    } else {
      const float* const place = tile + kept_[eight % 4] + eight / 4 * 32 + step * 4 * run * side;
      Run<run> made;
      SYMK_UNROLLED
      for (int i = 0; i < run; ++i) made.x[i] = place[i * side];
      return made;
    }
  }

 private:
  int kept_[kept];
};

/// What a lane holds for one instruction.
struct LeftBits {
  uint32_t bits[4];
};
struct RightBits {
  uint32_t bits[2];
};

/// Factors rounded once.
template <Factor factor>
struct RoundedFactors {
  static constexpr int run = factor == Factor::kTf32 ? 2 : 4;
  static constexpr int together = 1;  // instructions along the depth that are added up first
  using Left = LeftBits;
  using Right = RightBits;

  SYMK_HD static LeftBits left(const Run<run>& upper, const Run<run>& lower) {
    return {{bits(upper, 0), bits(lower, 0), bits(upper, 1), bits(lower, 1)}};
  }
  SYMK_HD static RightBits right(const Run<run>& given) {
    return {{bits(given, 0), bits(given, 1)}};
  }

  template <int count>
  SYMK_HD static void add(float (&sums)[count][4], const LeftBits (&left)[1][count],
                          const RightBits (&right)[1]) {
    SYMK_UNROLLED
    for (int m = 0; m < count; ++m) multiply_add<factor>(sums[m], left[0][m].bits, right[0].bits);
  }

 private:
  SYMK_HD static uint32_t bits(const Run<run>& given, int i) {
    if constexpr (factor == Factor::kTf32) {
      return tf32_bits(given.x[i]);
    } else {
      return pair_bits<factor>(given.x[2 * i], given.x[2 * i + 1]);
    }
  }
};

/// Two numbers of TF32 for one of float32.
struct SplitFactors {
  static constexpr int run = 2, together = 2;
  struct Left {
    LeftBits big, small;
  };
  struct Right {
    RightBits big, small;
  };

  SYMK_HD static Left left(const Run<2>& upper, const Run<2>& lower) {
    const Run<2> u = big(upper), l = big(lower);
    return {{{bits(u, 0), bits(l, 0), bits(u, 1), bits(l, 1)}},
            {{rest(upper, u, 0), rest(lower, l, 0), rest(upper, u, 1), rest(lower, l, 1)}}};
  }
  SYMK_HD static Right right(const Run<2>& given) {
    const Run<2> b = big(given);
    return {{{bits(b, 0), bits(b, 1)}}, {{rest(given, b, 0), rest(given, b, 1)}}};
  }

  template <int count>
  SYMK_HD static void add(float (&sums)[count][4], const Left (&left)[together][count],
                          const Right (&right)[together]) {
    float own[count][4] = {};
    SYMK_UNROLLED
    for (int e = 0; e < 3 * together * count; ++e) {
      const int part = e / (together * count), step = e / count % together, m = e % count;
      const Left& l = left[step][m];
      const Right& r = right[step];
      multiply_add<Factor::kTf32>(own[m],
                                  part == 0 ? l.small.bits : l.big.bits,  // small ones first
                                  part == 1 ? r.small.bits : r.big.bits);
    }
    SYMK_UNROLLED
    for (int m = 0; m < count; ++m) {
      SYMK_UNROLLED
      for (int i = 0; i < 4; ++i) sums[m][i] += own[m][i];
    }
  }

 private:
  SYMK_HD static Run<2> big(const Run<2>& given) {
    Run<2> made;
    SYMK_UNROLLED
    for (int i = 0; i < 2; ++i) made.x[i] = math::nearest_tf32(given.x[i]);
    return made;
  }
  SYMK_HD static uint32_t bits(const Run<2>& given, int i) { return math::float_bits(given.x[i]); }
  /// Instructions leave out the bits that TF32 has not. NaN is in the rest in any case.
  SYMK_HD static uint32_t rest(const Run<2>& given, const Run<2>& big, int i) {
    return math::float_bits(given.x[i] - big.x[i]);
  }
};

template <Factor factor>
using FactorsOf =
    std::conditional_t<factor == Factor::kFloat32, SplitFactors, RoundedFactors<factor>>;

template <class Source, Factor factor, class Form>
struct TensorProduct {
  static constexpr int kThreads = Form::threads, kSharedBytes = Form::shared_bytes;
  static constexpr int kBlocksPerProcessor = Form::blocks_per_processor;

  Source source;
  ProductSize size;
  TileGrid grid;
  int64_t piece_depth;

  SYMK_HD void operator()(int64_t block) const {
    if constexpr (kTensorCores) {
      float sums[columns][rows][4] = {};
      add_products(part_of(block), sums);
      finish(part_of(forgotten(block)), sums);
    }
  }

 private:
  using Factors = FactorsOf<factor>;
  using Left = decltype(Source::left);
  using Right = decltype(Source::right);
  static constexpr int rows = Form::warp_rows / 16, columns = Form::warp_columns / 8;
  using Sums = float[columns][rows][4];
  using LeftReader = Reader<Form::side, Left::kAlongDepth, Factors::run>;
  using RightReader = Reader<Form::side, Right::kAlongDepth, Factors::run>;

  /// What a block adds up.
  struct Part {
    Source source;
    int row, column;  // the first ones
    int first, last;  // depths
    int piece;
  };

  SYMK_HD Part part_of(int64_t block) const {
    const TilePlace place = grid.place(block);
    const auto depth = static_cast<int>(size.depth), one = static_cast<int>(piece_depth);
    const int first = place.piece * one, last = depth - first < one ? depth : first + one;
    Part part = {source,     place.row * Form::side, place.column * Form::side, first, last,
                 place.piece};
    part.source.select(place.product);
    return part;
  }

  SYMK_HD void add_products(const Part& part, Sums& sums) const {
    float* const tiles = shared_memory<float>();
    const Loader<Left, Form::side, Factors::run, Form::threads> left(part.source.left, part.row,
                                                                     size.rows);
    const Loader<Right, Form::side, Factors::run, Form::threads> right(part.source.right,
                                                                       part.column, size.columns);
    const int depths = part.last - part.first;
    const int steps = (depths + kTileDepth - 1) / kTileDepth;
    const auto begin = [&](int step) {
      float* const tile = tiles + step % Form::stages * 2 * Form::tile_count;
      const int done = step * kTileDepth;
      if (step < steps) {
        left.load(tile, part.first + done, depths - done);
        right.load(tile + Form::tile_count, part.first + done, depths - done);
      }
      end_copy_group();  // an empty one where there is nothing more
    };
    const LeftReader left_reader(first_row(threadIdx.x));
    const RightReader right_reader(first_column(threadIdx.x));
    SYMK_ROLLED
    for (int step = 0; step < Form::stages - 1; ++step) begin(step);
    SYMK_ROLLED
    for (int step = 0; step < steps; ++step) {
      wait_for_copies<Form::stages - 2>();
      __syncthreads();  // all have this step's tiles, and none reads those of the last one
      begin(step + Form::stages - 1);
      multiply(left_reader, right_reader, tiles + step % Form::stages * 2 * Form::tile_count, sums);
    }
  }

  SYMK_HD static int first_row(int thread) {
    return thread / kWarp / Form::warps_across * Form::warp_rows;
  }
  SYMK_HD static int first_column(int thread) {
    return thread / kWarp % Form::warps_across * Form::warp_columns;
  }

  SYMK_HD static void multiply(const LeftReader& left_reader, const RightReader& right_reader,
                               const float* tiles, Sums& sums) {
    constexpr int together = Factors::together;
    SYMK_UNROLLED
    for (int first = 0; first < kTileDepth / (4 * Factors::run); first += together) {
      typename Factors::Left left[together][rows];
      SYMK_UNROLLED
      for (int i = 0; i < together * rows; ++i) {
        const int step = first + i / rows, m = i % rows;
        left[i / rows][m] = Factors::left(left_reader.read(tiles, 2 * m, step),
                                          left_reader.read(tiles, 2 * m + 1, step));
      }
      SYMK_UNROLLED
      for (int n = 0; n < columns; ++n) {
        typename Factors::Right right[together];
        SYMK_UNROLLED
        for (int i = 0; i < together; ++i)
          right[i] = Factors::right(right_reader.read(tiles + Form::tile_count, n, first + i));
        Factors::add(sums[n], left, right);
      }
    }
  }

  /// Where a result stands in shared memory: runs of eight columns of four rows change places, so
  /// that the lanes that write neighbouring rows find them in 32 banks.
  SYMK_HD static int result_place(int row, int column) {
    return row * Form::side + (column ^ row % 4 * 8);
  }

  /// The sums go through shared memory, so that a warp finishes neighbours.
  SYMK_HD void finish(const Part& part, const Sums& sums) const {
    float* const results = shared_memory<float>();
    static_assert(Form::side * Form::side * 4 <= Form::shared_bytes, "results take the stages");
    __syncthreads();  // all are done with the tiles
    const auto thread = static_cast<int>(forgotten(threadIdx.x)), lane = thread % kWarp;
    SYMK_UNROLLED
    for (int e = 0; e < rows * columns * 4; ++e) {
      const int m = e / 4 % rows, n = e / 4 / rows, i = e % 4;
      results[result_place(first_row(thread) + m * 16 + sum_row(lane, i),
                           first_column(thread) + n * 8 + sum_column(lane, i))] = sums[n][m][i];
    }
    __syncthreads();
    SYMK_ROLLED
    for (int e = threadIdx.x; e < Form::side * Form::side; e += Form::threads) {
      const int row = part.row + e / Form::side;
      const int column = part.column + e % Form::side;
      if (row >= size.rows || column >= size.columns) continue;
      float sum = results[result_place(e / Form::side, e % Form::side)];
      if (factor == Factor::kFloat32 && !(math::abs(sum) < math::Format<float>::infinity))
        sum = added_singly(part, row, column);
      part.source.finish(row, column, sum, part.piece);
    }
  }

  /// Infinity is no sum of two numbers, and the largest numbers round to it: where such are seen, a
  /// result is added up in plain float32.
  SYMK_HD static float added_singly(const Part& part, int row, int column) {
    float sum = 0;
    SYMK_ROLLED
    for (int d = part.first; d < part.last && !math::is_nan(sum); ++d) {
      sum = math::fma(static_cast<float>(element(part.source.left, row, d)),
                      static_cast<float>(element(part.source.right, column, d)), sum);
    }
    return sum;
  }
};

template <Factor factor, class Form, class Source>
void run_tensor_tiles(const Queue& queue, const Source& source, const ProductSize& size,
                      const ProductCut& cut) {
  const TileGrid grid(size, cut, Form::side, Form::side);
  bounded_blocks(queue, grid.count(),
                 TensorProduct<Source, factor, Form>{source, size, grid, cut.piece_depth});
}

// Eight warps to a processor, in one block or two, each with a quarter of its scheduler's
// registers: more of them would have to keep sums elsewhere. A warp's 64 x 64 results need half as
// much from shared memory as four of 32 x 32; split factors leave registers for 64 x 32.
template <Factor factor>
struct Forms {
  using Large = TensorForm<128, 64, 64, 4, 2>;
  using Small = TensorForm<64, 32, 32, 4, 3>;
};
template <>
struct Forms<Factor::kFloat32> {
  using Large = TensorForm<128, 64, 32, 4, 1>;
  using Small = TensorForm<64, 32, 32, 4, 2>;
};

template <Factor factor, class Source>
void run_large_or_small(const Queue& queue, const Source& source, const ProductSize& size,
                        const ProductCut& cut) {
  if (cut.large) {
    run_tensor_tiles<factor, typename Forms<factor>::Large>(queue, source, size, cut);
  } else {
    run_tensor_tiles<factor, typename Forms<factor>::Small>(queue, source, size, cut);
  }
}

template <class Source>
void run_on_tensor_cores(const Queue& queue, const Source& source, const ProductSize& size,
                         const ProductCut& cut) {
  switch (cut.factor) {
    case Factor::kTf32: return run_large_or_small<Factor::kTf32>(queue, source, size, cut);
    case Factor::kBfloat16: return run_large_or_small<Factor::kBfloat16>(queue, source, size, cut);
    case Factor::kFloat16: return run_large_or_small<Factor::kFloat16>(queue, source, size, cut);
    default: return run_large_or_small<Factor::kFloat32>(queue, source, size, cut);
  }
}

}  // namespace symk::cuda
