// Products by warp groups without a GPU: descriptors and fragments by the figures of the PTX ISA,
// boxes and barriers by what it says of them, how operands are packed and products cut; and whole
// products, exact or against double. The stand-in for the hardware is tried as well: it must find
// out what a kernel gets wrong.
#include <cmath>
#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cuda/launch.cu"
#include "cuda/sm_90a/warpgroup_product.cu"
#include "run_block.h"

using namespace symk;
using namespace symk::cuda;
using namespace symk::test;

namespace {

// --- layouts ---

void check_descriptors() {
  for (uint32_t address : {0u, 1024u, 5u * 1024, 227u * 1024}) {
    const uint64_t made = box_descriptor(address);
    expect((made & 0x3fff) == address / 16, "address of a descriptor", address);
    expect((made >> 32 & 0x3fff) == 1024 / 16, "stride of a descriptor", address);
    expect(made >> 62 == 1 && (made >> 49 & 7) == 0 && (made >> 46 & 7) == 0 &&
               (made >> 52 & 0x3ff) == 0,
           "mode of a descriptor", address);
    for (int i = 0; i < 4; ++i)
      expect(at_product(made, i) == box_descriptor(address) + static_cast<uint64_t>(2 * i),
             "depths of a descriptor", i);
  }
}

/// The figure of D of wgmma.mma_async.m64nNk16: threads 0 to 3 have row 0, columns 0 1, 2 3, 4 5,
/// 6 7; d2 and d3 stand eight rows below, d4 eight columns on, and each warp has 16 rows.
void check_fragments() {
  expect(group_row(0, 0) == 0 && group_column(0, 0) == 0 && group_column(0, 1) == 1, "d0, d1", 0);
  expect(group_row(0, 2) == 8 && group_row(0, 3) == 8 && group_column(0, 2) == 0, "d2, d3", 0);
  expect(group_row(0, 4) == 0 && group_column(0, 4) == 8, "d4", 0);
  expect(group_row(1, 0) == 0 && group_column(1, 0) == 2, "thread 1", 0);
  expect(group_row(4, 0) == 1 && group_row(31, 0) == 7 && group_column(31, 1) == 7, "lanes", 0);
  expect(group_row(32, 0) == 16 && group_row(127, 2) == 63, "warps", 0);
  std::set<int> places;
  for (int thread = 0; thread < kWarpGroup; ++thread) {
    for (int i = 0; i < 128; ++i)
      places.insert(group_row(thread, i) * 256 + group_column(thread, i));
  }
  expect(places.size() == 64 * 256 && *places.rbegin() == 64 * 256 - 1, "each sum has a place", 0);
}

/// Eight lines of a box have each run of 16 bytes in all banks, and keep all bytes.
void check_swizzling() {
  std::set<uint32_t> places;
  for (uint32_t address = 0; address < 1024; ++address) places.insert(swizzled(address));
  expect(places.size() == 1024 && *places.rbegin() == 1023, "bytes of eight lines", 0);
  for (uint32_t run = 0; run < 8; ++run) {
    std::set<uint32_t> banks;
    for (uint32_t line = 0; line < 8; ++line) {
      for (uint32_t word = 0; word < 4; ++word)
        banks.insert(swizzled(line * 128 + run * 16 + word * 4) / 4 % 32);
    }
    expect(banks.size() == 32, "banks of a run", run);
  }
  expect(swizzled(0x80) == 0x90 && swizzled(0x3f0) == 0x380 && swizzled(0x410) == 0x410,
         "the pattern of 128 bytes", 0);
}

void check_ring() {
  RingPlace<3> place;
  for (int turn = 0; turn < 10; ++turn) {
    expect(place.stage() == turn % 3, "stage of a ring", turn);
    expect(place.when_full() == static_cast<uint32_t>(turn / 3 % 2), "parity when full", turn);
    expect(place.when_empty() == static_cast<uint32_t>(1 - turn / 3 % 2), "parity when empty",
           turn);
    place.advance();
  }
}

// --- barriers and copies ---

void check_barriers() {
  const std::string said = failure_of(1, 64, [] {
    Barrier* const barrier = shared_memory<Barrier>();
    make_barrier(barrier, 2);
    expect(host::has_ended(*barrier, 1) && !host::has_ended(*barrier, 0), "a fresh barrier", 0);
    arrive(barrier);
    arrive_with_bytes(barrier, 100);
    expect(!host::has_ended(*barrier, 0), "a phase that awaits bytes", 0);
    host::arrive(barrier, -1);
  });
  expect(said.find("more arrivals") != std::string::npos, "an arrival too many", 0);
  expect(failure_of(2, 64,
                    [] {
                      Barrier* const barrier = shared_memory<Barrier>();
                      if (threadIdx.x == 0) make_barrier(barrier, 2);
                      __syncthreads();
                      for (uint32_t phase = 0; phase < 4; ++phase) {
                        arrive(barrier);
                        wait_for_phase(barrier, phase % 2);
                      }
                    })
             .empty(),
         "phases one after the other", 0);
  expect(failure_of(
             1, 64,
             [] {
               make_barrier(shared_memory<Barrier>(), 1);
               wait_for_phase(shared_memory<Barrier>(), 0);
             }).find("wait for each other") != std::string::npos,
         "a wait for nobody", 0);
}

/// The numbers of a box, whatever part of it lies outside of the array; and nobody reads them
/// early.
void check_boxes() {
  std::vector<uint32_t> numbers(3 * 7 * 40);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint32_t>(i + 1);
  std::vector<uint32_t> aligned(numbers.size() + 4);
  uint32_t* data = aligned.data();
  while (reinterpret_cast<uintptr_t>(data) % 16 != 0) ++data;
  std::memcpy(data, numbers.data(), numbers.size() * 4);
  BoxArray array = {data, BoxElement::kBits32, 38, 7, 3, 160, 7 * 160};
  const TensorMap map = make_tensor_map(array, 8);
  int early = 0;
  for (int round = 0; round < 4; ++round) {
    for (int first : {-3, 0, 16, 32}) {
      const std::string said = failure_of(1, 4096, [&] {
        char* const box = first_box();
        auto* const barrier = reinterpret_cast<Barrier*>(box + 1024);
        make_barrier(barrier, 1);
        arrive_with_bytes(barrier, 8 * kBoxLineBytes);
        copy_box(box, map, first, 2, 1, barrier);
        early += host::has_ended(*barrier, 0);
        wait_for_phase(barrier, 0);
        const uint64_t descriptor = box_descriptor(shared_address(box));
        for (int line = 0; line < 8; ++line) {
          for (int d = 0; d < 32; ++d) {
            const bool inside = line + 2 < 7 && first + d >= 0 && first + d < 38;
            const int at = (7 + line + 2) * 40 + first + d;
            expect(host::described_word(descriptor, line, d * 4) ==
                       (inside ? numbers[static_cast<size_t>(at)] : 0),
                   "a number of a box", line);
          }
        }
      });
      expect(said.empty(), said.c_str(), first);
    }
  }
  expect(early == 8, "copies that are done at once, of sixteen", early);
  expect(failure_of(
             1, 4096,
             [&] {
               auto* const barrier = shared_memory<Barrier>();
               make_barrier(barrier, 1);
               copy_box(shared_memory<char>() + 16, map, 0, 0, 0, barrier);
             }).find("1024") != std::string::npos,
         "a box at another place", 0);
  array.line_step = 152;
  bool refused = false;
  try {
    make_tensor_map(array, 8);
  } catch (const Error&) {
    refused = true;
  }
  expect(refused, "a step of no multiple of 16 bytes", 0);
}

void check_rounded_boxes() {
  alignas(16) const float numbers[4] = {1 + 0x1p-11f, 1 + 3 * 0x1p-11f, INFINITY, NAN};
  const TensorMap map = make_tensor_map({numbers, BoxElement::kRounded, 4, 1, 1, 16, 16}, 1);
  failure_of(1, 4096, [&] {
    char* const box = first_box();
    auto* const barrier = reinterpret_cast<Barrier*>(box + 1024);
    make_barrier(barrier, 1);
    arrive_with_bytes(barrier, kBoxLineBytes);
    copy_box(box, map, 0, 0, 0, barrier);
    wait_for_phase(barrier, 0);
    const auto number = [&](int i) {
      return math::float_of(host::described_word(box_descriptor(shared_address(box)), 0, 4 * i));
    };
    expect(number(0) == 1 && number(1) == 1 + 0x1p-9f, "halves go to even", 0);
    expect(std::isinf(number(2)) && std::isnan(number(3)), "infinity and NaN stay", 0);
  });
}

// --- what a kernel may get wrong ---

/// A group multiplies a box of ones by itself; `skip` leaves out one thing that it must do.
enum class Skip { kNothing, kWaitForBox, kWaitForProducts };
float product_of_ones(Skip skip) {
  std::vector<float> ones(64 * 32 + 4, 1.0f);
  float* data = ones.data();
  while (reinterpret_cast<uintptr_t>(data) % 16 != 0) ++data;
  const TensorMap map = make_tensor_map({data, BoxElement::kBits32, 32, 64, 1, 128, 8192}, 128);
  float found = 0;
  failure_of(kWarpGroup, 24 * 1024, [&] {
    char* const box = first_box();
    auto* const barrier = reinterpret_cast<Barrier*>(box + 16 * 1024);
    if (threadIdx.x == 0) {
      make_barrier(barrier, 1);
      arrive_with_bytes(barrier, 16 * 1024);
      copy_box(box, map, 0, 0, 0, barrier);
    }
    __syncthreads();
    if (skip != Skip::kWaitForBox) wait_for_phase(barrier, 0);
    float sums[64] = {};
    const uint64_t descriptor = box_descriptor(shared_address(box));
    begin_products(sums);
    for (int i = 0; i < 4; ++i)
      begin_product<Factor::kTf32>(sums, at_product(descriptor, i), at_product(descriptor, i),
                                   true);
    end_product_group();
    if (skip != Skip::kWaitForProducts) wait_for_products<0>(sums);
    if (threadIdx.x == 5) found = sums[7];
    wait_for_phase(barrier, 0);
    wait_for_products<0>(sums);
  });
  return found;
}

/// One of four blocks has both copies and products late, one neither.
void check_mistakes() {
  int right[3] = {};
  for (int round = 0; round < 4; ++round) {
    for (Skip skip : {Skip::kNothing, Skip::kWaitForBox, Skip::kWaitForProducts})
      right[static_cast<int>(skip)] += product_of_ones(skip) == 32;
  }
  expect(right[0] == 4, "a kernel that waits", right[0]);
  expect(right[1] > 0 && right[1] < 4, "one that does not wait for its box", right[1]);
  expect(right[2] > 0 && right[2] < 4, "one that does not wait for its products", right[2]);
}

// --- cutting ---

void check_cut(int64_t m, int64_t n, int64_t k, int64_t products) {
  for (Factor factor : {Factor::kFloat32, Factor::kBfloat16}) {
    const ProductCut cut = cut_for_warp_groups({m, n, k}, products, factor);
    expect(cut.pieces == 1 || cut.piece_depth % 64 == 0, "pieces begin at a stage", k);
    expect((cut.pieces - 1) * cut.piece_depth < k && cut.pieces * cut.piece_depth >= k,
           "pieces are all of the depth", k);
    expect(!(cut.large && factor == Factor::kFloat32), "tiles of float32", n);
    const int64_t tiles =
        products * ((m + 127) / 128) * ((n + (cut.large ? 255 : 127)) / (cut.large ? 256 : 128));
    expect(!cut.large || tiles >= 128, "wide tiles fill the device", tiles);
    expect(!cut.large || n % 256 == 0 || n % 256 > 128 || n > 1024, "wide tiles are filled", n);
    expect(cut.pieces == 1 || tiles * cut.pieces <= 128, "pieces fill the device once", tiles);
  }
}

// --- products ---

struct Made {
  cpu::MatmulProblem problem;
  std::vector<float> a, b;
};

/// Operands of a batch, transposed or not; `shares_right`: all products have one B.
Made operands(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b, int64_t products,
              bool shares_right) {
  Made made;
  cpu::MatmulProblem& p = made.problem;
  p.m = m, p.n = n, p.k = k;
  p.a_row = transpose_a ? 1 : k, p.a_column = transpose_a ? m : 1;
  p.b_row = transpose_b ? 1 : n, p.b_column = transpose_b ? k : 1;
  for (int64_t i = 0; i < products; ++i) {
    p.a_start.push_back(i * m * k);
    p.b_start.push_back(shares_right ? 0 : i * k * n);
  }
  made.a.resize(static_cast<size_t>(products * m * k));
  made.b.resize(static_cast<size_t>((shares_right ? 1 : products) * k * n));
  return made;
}

std::vector<float> multiplied(const Made& made, Factor factor, const ProductCut* given = nullptr) {
  const cpu::MatmulProblem& p = made.problem;
  const auto products = static_cast<int64_t>(p.a_start.size());
  const ProductCut cut =
      given != nullptr ? *given : cut_for_warp_groups({p.m, p.n, p.k}, products, factor);
  const auto matmul = make_warp_group_matmul(p, cut);
  struct alignas(64) Line {
    char bytes[64];
  };
  std::vector<Line> scratch(static_cast<size_t>(matmul->scratch_bytes() / 64 + 1));
  std::vector<Line> a(made.a.size() / 16 + 1), b(made.b.size() / 16 + 1);
  std::memcpy(a.data(), made.a.data(), made.a.size() * 4);
  std::memcpy(b.data(), made.b.data(), made.b.size() * 4);
  std::vector<float> c(static_cast<size_t>(products * p.m * p.n), -1.0f);
  std::vector<float> sums(cut.pieces > 1 ? c.size() * static_cast<size_t>(cut.pieces) : 0, -1.0f);
  Queue queue;
  queue.processors = 3;
  matmul->run(queue,
              {reinterpret_cast<float*>(a.data()), reinterpret_cast<float*>(b.data()),
               products > 1 ? p.a_start.data() : nullptr, products > 1 ? p.b_start.data() : nullptr,
               c.data(), sums.empty() ? nullptr : sums.data(), scratch.data()},
              TileEpilogue<float>());
  for (size_t i = 0; i < c.size() && !sums.empty(); ++i) {
    c[i] = 0;
    for (int64_t piece = 0; piece < cut.pieces; ++piece)
      c[i] += sums[static_cast<size_t>(piece) * c.size() + i];
  }
  return c;
}

/// The largest error over the sum of absolute products, in units of 2^-24; infinite where a result
/// is not finite.
double largest_error(const Made& made, const std::vector<float>& c) {
  const cpu::MatmulProblem& p = made.problem;
  double largest = 0;
  for (size_t e = 0; e < c.size(); ++e) {
    const auto at = static_cast<int64_t>(e);
    const int64_t product = at / (p.m * p.n), i = at / p.n % p.m, j = at % p.n;
    const float* const a = made.a.data() + p.a_start[static_cast<size_t>(product)] + i * p.a_row;
    const float* const b = made.b.data() + p.b_start[static_cast<size_t>(product)] + j * p.b_column;
    double sum = 0, size = 0;
    for (int64_t d = 0; d < p.k; ++d) {
      const double one = double{a[d * p.a_column]} * b[d * p.b_row];
      sum += one;
      size += std::fabs(one);
    }
    const double error = std::fabs(c[e] - sum) / std::fmax(size, 1e-30);
    if (!std::isfinite(error)) return INFINITY;
    largest = std::fmax(largest, error);
  }
  return std::ldexp(largest, 24);
}

/// Whole numbers of few bits are multiplied without an error: in every place of the tiles.
void check_exact(int64_t m, int64_t n, int64_t k, Factor factor, int layout, int64_t products = 1,
                 bool large = false) {
  Made made = operands(m, n, k, layout % 2 == 1, layout / 2 == 1, products, layout == 2);
  std::mt19937 generator(3);
  std::uniform_int_distribution<int> number(-8, 8);
  for (float& x : made.a) x = static_cast<float>(number(generator));
  for (float& x : made.b) x = static_cast<float>(number(generator));
  ProductCut cut = cut_for_warp_groups({m, n, k}, products, factor);
  cut.large = cut.large || large;
  expect(largest_error(made, multiplied(made, factor, &cut)) == 0, "a product of whole numbers",
         m * 1000000 + n * 1000 + k);
}

/// float32 is inside of the bound of tensor_tile.h.
void check_bound(int64_t k, bool wide) {
  Made made = operands(64, 64, k, false, false, 1, false);
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> exponent(-12, 12);
  for (auto* operand : {&made.a, &made.b}) {
    for (float& x : *operand) x = std::ldexp(normal(generator), wide ? exponent(generator) : 0);
  }
  const double error = largest_error(made, multiplied(made, Factor::kFloat32));
  std::printf("depth %5lld: %.2f u\n", static_cast<long long>(k), error);
  expect(error <= 53 + static_cast<double>(k) / 16, "the bound of split factors", k);
}

}  // namespace

int main() {
  check_descriptors();
  check_fragments();
  check_swizzling();
  check_ring();
  check_barriers();
  check_boxes();
  check_rounded_boxes();
  check_mistakes();
  for (int64_t side : {64, 127, 128, 129, 1024, 4096}) {
    for (int64_t k : {32, 511, 512, 1023, 1024, 1025, 20000}) {
      check_cut(side, 300, k, 1);
      check_cut(64, side, k, 3);
      check_cut(side, side, k, 130);
    }
  }
  const Factor factors[] = {Factor::kFloat32, Factor::kTf32, Factor::kBfloat16, Factor::kFloat16};
  for (Factor factor : factors) {
    for (int layout = 0; layout < 4; ++layout) {
      for (int64_t k : {31, 32, 33, 63, 64, 65}) check_exact(64, 65, k, factor, layout);
      check_exact(127, 129, 36, factor, layout);
      check_exact(65, 72, 40, factor, layout, 3);
    }
    for (int64_t side : {63, 64, 65, 127, 128, 129}) check_exact(side, 192 - side, 40, factor, 0);
    for (int64_t side : {255, 256, 257})
      check_exact(64, side, 70, factor, 2, 1, factor != Factor::kFloat32);
    check_exact(64, 64, 1100, factor, 0);   // pieces
    check_exact(300, 290, 260, factor, 1);  // more tiles than blocks, more stages than a ring has
  }
  for (int64_t k : {32, 57, 512, 2048}) {
    for (bool wide : {false, true}) check_bound(k, wide);
  }
  return report("warp groups");
}
