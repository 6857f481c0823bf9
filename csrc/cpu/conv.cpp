// Convolutions from register tiles that gather over taps.
#include "cpu/conv.h"

#include "cpu/tile.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// What the next tile reads of A, where that lies in one piece or in one column of pixels.
template <class T>
Fetch<T> next_rows(const TapJob<T>& job, const T* a, int64_t rows) {
  if (job.tap_count > 1) return {};
  if (job.a_row == job.depth) return {a + rows * job.a_row, rows};
  if (job.a_row == 1) return {a + 2 * rows - 1, job.a_depth};
  return {};
}

/// A panel of B is used by all rows of all blocks before the next one is touched, of which each of
/// its tiles fetches a share. The tiles of the first panel are the first to see A, and fetch what
/// the next one does.
template <class T>
void run(const TapJob<T>& job) {
  constexpr int64_t columns = kTileColumns<T>;
  const int64_t rows = most_rows<T>(job.a_row), depths = job.tap_count * job.depth;
  const int64_t tiles = job.blocks * ((job.m + rows - 1) / rows);
  Tile<T> tile;
  tile.a_row = job.a_row;
  tile.a_depth = job.a_depth;
  tile.taps = job.taps;
  tile.tap_count = job.tap_count;
  tile.depth = job.depth;
  tile.b_step = columns;
  tile.c_row = job.c_row;
  tile.accumulate = job.accumulate;
  tile.pairs = job.pairs;
  for (int64_t j = 0; j < job.n; j += columns) {
    const T* const panel = tile.b = job.b + j / columns * job.panel_step;
    tile.columns = static_cast<int>(smaller(columns, job.n - j));
    const T* const next_panel = panel + job.panel_step;
    int64_t number = 0;
    for (int64_t block = 0; block < job.blocks; ++block) {
      if (job.ranges) {
        const SomeTaps range = job.ranges[block];
        tile.taps = job.taps + range.first;
        tile.tap_count = range.count;
        tile.b = panel + range.first * job.depth * columns;
      }
      for (int64_t i = 0; i < job.m; i += rows, ++number) {
        tile.a = job.a + block * job.a_block + i * job.a_row;
        tile.c = job.c + block * job.c_block + i * job.c_row + j;
        tile.epilogue = job.epilogue.at(j, tile.c - job.c);
        if (j == 0) tile.next_a = next_rows(job, tile.a, rows);
        if (next_panel < job.b_end) tile.next_b = share_of_panel(next_panel, number, tiles, depths);
        compute_tile(tile, static_cast<int>(smaller(rows, job.m - i)));
      }
    }
    tile.next_a = tile.next_b = Fetch<T>();
  }
}

void run_pairs(const TapJob<float>& job) {
  TapJob<float> of_pairs = job;
  of_pairs.pairs = true;
  run(of_pairs);
}

/// All pieces of a pixel before the next one: places of neighbours overlap, those of pieces do not.
template <class T>
void scatter(const ScatterJob<T>& job, T* to) {
  constexpr int64_t width = Vec<T>::width;
  const int64_t whole = job.piece / width * width;
  const int lanes = static_cast<int>(job.piece - whole);
  const T* products = job.products;
  for (int64_t t = 0; t < job.count; ++t, products += job.pixel, to += job.step) {
    for (int64_t i = 0; i < job.pieces; ++i) {
      const T* const from = products + job.piece_list[i].from;
      T* const place = to + job.piece_list[i].to;
      for (int64_t j = 0; j < whole; j += width)
        (Vec<T>::load(place + j) + Vec<T>::load(from + j)).store(place + j);
      if (lanes == 0) continue;
      const Vec<T> sum =
          Vec<T>::load_partial(place + whole, lanes) + Vec<T>::load_partial(from + whole, lanes);
      sum.store_partial(place + whole, lanes);
    }
  }
}

template <class T>
constexpr ConvFunctions<T> functions() {
  return {kTileRows, kTileColumns<T>, &pack_columns<T>, &run<T>, &scatter<T>};
}

constexpr ConvFunctions<float> functions_of_pairs() {
  return {kTileRows, kTileColumns<float>, &pack_columns<float>, &run_pairs, &scatter<float>};
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const ConvKernels& ConvKernels::of<Isa::SYMK_ISA>() {
  static constexpr ConvKernels table = {SYMK_ISA::functions<float>(), SYMK_ISA::functions<double>(),
                                        SYMK_ISA::functions_of_pairs()};
  return table;
}

}  // namespace symk::cpu
