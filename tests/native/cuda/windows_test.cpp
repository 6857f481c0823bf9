// Convolutions by warp groups without a GPU: boxes of windows beside what the PTX ISA says of them,
// which maps the driver refuses, and whole convolutions and gradients, exact or against double. The
// stand-in for the hardware is tried as well: it must find out what a kernel gets wrong.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cuda/launch.cu"
#include "cuda/sm_90a/warpgroup_conv.cu"
#include "run_block.h"

using namespace symk;
using namespace symk::cuda;
using namespace symk::test;

namespace {

/// Numbers at a multiple of 64 bytes.
class Numbers {
 public:
  explicit Numbers(size_t count) : lines_(count / 16 + 1) {}
  float* data() { return lines_.data()->x; }

 private:
  struct alignas(64) Line {
    float x[16];
  };
  std::vector<Line> lines_;
};

// --- boxes ---

struct Images {
  int64_t count, channels;
  WindowAxis rows, columns;

  int64_t pixels() const { return count * rows.size * columns.size; }
  int64_t windows() const { return count * rows.count * columns.count; }
  BoxArray array(float* data) const {
    const int64_t bytes = (channels + 3) / 4 * 16;
    return {data, BoxElement::kBits32, channels, pixels(), 1, bytes, bytes * pixels()};
  }
};

/// Pixel p has the numbers 1000 p + channel + 1.
Numbers numbered(const Images& images) {
  const int64_t step = (images.channels + 3) / 4 * 4;
  Numbers made(static_cast<size_t>(images.pixels() * step));
  for (int64_t p = 0; p < images.pixels(); ++p) {
    for (int64_t c = 0; c < images.channels; ++c)
      made.data()[p * step + c] = static_cast<float>(1000 * p + c + 1);
  }
  return made;
}

/// What the tap of a window sees, found from the window's number; beyond the last one nothing.
float seen(const Images& images, int64_t window, const TapOffset& tap, int64_t channel) {
  const int64_t across = images.columns.count, down = images.rows.count;
  const int64_t image = window / (across * down);
  const int64_t row = window / across % down * images.rows.stride + images.rows.first + tap.row;
  const int64_t column =
      window % across * images.columns.stride + images.columns.first + tap.column;
  if (image >= images.count || row < 0 || row >= images.rows.size || column < 0 ||
      column >= images.columns.size || channel >= images.channels)
    return 0;
  const int64_t pixel = (image * images.rows.size + row) * images.columns.size + column;
  return static_cast<float>(1000 * pixel + channel + 1);
}

/// Copies the box of the windows from `first` on, and hands its numbers to f(window, depth, x).
template <class F>
std::string read_windows(const TensorMap& map, const Images& images, int64_t first, int count,
                         const TapOffset& tap, int channel, const F& f) {
  const int64_t across = images.columns.count, down = images.rows.count;
  return failure_of(1, 1024 + count * kBoxLineBytes + 1024, [&] {
    char* const box = first_box();
    auto* const barrier = reinterpret_cast<Barrier*>(box + count * kBoxLineBytes);
    make_barrier(barrier, 1);
    arrive_with_bytes(barrier, count * kBoxLineBytes);
    copy_windows(box, map, channel,
                 static_cast<int>(first % across * images.columns.stride + images.columns.first),
                 static_cast<int>(first / across % down * images.rows.stride + images.rows.first),
                 static_cast<int>(first / across / down), tap, barrier);
    wait_for_phase(barrier, 0);
    for (int window = 0; window < count; ++window) {
      for (int d = 0; d < kBoxLineBytes / 4; ++d)
        f(window, d,
          math::float_of(host::described_word(box_descriptor(shared_address(box)), window, d * 4)));
    }
  });
}

void check_windows(const Images& images, int box_windows) {
  Numbers numbers = numbered(images);
  const TensorMap map =
      make_window_map(images.array(numbers.data()), images.rows, images.columns, box_windows);
  for (int64_t first = 0; first < images.windows(); first += 5) {
    for (const TapOffset tap :
         {TapOffset{0, 0}, TapOffset{2, 0}, TapOffset{0, 3}, TapOffset{4, 1}}) {
      const int channel = first % 2 == 0 ? 0 : 32;
      int wrong = 0;
      const std::string said = read_windows(
          map, images, first, box_windows, tap, channel, [&](int window, int d, float x) {
            wrong += x != seen(images, first + window, tap, channel + d);
          });
      expect(said.empty(), said.c_str(), first);
      expect(wrong == 0, "numbers of a box of windows", first);
    }
  }
}

/// Copies are done as late as they may be in half of the blocks; nobody reads a number before.
void check_early_reading() {
  const Images images = {1, 32, {3, 0, 3, 1}, {3, 0, 3, 1}};
  Numbers numbers = numbered(images);
  const TensorMap map =
      make_window_map(images.array(numbers.data()), images.rows, images.columns, 8);
  int early = 0;
  for (int round = 0; round < 4; ++round) {
    failure_of(1, 4096, [&] {
      char* const box = first_box();
      auto* const barrier = reinterpret_cast<Barrier*>(box + 1024);
      make_barrier(barrier, 1);
      arrive_with_bytes(barrier, 8 * kBoxLineBytes);
      copy_windows(box, map, 0, 0, 0, 0, {0, 0}, barrier);
      early += std::isnan(
          math::float_of(host::described_word(box_descriptor(shared_address(box)), 0, 0)));
      wait_for_phase(barrier, 0);
    });
  }
  expect(early > 0 && early < 4, "boxes that are read too early", early);
}

void check_refused_copies() {
  const Images images = {2, 32, {6, -1, 6, 1}, {7, -1, 3, 2}};
  Numbers numbers = numbered(images);
  const TensorMap map =
      make_window_map(images.array(numbers.data()), images.rows, images.columns, 8);
  const auto said = [&](int column, int row, const TapOffset& tap) {
    return failure_of(1, 4096, [&] {
      auto* const barrier = reinterpret_cast<Barrier*>(first_box() + 1024);
      make_barrier(barrier, 1);
      arrive_with_bytes(barrier, 8 * kBoxLineBytes);
      copy_windows(first_box(), map, 0, column, row, 0, tap, barrier);
      wait_for_phase(barrier, 0);
    });
  };
  expect(said(3, 4, {255, 255}).empty(), "the last window", 0);
  const char* const place = "bounding box";
  expect(said(4, 4, {0, 0}).find(place) != std::string::npos, "a column behind the box", 0);
  expect(said(3, 5, {0, 0}).find(place) != std::string::npos, "a row behind the box", 0);
  expect(said(-2, 0, {0, 0}).find(place) != std::string::npos, "a column before the box", 0);
  expect(said(0, -2, {0, 0}).find(place) != std::string::npos, "a row before the box", 0);
  expect(said(0, 0, {256, 0}).find("255") != std::string::npos, "a tap too far down", 0);
  expect(said(0, 0, {0, 256}).find("255") != std::string::npos, "a tap too far across", 0);
}

/// The driver takes what `suits_window_map` says that it does.
void check_limits() {
  alignas(64) static float pixel[32];
  const WindowAxis others = {1, 0, 1, 1};
  const auto is_taken = [&](const WindowAxis& axis, bool as_rows) {
    const BoxArray array = {pixel, BoxElement::kBits32, 32, axis.size, 1, 128, 128 * axis.size};
    try {
      make_window_map(array, as_rows ? axis : others, as_rows ? others : axis, 128);
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  int taken = 0;
  for (int32_t first : {-129, -128, 0, 127, 128}) {
    for (int32_t upper : {-129, -128, 0, 127, 128}) {
      for (int32_t stride : {1, 8, 9}) {
        const WindowAxis axis = {1000, first, (999 + upper - first) / stride + 1, stride};
        for (bool as_rows : {false, true})
          expect(is_taken(axis, as_rows) == suits_window_map(axis, 255), "limits of maps", first);
        taken += suits_window_map(axis, 255);
      }
    }
  }
  expect(taken >= 9 && taken < 30, "maps of all these", taken);
  expect(!suits_window_map({10, 0, 10, 1}, 256) && !suits_window_map({10, 0, 0, 1}, 0) &&
             !suits_window_map({0, 0, 1, 1}, 0),
         "a tap too far, no windows, no pixels", 0);
}

// --- convolutions ---

struct Made {
  Geometry g;
  Numbers x, w;  // of the product: g in place of x for a gradient
  int64_t x_count, w_count;
};

Geometry geometry(int64_t batch, int64_t in, int64_t out, const Axis& rows, const Axis& columns) {
  return {batch, 1, in, out, Axis(), rows, columns};
}

/// An axis of a convolution that is padded by `around` on either side.
Axis axis(int32_t x, int32_t kernel, int32_t stride, int32_t around, int32_t dilation = 1) {
  const int32_t reach = (kernel - 1) * dilation + 1;
  return {x, (x + 2 * around - reach) / stride + 1, kernel, stride, dilation, around};
}

template <class Draw>
Made operands(const Geometry& g, bool is_gradient, const Draw& draw) {
  const int64_t x_count = g.batch * (is_gradient ? g.y_pixels() * g.out : g.x_pixels() * g.in);
  const int64_t w_count = g.taps() * g.in * g.out;
  Made made = {g, Numbers(static_cast<size_t>(x_count)), Numbers(static_cast<size_t>(w_count)),
               x_count, w_count};
  for (int64_t i = 0; i < x_count; ++i) made.x.data()[i] = draw();
  for (int64_t i = 0; i < w_count; ++i) made.w.data()[i] = draw();
  return made;
}

std::vector<float> convolved(Made& made, bool is_gradient, Factor factor, bool large) {
  const Geometry& g = made.g;
  const ConvOperands operands = is_gradient ? operands_of_gradient(g) : operands_of(g);
  std::vector<WindowProduct> products;
  if (is_gradient) {
    for (const GradPart& part : grad_parts(g)) products.push_back(product_of(g, part));
  } else {
    products.push_back(product_of(g));
  }
  const auto conv = make_warp_group_conv(operands, factor);
  Numbers scratch(static_cast<size_t>(conv->scratch_bytes() / 4));
  const int64_t pixels = g.batch * (is_gradient ? g.x_pixels() : g.y_pixels());
  std::vector<float> result(static_cast<size_t>(pixels * operands.kernel.lines), 0.0f);
  Queue queue;
  queue.processors = 3;
  WarpGroupConvMemory memory = {made.x.data(), made.w.data(), result.data(), nullptr,
                                scratch.data()};
  const PackedConv packed = conv->pack(queue, memory);
  for (const WindowProduct& product : products) {
    const ProductSize size = operands.size(product, factor);
    ProductCut cut = cut_for_warp_groups(size, 1, factor);
    cut.large = cut.large || (large && factor != Factor::kFloat32);
    const int64_t count = size.rows * size.columns;
    std::vector<float> sums(cut.pieces > 1 ? static_cast<size_t>(cut.pieces * count) : 0, -1.0f);
    memory.sums = sums.empty() ? nullptr : sums.data();
    conv->run(queue, memory, packed, product, cut, TileEpilogue<float>());
    if (sums.empty()) continue;
    using Finish = FinishResults<float, RowsOfPart>;
    each(queue, count,
         AddPieces<float, Finish>{
             sums.data(), cut.pieces, count, {result.data(), size.columns, product.results, {}}});
  }
  return result;
}

/// What the result must be, and the sums of absolute products.
struct Meant {
  std::vector<double> sums, sizes;
};
Meant meant(Made& made, bool is_gradient) {
  const Geometry& g = made.g;
  const int64_t count = g.batch * (is_gradient ? g.x_pixels() * g.in : g.y_pixels() * g.out);
  Meant meant = {std::vector<double>(static_cast<size_t>(count)),
                 std::vector<double>(static_cast<size_t>(count))};
  const auto at = [](const Axis& axis, int64_t y, int64_t tap) {
    return y * axis.stride + tap * axis.dilation - axis.before;
  };
  const auto add = [&](int64_t to, int64_t from, int64_t weight) {
    const double product = double{made.x.data()[from]} * made.w.data()[weight];
    meant.sums[static_cast<size_t>(to)] += product;
    meant.sizes[static_cast<size_t>(to)] += std::fabs(product);
  };
  const int64_t windows = g.batch * g.y_pixels();
  for (int64_t y = 0; y < windows; ++y) {
    const int64_t image = y / g.y_pixels();
    for (int64_t tap = 0; tap < g.taps(); ++tap) {
      const int64_t row = at(g.rows, y / g.columns.y % g.rows.y, tap / g.columns.kernel);
      const int64_t column = at(g.columns, y % g.columns.y, tap % g.columns.kernel);
      if (row < 0 || row >= g.rows.x || column < 0 || column >= g.columns.x) continue;
      const int64_t x = (image * g.rows.x + row) * g.columns.x + column;
      for (int64_t e = 0; e < g.in * g.out; ++e) {
        const int64_t in = x * g.in + e / g.out, out = y * g.out + e % g.out;
        add(is_gradient ? in : out, is_gradient ? out : in, tap * g.in * g.out + e);
      }
    }
  }
  return meant;
}

/// The largest error over the sum of absolute products, in units of 2^-24; infinite where a result
/// is not finite.
double largest_error(Made& made, bool is_gradient, Factor factor, bool large = false) {
  const std::vector<float> result = convolved(made, is_gradient, factor, large);
  const Meant wanted = meant(made, is_gradient);
  double largest = 0;
  for (size_t i = 0; i < result.size(); ++i) {
    const double error = std::fabs(result[i] - wanted.sums[i]) / std::fmax(wanted.sizes[i], 1e-30);
    if (!std::isfinite(error)) return INFINITY;
    largest = std::fmax(largest, error);
  }
  return std::ldexp(largest, 24);
}

const Factor factors[] = {Factor::kFloat32, Factor::kTf32, Factor::kBfloat16, Factor::kFloat16};

/// Whole numbers of few bits are multiplied without an error.
void check_exact(const Geometry& g, bool large = false) {
  std::mt19937 generator(3);
  std::uniform_int_distribution<int> number(-8, 8);
  const auto draw = [&] { return static_cast<float>(number(generator)); };
  for (Factor factor : factors) {
    for (bool is_gradient : {false, true}) {
      Made made = operands(g, is_gradient, draw);
      expect(largest_error(made, is_gradient, factor, large) == 0, "a convolution of whole numbers",
             g.in * 1000 + g.out);
    }
  }
}

/// float32 is inside of the bound of tensor_tile.h.
void check_bound(const Geometry& g) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  const auto draw = [&] { return normal(generator); };
  for (bool is_gradient : {false, true}) {
    Made made = operands(g, is_gradient, draw);
    const double error = largest_error(made, is_gradient, Factor::kFloat32);
    const auto depth = static_cast<double>(g.taps() * (is_gradient ? g.out : g.in));
    std::printf("depth %5.0f: %.2f u\n", depth, error);
    expect(error <= 53 + depth / 16, "the bound of split factors", g.in);
  }
}

/// What no parts of TF32 make up is added up again in plain float32: infinity, and at the edge of
/// an image a number near it, whose weights are 0, so that each of the other numbers counts.
void check_numbers_beyond_tf32() {
  const Geometry g = geometry(1, 40, 64, axis(9, 3, 1, 1), axis(8, 3, 1, 1));
  for (bool is_gradient : {false, true}) {
    Made made = operands(g, is_gradient, [] { return 1.0f; });
    const int64_t channels = is_gradient ? g.out : g.in, channel = 33;
    made.x.data()[(2 * 8 + 3) * channels + 5] = INFINITY;
    made.x.data()[(8 * 8 + 7) * channels + channel] = 3.4028e38f;
    for (int64_t e = 0; e < made.w_count; ++e) {
      if ((is_gradient ? e % g.out : e / g.out % g.in) == channel) made.w.data()[e] = 0;
    }
    const std::vector<float> result = convolved(made, is_gradient, Factor::kFloat32, false);
    const Meant wanted = meant(made, is_gradient);
    int64_t wrong = 0;
    for (size_t i = 0; i < result.size(); ++i)
      wrong += !(result[i] == static_cast<float>(wanted.sums[i]));
    expect(wrong == 0, "numbers that no parts of TF32 make up", wrong);
  }
}

void check_convolutions() {
  for (int64_t channels : {31, 32, 33, 64, 65})
    check_exact(geometry(1, channels, 64, axis(9, 3, 1, 1), axis(8, 2, 1, 1)));
  for (int64_t filters : {127, 128, 129})
    check_exact(geometry(1, 32, filters, axis(9, 2, 1, 1), axis(8, 1, 1, 0)));
  for (int32_t size : {1, 7, 15, 16, 17})  // windows around tiles, that go on in other rows, images
    check_exact(geometry(8, 32, 64, axis(size, 2, 1, 1), axis(4, 1, 1, 0)));
  check_exact(geometry(3, 36, 72, axis(11, 3, 2, 1), axis(12, 3, 2, 0)));
  check_exact(geometry(5, 32, 64, axis(12, 2, 2, 0), axis(10, 2, 2, 0)));  // a tile amid windows
  check_exact(geometry(2, 32, 64, axis(13, 4, 3, 2), axis(17, 5, 2, 1)));
  check_exact(geometry(2, 32, 64, axis(13, 3, 1, 2, 2), axis(17, 2, 1, 0, 3)));
  check_exact(geometry(2, 32, 64, axis(25, 3, 4, 0, 3), axis(17, 3, 2, 2, 2)));
  check_exact(geometry(2, 40, 64, axis(16, 1, 2, 0), axis(16, 1, 2, 0)));
  check_exact(geometry(1, 128, 64, axis(8, 3, 1, 1), axis(8, 3, 1, 1)));  // pieces
  check_exact(
      geometry(1, 32, 300, axis(14, 2, 1, 0), axis(14, 1, 1, 0)));  // more tiles than blocks
  for (int64_t filters : {255, 257})
    check_exact(geometry(1, 32, filters, axis(12, 2, 1, 1), axis(6, 1, 1, 0)), true);
}

}  // namespace

int main() {
  check_windows({3, 40, {5, -1, 5, 1}, {7, -1, 7, 1}}, 64);
  check_windows({2, 64, {9, 0, 7, 1}, {6, 0, 4, 1}}, 128);
  check_windows({3, 33, {8, -2, 4, 2}, {11, -1, 4, 3}}, 128);
  check_windows({4, 32, {2, 1, 1, 8}, {3, -3, 6, 1}}, 16);
  check_early_reading();
  check_refused_copies();
  check_limits();
  check_convolutions();
  check_numbers_beyond_tf32();
  check_bound(geometry(1, 64, 64, axis(10, 3, 1, 1), axis(9, 3, 1, 1)));
  check_bound(geometry(1, 256, 64, axis(8, 3, 1, 1), axis(8, 3, 1, 1)));
  return report("windows");
}
