// Matrix products from register tiles: blocks of A are packed to stay in L2 while panels of B pass
// through L1. Matrix times vector has loops of its own, bound by memory.
#include "cpu/matmul.h"

#include "cpu/tile.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

constexpr int64_t kBlockDepth = 512;  // of panels of B that are packed for all: fewer visits to C
constexpr int64_t kOwnDepth = 256;    // of those that a job packs: a panel of 32 KB stays in L1
template <class T>
constexpr int64_t kBlockRows = 64 / static_cast<int64_t>(sizeof(T)) * kTileRows;  // 448 KB: in L2
constexpr int64_t kBlockPanels = 8;  // panels packed at once by a job: 256 KB of float
template <class T>
constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));  // elements of a line of the cache

constexpr int kRowsAtOnce = 4;    // rows of a matrix that are added up together
constexpr int kDepthsAtOnce = 4;  // sums of each column where a single row is multiplied

/// Which part of the product is being added: rows [i, i + rows), columns [j, j + columns), depths
/// [d, d + depth).
struct Block {
  int64_t i, rows, j, columns, d, depth;
};

/// Where a panel of B lies, from which stride between its rows.
template <class T>
struct Panel {
  const T* start;
  int64_t step;
};

template <class T>
bool read_in_place(const MatmulJob<T>& job, int64_t columns) {
  return job.m <= kTileRows && job.b_column == 1 && columns == kTileColumns<T>;
}

template <class T>
void pack_block_a(const MatmulJob<T>& job, const Block& block) {
  const T* a = job.a + block.i * job.a_row + block.d * job.a_column;
  for (int64_t i = 0; i < block.rows; i += kTileRows) {
    const int count = static_cast<int>(smaller(kTileRows, block.rows - i));
    pack_rows(a + i * job.a_row, job.a_row, job.a_column, count, block.depth,
              job.packed_a + i * block.depth);
  }
}

template <class T>
void pack_block_b(const MatmulJob<T>& job, const Block& block) {
  constexpr int64_t columns = kTileColumns<T>;
  const int64_t in_place = read_in_place(job, columns) ? block.columns / columns * columns : 0;
  const T* b = job.b + block.d * job.b_row + (block.j + in_place) * job.b_column;
  pack_columns(b, job.b_row, job.b_column, block.depth, block.columns - in_place,
               job.packed_b + in_place * block.depth, columns * block.depth);
}

template <class T>
Panel<T> panel_at(const MatmulJob<T>& job, const Block& block, int64_t j, int64_t valid) {
  constexpr int64_t columns = kTileColumns<T>;
  if (job.panels) return {job.panels + j / columns * job.panel_step + block.d * columns, columns};
  if (read_in_place(job, valid)) return {job.b + block.d * job.b_row + j, job.b_row};
  return {job.packed_b + (j - block.j) * block.depth, columns};
}

/// Rows of the tiles of a job, but for the last ones of a block.
template <class T>
int64_t rows_of_tiles(const MatmulJob<T>& job) {
  return job.packed_a ? kTileRows : most_rows<T>(job.a_row);
}

/// Rows of the next tile of a block of which `left` rows are left. Two tiles share what is not
/// enough for both, so that neither has few sums; packed rows are those of one tile, and where tiles
/// are made of pieces, the largest pieces are best.
template <class T>
int64_t rows_of_next(const MatmulJob<T>& job, int64_t left, int64_t most) {
  const bool in_pieces = sizeof(T) != 4 || job.pairs;
  const bool share = left > most && left < 2 * most && !job.packed_a && !in_pieces;
  return share ? (left + 1) / 2 : smaller(left, most);
}

/// What a tile of a transposed A fetches: the rows below its own.
template <class T>
Fetch<T> rows_below(const MatmulJob<T>& job, const Block& block, int64_t i, const T* a) {
  if (job.packed_a || job.a_row != 1 || i + kTileRows >= block.rows) return {};
  return {a + kTileRows, job.a_column};
}

/// What tile number `number` of a block fetches of B that is packed next: a column of its lines.
template <class T>
Fetch<T> lines_of_next_block(const MatmulJob<T>& job, const Block& block, int64_t number) {
  const int64_t column = number * kLine<T>;
  const int64_t d = block.d + block.depth;
  if (job.b_column != 1 || d >= job.k || column >= block.columns) return {};
  return {job.b + d * job.b_row + block.j + column, job.b_row};
}

/// The packed panel that is read behind the one at column j, or null.
template <class T>
const T* panel_behind(const MatmulJob<T>& job, const Block& block, int64_t j) {
  constexpr int64_t columns = kTileColumns<T>;
  if (j + columns < block.j + block.columns)
    return job.panels + (j / columns + 1) * job.panel_step + block.d * columns;
  const int64_t d = block.d + block.depth;
  return d < job.k ? job.panels + d * columns : job.next_panels;
}

/// The same of B that is read where it lies.
template <class T>
const T* columns_behind(const MatmulJob<T>& job, const Block& block, int64_t j) {
  const int64_t next = j + kTileColumns<T>, d = block.d + block.depth;
  if (next < block.j + block.columns) return job.b + block.d * job.b_row + next;
  return d < job.k ? job.b + d * job.b_row + block.j : nullptr;
}

/// What a tile at row i and column j fetches. B that is read in place has one tile at each column,
/// which fetches both lines of each row.
template <class T>
void set_fetches(Tile<T>& tile, const MatmulJob<T>& job, const Block& block, int64_t i, int64_t j,
                 int64_t number) {
  tile.next_a = rows_below(job, block, i, tile.a);
  if (job.panels) {
    const int64_t most = rows_of_tiles(job), tiles = (block.rows + most - 1) / most;
    const int64_t place = (i + most - 1) / most;
    const T* const next = panel_behind(job, block, j);
    tile.next_b = next ? share_of_panel(next, place, tiles, block.depth) : Fetch<T>();
  } else if (block.d + block.depth == job.k && j + tile.columns == block.j + block.columns) {
    tile.next_b = Fetch<T>();
  } else if (read_in_place(job, tile.columns)) {
    const T* const next = columns_behind(job, block, j);
    tile.next_a = next ? Fetch<T>{next, job.b_row} : Fetch<T>();
    tile.next_b = next ? Fetch<T>{next + kLine<T>, job.b_row} : Fetch<T>();
  } else {
    tile.next_b = lines_of_next_block(job, block, number);
  }
}

/// The tiles of a block: a panel of B is used by all its rows before the next one is touched.
template <class T>
void compute_block(const MatmulJob<T>& job, const Block& block) {
  constexpr int64_t columns = kTileColumns<T>;
  const int64_t start = 0;
  const bool last = block.d + block.depth == job.k;
  const T* a = job.packed_a ? job.packed_a : job.a + block.i * job.a_row + block.d * job.a_column;
  const int64_t a_row = job.packed_a ? block.depth : job.a_row;
  const int64_t most = rows_of_tiles(job);
  Tile<T> tile;
  tile.taps = &start;
  tile.tap_count = 1;
  tile.depth = block.depth;
  tile.a_row = job.packed_a ? 1 : job.a_row;
  tile.a_depth = job.packed_a ? kTileRows : job.a_column;
  tile.c_row = job.c_row;
  tile.accumulate = block.d > 0 || job.accumulate;
  tile.pairs = job.pairs;
  int64_t number = 0;
  for (int64_t j = block.j; j < block.j + block.columns; j += columns) {
    const int64_t valid = smaller(columns, job.n - j);
    const Panel<T> panel = panel_at(job, block, j, valid);
    tile.b = panel.start;
    tile.b_step = panel.step;
    tile.columns = static_cast<int>(valid);
    tile.a = a;
    tile.c = job.c + block.i * job.c_row + j;
    for (int64_t i = 0, rows; i < block.rows;
         i += rows, tile.a += rows * a_row, tile.c += rows * job.c_row) {
      rows = rows_of_next(job, block.rows - i, most);
      set_fetches(tile, job, block, i, j, number++);
      if (last) tile.epilogue = job.epilogue.at(j, tile.c - job.c);
      compute_tile(tile, static_cast<int>(rows));
    }
  }
}

/// Blocks of equal depths, the smallest number of them that are at most `most`.
int64_t even_depth(int64_t k, int64_t most) {
  const int64_t blocks = (k + most - 1) / most;
  return blocks == 0 ? most : (k + blocks - 1) / blocks;
}

template <class T>
void run(const MatmulJob<T>& job) {
  const int64_t block_columns = job.panels ? job.n : kBlockPanels * kTileColumns<T>;
  const int64_t depth = even_depth(job.k, job.panels ? kBlockDepth : kOwnDepth);
  Block block;
  for (block.j = 0; block.j < job.n; block.j += block_columns) {
    block.columns = smaller(block_columns, job.n - block.j);
    block.d = 0;
    do {
      block.depth = smaller(depth, job.k - block.d);
      if (!job.panels) pack_block_b(job, block);
      for (block.i = 0; block.i < job.m; block.i += kBlockRows<T>) {
        block.rows = smaller(kBlockRows<T>, job.m - block.i);
        if (job.packed_a) pack_block_a(job, block);
        compute_block(job, block);
      }
      block.d += block.depth;
    } while (block.d < job.k);
  }
}

void run_pairs(const MatmulJob<float>& job) {
  MatmulJob<float> of_pairs = job;
  of_pairs.pairs = true;
  run(of_pairs);
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

/// Some rows at a time, so that y is loaded and stored once for several multiplications.
template <class T>
void add_rows(const T* x, int64_t row, const T* v, T* y, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  constexpr int64_t width = V::width;
  for (int64_t j = 0; j < columns; ++j) y[j] = T(0);
  int64_t i = 0;
  for (; i + kRowsAtOnce <= rows; i += kRowsAtOnce) {
    const T* p = x + i * row;
    V factor[kRowsAtOnce];
#pragma GCC unroll 8
    for (int q = 0; q < kRowsAtOnce; ++q) factor[q] = V(v[i + q]);
    for (int64_t j = 0; j + width <= columns; j += width) {
      V sum = V::load(y + j);
#pragma GCC unroll 8
      for (int q = 0; q < kRowsAtOnce; ++q) sum = fma(factor[q], V::load(p + q * row + j), sum);
      sum.store(y + j);
    }
  }
  const int64_t whole_columns = columns / width * width;
  for (; i < rows; ++i) {
    const V factor(v[i]);
    for (int64_t j = 0; j < whole_columns; j += width) {
      fma(factor, V::load(x + i * row + j), V::load(y + j)).store(y + j);
    }
  }
  const int lanes = static_cast<int>(columns - whole_columns);
  if (lanes == 0) return;
  V sum = V::zero();
  for (i = 0; i < rows; ++i)
    sum = fma(V(v[i]), V::load_partial(x + i * row + whole_columns, lanes), sum);
  sum.store_partial(y + whole_columns, lanes);
}

/// A panel at a time, as they lie, since only one stream is read as fast as the second cache can;
/// kDepthsAtOnce sums of each column hide the time of an addition.
template <class T>
void multiply_row(const T* x, int64_t k, const T* panels, int64_t panel_step, const T* start, T* y,
                  int64_t n) {
  using V = Vec<T>;
  constexpr int64_t columns = kTileColumns<T>;
  for (int64_t j = 0; j < n; j += columns, panels += panel_step) {
    V sum[kDepthsAtOnce][kTileVectors];
#pragma GCC unroll 4
    for (auto& row : sum) {
#pragma GCC unroll 2
      for (V& some : row) some = V::zero();
    }
    const T* b = panels;
    const auto add = [&](const T* factors, int count) __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int q = 0; q < count; ++q, b += columns) {
#pragma GCC unroll 2
        for (int p = 0; p < kTileVectors; ++p)
          sum[q][p] = fma(V(factors[q]), V::load(b + p * V::width), sum[q][p]);
      }
    };
    int64_t d = 0;
    for (; d + kDepthsAtOnce <= k; d += kDepthsAtOnce) add(x + d, kDepthsAtOnce);
    for (; d < k; ++d) add(x + d, 1);
    for (int p = 0; p < kTileVectors && j + p * V::width < n; ++p) {
      const int64_t first = j + p * V::width;
      const int lanes = static_cast<int>(smaller(V::width, n - first));
      V total = (sum[0][p] + sum[1][p]) + (sum[2][p] + sum[3][p]);
      if (start) total += V::load_partial(start + first, lanes);
      total.store_partial(y + first, lanes);
    }
  }
}

template <class T>
constexpr MatmulFunctions<T> functions() {
  MatmulFunctions<T> functions{};
  functions.tile_rows = kTileRows;
  functions.tile_columns = kTileColumns<T>;
  functions.packed_a_count = kBlockRows<T> * kBlockDepth;
  functions.packed_b_count = kBlockPanels * kTileColumns<T> * kOwnDepth;
  functions.pack = &pack_columns<T>;
  functions.run = &run<T>;
  functions.dot_rows = &dot_rows<T>;
  functions.add_rows = &add_rows<T>;
  functions.multiply_row = &multiply_row<T>;
  return functions;
}

constexpr MatmulFunctions<float> functions_of_pairs() {
  MatmulFunctions<float> of_pairs = functions<float>();
  of_pairs.run = &run_pairs;
  of_pairs.dot_rows = nullptr;
  of_pairs.add_rows = nullptr;
  of_pairs.multiply_row = nullptr;
  return of_pairs;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const MatmulKernels& MatmulKernels::of<Isa::SYMK_ISA>() {
  static constexpr MatmulKernels table = {
      SYMK_ISA::functions<float>(), SYMK_ISA::functions<double>(), SYMK_ISA::functions_of_pairs()};
  return table;
}

}  // namespace symk::cpu
