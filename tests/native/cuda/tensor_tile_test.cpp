// Tensor-core products without a GPU: where lanes hold elements, where tiles stand in shared memory
// and in which banks, which block has which tile; and whole products against double.
#include <cmath>
#include <cstdio>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "cuda/launch.cu"
#include "cuda/product.h"
#include "expect.h"

using namespace symk;
using namespace symk::cuda;
using namespace symk::test;

namespace {

// --- division ---

void check_division() {
  for (int64_t divisor : {1, 2, 3, 5, 7, 8, 9, 112, 641, 65535, 65536, 1000003, 0x7fffffff}) {
    const Divider divider(divisor);
    for (int64_t multiple :
         {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{1000}, 0x7fffffff / divisor}) {
      for (int64_t off : {-1, 0, 1}) {
        const int64_t x = multiple * divisor + off;
        if (x < 0 || x > 0x7fffffff) continue;
        auto rest = static_cast<uint32_t>(x);
        const uint32_t quotient = divider.divide(rest);
        expect(quotient == x / divisor && rest == x % divisor, "quotient", x);
      }
    }
  }
}

// --- lanes ---

/// The tables of PTX: "groupID = lane >> 2, threadID_in_group = lane % 4".
void check_lanes() {
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane >> 2, thread = lane % 4;
    for (int i = 0; i < 4; ++i) {
      const MmaPlace tf32 = left_place<Factor::kTf32>(lane, i, 0);
      expect(tf32.line == (i == 0 || i == 2 ? group : group + 8), "row of A in TF32", lane);
      expect(tf32.depth == (i < 2 ? thread : thread + 4), "column of A in TF32", lane);
      expect(sum_row(lane, i) == (i < 2 ? group : group + 8), "row of C", lane);
      expect(sum_column(lane, i) == thread * 2 + (i & 1), "column of C", lane);
    }
    for (int i = 0; i < 8; ++i) {
      const MmaPlace half = left_place<Factor::kBfloat16>(lane, i / 2, i % 2);
      expect(half.line == (i < 2 || (i >= 4 && i < 6) ? group : group + 8), "row of A", lane);
      expect(half.depth == thread * 2 + (i & 1) + (i < 4 ? 0 : 8), "column of A", lane);
    }
    for (int i = 0; i < 2; ++i) {
      const MmaPlace tf32 = right_place<Factor::kTf32>(lane, i, 0);
      expect(tf32.line == group && tf32.depth == thread + 4 * i, "B in TF32", lane);
    }
    for (int i = 0; i < 4; ++i) {
      const MmaPlace half = right_place<Factor::kFloat16>(lane, i / 2, i % 2);
      expect(half.line == group && half.depth == thread * 2 + (i & 1) + (i < 2 ? 0 : 8), "B", lane);
    }
  }
}

// --- shared memory ---

/// The words that the lanes of a warp read at once: as many lanes as fill the 32 banks.
void check_banks(const std::vector<int>& words, int words_per_lane, const char* what) {
  const int lanes = 32 / words_per_lane;
  for (int first = 0; first < 32; first += lanes) {
    std::set<int> banks;
    for (int lane = first; lane < first + lanes; ++lane) {
      for (int i = 0; i < words_per_lane; ++i) banks.insert((words[lane] + i) % 32);
    }
    expect(banks.size() == 32, what, first);
  }
}

/// The address of what a reader reads is that of the depths of its line.
template <int side, bool along_depth, int run>
void check_tile() {
  using Place = Staged<side, along_depth, run>;
  std::set<int> places;
  for (int line = 0; line < side; ++line) {
    for (int depth = 0; depth < kTileDepth; ++depth) places.insert(Place::place(line, depth));
  }
  expect(places.size() == size_t{side} * kTileDepth && *places.begin() == 0 &&
             *places.rbegin() == side * kTileDepth - 1,
         "each element has a place", side);
  std::vector<float> tile(size_t{side} * kTileDepth);
  for (int line = 0; line < side; ++line) {
    for (int depth = 0; depth < kTileDepth; ++depth)
      tile[static_cast<size_t>(Place::place(line, depth))] =
          static_cast<float>(line * kTileDepth + depth);
  }
  for (int four = 0; four < Place::fours; ++four) {
    const int line = Place::line_of(four), depth = Place::depth_of(four);
    for (int i = 0; i < 4; ++i) {
      expect(Place::place(along_depth ? line : line + i, along_depth ? depth + i : depth) ==
                 Place::place(line, depth) + i,
             "four neighbours stay neighbours", four);
    }
    expect(Place::place(line, depth) % 4 == 0, "four neighbours stand at a multiple of four", four);
  }
  for (int eight = 0; eight < side / 8; ++eight) {
    for (int step = 0; step < kTileDepth / (4 * run); ++step) {
      std::vector<int> words[run];
      for (int lane = 0; lane < 32; ++lane) {
        threadIdx.x = lane;
        const Reader<side, along_depth, run> reader(eight / 4 * 32);
        const Run<run> made = reader.read(tile.data(), eight % 4, step);
        for (int i = 0; i < run; ++i) {
          const int line = eight * 8 + lane / 4, depth = (step * 4 + lane % 4) * run + i;
          expect(made.x[i] == static_cast<float>(line * kTileDepth + depth), "what is read", lane);
          words[i].push_back(Place::place(line, depth));
        }
      }
      if (along_depth) {
        check_banks(words[0], run, "banks of lines");
      } else {
        for (int i = 0; i < run; ++i) check_banks(words[i], 1, "banks of depths");
      }
    }
  }
}

// --- blocks ---

void check_grid(int64_t rows, int64_t columns, int64_t pieces, int64_t products) {
  ProductCut cut;
  cut.pieces = pieces;
  cut.products = products;
  const TileGrid grid({rows * 64, columns * 64 - 63, 1}, cut, 64, 64);
  expect(grid.count() == rows * columns * pieces * products, "blocks", grid.count());
  std::set<std::tuple<int, int, int, int>> places;
  for (int64_t block = 0; block < grid.count(); ++block) {
    const TilePlace p = grid.place(block);
    places.insert({p.row, p.column, p.piece, p.product});
    expect(p.row < rows && p.column < columns && p.piece < pieces && p.product < products,
           "a block's tile", block);
  }
  expect(static_cast<int64_t>(places.size()) == grid.count(), "each tile has a block", rows);
}

// --- products ---

struct Plain {
  Matrix<float, true> left;
  Matrix<float, false> right;
  int64_t columns;
  float* c;
  void select(int64_t) {}
  void finish(int64_t row, int64_t column, float sum, int64_t) const {
    c[row * columns + column] = sum;
  }
};

enum class Numbers { kNormal, kPositive, kWide };

std::vector<float> drawn(int64_t count, Numbers numbers, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> exponent(-12, 12);
  std::vector<float> made(static_cast<size_t>(count));
  for (float& x : made) {
    x = normal(generator);
    if (numbers == Numbers::kPositive) x = std::fabs(x);
    if (numbers == Numbers::kWide) x = std::ldexp(x, exponent(generator));
  }
  return made;
}

/// The largest error over the sum of absolute products, in units of 2^-24; infinite where a result
/// is not finite.
double largest_error(const std::vector<float>& a, const std::vector<float>& b,
                     const std::vector<float>& c, int64_t m, int64_t n, int64_t k) {
  double largest = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int64_t d = 0; d < k; ++d) {
        const double product =
            double{a[static_cast<size_t>(i * k + d)]} * b[static_cast<size_t>(d * n + j)];
        sum += product;
        size += std::fabs(product);
      }
      const double error = std::fabs(c[static_cast<size_t>(i * n + j)] - sum) / size;
      if (!std::isfinite(error)) return INFINITY;
      largest = std::fmax(largest, error);
    }
  }
  return std::ldexp(largest, 24);
}

/// A kernel that writes NaN is not taken for a good one.
void check_measure() {
  const std::vector<float> ones(4, 1.0f), made = {2.0f, 2.0f, NAN, 2.0f};
  expect(std::isinf(largest_error(ones, ones, made, 2, 2, 2)), "the error of NaN", 0);
}

/// Split factors are inside of their bound, and from deep sums on no worse than plain float32.
void check_product(int64_t k, Numbers numbers) {
  const int64_t m = 64, n = 64;
  const std::vector<float> a = drawn(m * k, numbers, 1), b = drawn(k * n, numbers, 2);
  std::vector<float> split(m * n), plain(m * n);
  const ProductSize size = {m, n, k};
  const ProductCut cut = ProductCut::whole(size, 1, Factor::kFloat32);
  const Queue queue;
  const auto source = [&](std::vector<float>& c) {
    return Plain{Matrix<float, true>::of(a.data(), k), Matrix<float, false>::of(b.data(), n), n,
                 c.data()};
  };
  run_on_tensor_cores(queue, source(split), size, cut);
  run_tiles<SmallTile, Plain, float>(queue, source(plain), size, cut);
  const double error = largest_error(a, b, split, m, n, k);
  const double of_plain = largest_error(a, b, plain, m, n, k);
  std::printf("depth %5lld, numbers %d: split %.2f u, plain %.2f u\n", static_cast<long long>(k),
              static_cast<int>(numbers), error, of_plain);
  expect(error <= 53 + static_cast<double>(k) / 16, "the bound of split factors", k);
  if (k >= 512) expect(error <= of_plain, "split factors beside plain float32", k);
}

/// TF32 is exact where numbers have few bits: whole products, in every place of the tiles.
template <Factor factor>
void check_exact(int64_t m, int64_t n, int64_t k, bool large) {
  std::mt19937 generator(3);
  std::uniform_int_distribution<int> number(-8, 8);
  std::vector<float> a(m * k), b(k * n), c(m * n, -1);
  for (float& x : a) x = static_cast<float>(number(generator));
  for (float& x : b) x = static_cast<float>(number(generator));
  const ProductSize size = {m, n, k};
  ProductCut cut = ProductCut::whole(size, 1, factor);
  cut.large = large;
  run_on_tensor_cores(Queue(),
                      Plain{Matrix<float, true>::of(a.data(), k),
                            Matrix<float, false>::of(b.data(), n), n, c.data()},
                      size, cut);
  expect(largest_error(a, b, c, m, n, k) == 0, "a product of whole numbers", m * n);
}

}  // namespace

int main() {
  check_measure();
  check_division();
  check_lanes();
  check_tile<64, true, 2>();
  check_tile<64, true, 4>();
  check_tile<64, false, 2>();
  check_tile<64, false, 4>();
  check_tile<128, true, 2>();
  check_tile<128, true, 4>();
  check_tile<128, false, 2>();
  check_tile<128, false, 4>();
  for (int64_t rows : {1, 7, 8, 9, 21}) {
    for (int64_t columns : {1, 2, 13}) check_grid(rows, columns, 1 + rows % 3, 1 + columns % 2);
  }
  for (int64_t k : {16, 17, 56, 512, 2048}) {
    for (Numbers numbers : {Numbers::kNormal, Numbers::kPositive, Numbers::kWide})
      check_product(k, numbers);
  }
  for (int64_t side : {16, 63, 64, 65, 127, 128, 129}) {
    for (bool large : {false, true}) {
      check_exact<Factor::kFloat32>(side, 200 - side, 35, large);
      check_exact<Factor::kTf32>(200 - side, side, 33, large);
      check_exact<Factor::kBfloat16>(side, 68, side, large);
      check_exact<Factor::kFloat16>(72, side, 48, large);
    }
  }
  return report("tensor tiles");
}
