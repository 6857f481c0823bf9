// conv and its two gradients against plain loops in double: strides, dilation, padding, sizes
// around every tile, empty sizes, bias and activation.
#include <cmath>
#include <cstdio>
#include <random>

#include "outcome.h"
#include "run_kernel.h"

using namespace symk;
using namespace symk::test;

namespace {

struct Axis {
  int64_t x, kernel, stride, dilation;
  int64_t y(bool same) const {
    const int64_t reach = kernel > 0 ? (kernel - 1) * dilation + 1 : 0;
    if (same) return (x + stride - 1) / stride;
    return x < reach ? 0 : (x - reach) / stride + 1;
  }
  int64_t before(bool same) const {
    const int64_t reach = kernel > 0 ? (kernel - 1) * dilation + 1 : 0;
    return same ? std::max<int64_t>(0, (y(same) - 1) * stride + reach - x) / 2 : 0;
  }
};

struct Case {
  int64_t batch, in, out;
  Axis rows, columns;
  bool same;
  int64_t groups = 1;  // each of `in` and `out` channels
  bool winograd = false;
};

/// Calls visit(x index, w index, y index) for every product of the convolution.
template <class F>
void each_product(const Case& c, F&& visit) {
  const int64_t oh = c.rows.y(c.same), ow = c.columns.y(c.same);
  for (int64_t b = 0; b < c.batch; ++b) {
    for (int64_t oy = 0; oy < oh; ++oy) {
      for (int64_t ox = 0; ox < ow; ++ox) {
        for (int64_t ky = 0; ky < c.rows.kernel; ++ky) {
          for (int64_t kx = 0; kx < c.columns.kernel; ++kx) {
            const int64_t iy = oy * c.rows.stride + ky * c.rows.dilation - c.rows.before(c.same);
            const int64_t ix =
                ox * c.columns.stride + kx * c.columns.dilation - c.columns.before(c.same);
            if (iy < 0 || iy >= c.rows.x || ix < 0 || ix >= c.columns.x) continue;
            for (int64_t i = 0; i < c.in; ++i) {
              for (int64_t o = 0; o < c.groups * c.out; ++o) {
                visit(((b * c.rows.x + iy) * c.columns.x + ix) * c.groups * c.in +
                          o / c.out * c.in + i,
                      ((ky * c.columns.kernel + kx) * c.in + i) * c.groups * c.out + o,
                      ((b * oh + oy) * ow + ox) * c.groups * c.out + o);
              }
            }
          }
        }
      }
    }
  }
}

void complain(const Case& c, const char* kernel, size_t bytes, double error) {
  ++failures;
  std::printf(
      "FAIL %s %zu bytes: batch %ld in %ld out %ld groups %ld x %ldx%ld w %ldx%ld stride %ld,%ld "
      "dilation "
      "%ld,%ld %s: %g\n",
      kernel, bytes, long(c.batch), long(c.in), long(c.out), long(c.groups), long(c.rows.x),
      long(c.columns.x), long(c.rows.kernel), long(c.columns.kernel), long(c.rows.stride),
      long(c.columns.stride), long(c.rows.dilation), long(c.columns.dilation),
      c.same ? "same" : "valid", error);
}

template <class T>
void compare(const Case& c, const char* kernel, const std::vector<T>& got,
             const std::vector<double>& wanted, double terms) {
  double worst = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double error = std::fabs(static_cast<double>(got[i]) - wanted[i]);
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  ++cases;
  // One rounding per term of sums that stay below the number of terms by far.
  if (!(worst <= (sizeof(T) == 4 ? 1.2e-7 : 2.3e-16) * (terms + 16)))
    complain(c, kernel, sizeof(T), worst);
}

template <class T>
void check(const Case& c) {
  const DType dtype = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
  const int64_t oh = c.rows.y(c.same), ow = c.columns.y(c.same);
  const int64_t out = c.groups * c.out;
  const Type x_type = type_of(dtype, {c.batch, c.rows.x, c.columns.x, c.groups * c.in});
  const Type w_type = type_of(dtype, {c.rows.kernel, c.columns.kernel, c.in, out});
  const Type y_type = type_of(dtype, {c.batch, oh, ow, out});
  std::mt19937 generator(1);
  const auto x = random_values<T>(x_type.count(), generator);
  const auto w = random_values<T>(w_type.count(), generator);
  const auto g = random_values<T>(y_type.count(), generator);
  const auto bias = random_values<T>(out, generator);
  GivenBinding binding;
  binding.list_values = {{"strides", {c.rows.stride, c.columns.stride}},
                         {"dilation", {c.rows.dilation, c.columns.dilation}}};
  binding.text_values = {{"padding", c.same ? "same" : "valid"}};
  binding.integer_values = {{"groups", c.groups}};
  if (c.winograd) binding.text_values["products"] = "winograd";

  std::vector<double> y_wanted(g.size()), dx_wanted(x.size()), dw_wanted(w.size());
  each_product(c, [&](int64_t i, int64_t j, int64_t k) {
    const auto xi = static_cast<size_t>(i), wj = static_cast<size_t>(j),
               yk = static_cast<size_t>(k);
    y_wanted[yk] += static_cast<double>(x[xi]) * static_cast<double>(w[wj]);
    dx_wanted[xi] += static_cast<double>(g[yk]) * static_cast<double>(w[wj]);
    dw_wanted[wj] += static_cast<double>(x[xi]) * static_cast<double>(g[yk]);
  });
  std::vector<T> y(g.size(), T(1e30)), dx(x.size(), T(1e30)), dw(w.size(), T(1e30));
  const double window = static_cast<double>(c.rows.kernel * c.columns.kernel);

  binding.in = {x_type, w_type};
  binding.out = {y_type};
  binding.text_lists["epilogue"] = {};
  binding.keeps = true;
  const uint64_t versions[] = {0, 3};
  BoundKernel kept("conv", binding);
  for (int call = 0; call < 2; ++call) {
    std::fill(y.begin(), y.end(), T(1e30));
    kept.run({x.data(), w.data()}, {y.data()}, versions);
  }
  binding.keeps = false;
  // Winograd's algorithm doubles the error (docs/precision.md).
  const double terms = (c.winograd ? 2 : 1) * window;
  compare(c, "conv", y, y_wanted, terms * static_cast<double>(c.in));
  binding.in.insert(binding.in.end(), {type_of(dtype, {out}), y_type});
  binding.text_values["activation"] = "relu";
  binding.text_lists["epilogue"] = {"bias", "addend"};
  y = g;  // over the addend
  BoundKernel("conv", binding).run({x.data(), w.data(), bias.data(), y.data()}, {y.data()});
  for (size_t i = 0; i < y_wanted.size(); ++i) {
    y_wanted[i] = std::max(
        0.0, y_wanted[i] + static_cast<double>(bias[i % bias.size()]) + static_cast<double>(g[i]));
  }
  compare(c, "conv bias addend relu", y, y_wanted, terms * static_cast<double>(c.in));

  binding.real_values["limit"] = 0.5;
  y = g;
  BoundKernel("conv", binding).run({x.data(), w.data(), bias.data(), y.data()}, {y.data()});
  for (double& value : y_wanted) value = std::min(0.5, value);
  compare(c, "conv bias addend relu limit", y, y_wanted, terms * static_cast<double>(c.in));

  binding.real_values.clear();
  binding.text_values.erase("activation");
  binding.in = {y_type, w_type};
  binding.out = {x_type};
  BoundKernel("conv_grad_input", binding).run({g.data(), w.data()}, {dx.data()});
  compare(c, "conv_grad_input", dx, dx_wanted, terms * static_cast<double>(c.out));
  binding.text_values.erase("products");
  binding.in = {x_type, y_type};
  binding.out = {w_type};
  BoundKernel("conv_grad_kernel", binding).run({x.data(), g.data()}, {dw.data()});
  compare(c, "conv_grad_kernel", dw, dw_wanted, static_cast<double>(c.batch * oh * ow));
}

void check_both(const Case& c) {
  check<float>(c);
  check<double>(c);
}

/// Groups of few channels: vectors lie over the channels of all groups, some results are gathered
/// together, and pixels are copied where a group has several channels or a pixel is long.
void check_groups() {
  const Axis nine = {9, 3, 1, 1};
  for (int64_t groups : {2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 47}) {
    check_both({1, 1, 1, {5, 3, 1, 1}, nine, true, groups});
    check_both({2, 1, 1, {7, 3, 2, 1}, {10, 3, 2, 1}, true, groups});
  }
  for (int64_t width : {1, 2, 3, 6, 7, 8, 9, 13, 14, 15, 16, 30, 57, 58}) {
    for (int64_t kernel : {1, 2, 3, 4, 5}) {
      check_both({1, 1, 1, {4, 3, 1, 1}, {width, kernel, 1, 1}, true, 5});
      check_both({1, 1, 1, {6, kernel, 1, 1}, {width, 3, 1, 2}, true, 5});
      check_both({1, 1, 1, {5, 3, 2, 1}, {width, kernel, 2, 1}, true, 18});
      check_both({1, 1, 1, {5, 3, 3, 1}, {width + 4, kernel, 3, 1}, false, 2});
    }
  }
  for (int64_t in : {1, 2, 3, 4, 5, 7, 8, 9}) {
    for (int64_t out : {1, 2, 3, 4, 5, 7, 8, 9})
      check_both({1, in, out, {4, 3, 1, 1}, {9, 3, in % 2 + 1, 1}, out % 2 == 0, in % 3 + 2});
  }
  check_both({1, 33, 2, nine, nine, true, 2});                   // too deep to copy
  check_both({1, 1, 1, {6, 5, 1, 1}, {6, 5, 1, 1}, true, 512});  // long pixels are copied
  check_both({1, 1, 1, {6, 3, 2, 1}, {9, 3, 2, 1}, true, 1024});
  check_both({2, 1, 2, {5, 3, 1, 1}, {6, 3, 1, 1}, true, 300});
  check_both({1, 1, 1, {60, 3, 1, 1}, {80, 3, 1, 1}, true, 72});  // far, in several parts
  check_both({3, 4, 4, {20, 3, 1, 1}, {29, 3, 1, 1}, true, 12});
  check_both({2, 1, 1, {60, 3, 2, 1}, {120, 3, 2, 1}, true, 40});
  check_both({0, 1, 1, nine, nine, true, 4});
  check_both({1, 1, 1, {0, 3, 1, 1}, nine, true, 4});
  check_both({1, 1, 1, {3, 0, 1, 1}, nine, true, 4});
  check_both({1, 2, 0, nine, nine, true, 3});
}

/// Few channels in the result of either pass, which is made by a scatter; the gradient by the
/// kernel then changes the places of its operands.
void check_few_results() {
  for (int64_t few : {1, 2, 3, 7, 8, 9}) {
    for (int64_t deep : {15, 16, 17, 40}) {
      check_both({2, deep, few, {7, 3, 1, 1}, {9, 3, 1, 1}, few % 2 == 0});
      check_both({1, few, deep, {8, 3, 2, 1}, {7, 4, 2, 1}, deep % 2 == 0});
    }
  }
  for (int64_t kernel : {1, 2, 5, 7}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t dilation : {1, 2}) {
        for (bool same : {false, true}) {
          const Axis axis = {13, kernel, stride, dilation};
          check_both({1, 3, 20, axis, {11, 3, 1, 1}, same});
          check_both({1, 3, 20, {6, 2, 1, 1}, axis, same});
          check_both({1, 20, 3, axis, {11, 3, 1, dilation}, same});
        }
      }
    }
  }
  check_both({5, 32, 3, {40, 3, 1, 1}, {60, 3, 1, 1}, true});  // several blocks of rows
  check_both({3, 3, 64, {45, 7, 2, 1}, {50, 7, 2, 1}, true});
  check_both({1, 4, 24, {200, 4, 2, 1}, {6, 4, 2, 1}, true});
  check_both({1, 24, 2, {3, 20, 1, 1}, {5, 20, 1, 1}, true});  // more rows of taps than of results
  check_both({0, 24, 2, {5, 3, 1, 1}, {5, 3, 1, 1}, true});
  check_both({2, 24, 2, {2, 3, 1, 1}, {5, 3, 1, 1}, false});
  check_both({2, 2, 24, {2, 3, 1, 1}, {5, 3, 1, 1}, false});
}

/// Winograd's algorithm, around tiles of 4 x 4 results, vectors and panels of channels, and blocks
/// of tiles.
void check_winograd() {
  const auto check_one = [](int64_t batch, int64_t in, int64_t out, int64_t rows, int64_t columns,
                            bool same) {
    check<float>({batch, in, out, {rows, 3, 1, 1}, {columns, 3, 1, 1}, same, 1, true});
  };
  for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11}) {
    for (int64_t columns : {4, 13, 14, 15, 18}) check_one(5, 16, 20, rows, columns, rows % 2 == 0);
  }
  for (int64_t in : {15, 16, 17, 31, 32, 33, 63, 64, 65}) {
    for (int64_t out : {15, 16, 17, 32, 33, 65}) check_one(2, in, out, 9, 11, in % 2 == 0);
  }
  for (int64_t images : {13, 14, 15, 27, 28, 29, 43}) check_one(images, 24, 40, 4, 4, true);
  check_one(3, 48, 96, 30, 31, true);    // many parts, each with panels of several blocks
  check_one(1, 16, 600, 12, 12, true);   // all parts share a block
  check_one(2, 300, 16, 14, 14, true);   // few tiles in a block
  check_one(1, 16, 16, 8, 8, true);      // too few tiles
  check_one(40, 16, 16, 2, 2, false);    // no results
  check_one(1, 700, 700, 12, 12, true);  // too few tiles for weights beyond the caches
}

/// Windows of one element, whose gradient by the kernel reads either operand in place: around tiles
/// and blocks of pixels, with strides, in several sums and in one that is cut into rows.
void check_pointwise() {
  for (int64_t in : {1, 13, 15, 31, 32, 33, 100}) {
    for (int64_t out : {1, 14, 16, 33, 200}) {
      for (int64_t stride : {1, 2, 3})
        check_both({2, in, out, {5, 1, stride, 1}, {13, 1, stride, 1}, stride % 2 == 0});
    }
  }
  for (int64_t width : {255, 256, 257, 509, 512, 521}) {
    check_both({1, 7, 24, {1, 1, 1, 1}, {width, 1, 1, 1}, true});
    check_both({1, 24, 7, {2, 1, 2, 1}, {2 * width, 1, 2, 1}, true});
    check_both({1, 32, 90, {1, 1, 1, 1}, {2 * width - 1, 1, 2, 1}, false});
  }
  for (int64_t stride : {1, 2}) {
    check_both({3, 40, 200, {29, 1, stride, 1}, {30, 1, stride, 1}, true});
    check_both({3, 200, 40, {29, 1, stride, 1}, {30, 1, stride, 1}, true});
    check_both({1, 600, 900, {6, 1, stride, 1}, {7, 1, stride, 1}, true});
  }
}

}  // namespace

int main() {
  const int64_t sizes[] = {0, 1, 2, 5, 8}, kernels[] = {1, 2, 3}, strides[] = {1, 2, 3},
                dilations[] = {1, 2};
  int turn = 0;
  for (int64_t x : sizes) {
    for (int64_t kernel : kernels) {
      for (int64_t stride : strides) {
        for (int64_t dilation : dilations) {
          for (bool same : {false, true}) {
            const int64_t other = turn % 5 + 3;  // the other axis takes its own values
            const Axis columns = {other, turn % 3 + 1, turn / 3 % 3 + 1, turn / 2 % 2 + 1};
            check_both({2, turn % 4, turn % 3 + 1, {x, kernel, stride, dilation}, columns, same});
            check_both({1, 3, turn % 20, columns, {x, kernel, stride, dilation}, same});
            ++turn;
          }
        }
      }
    }
  }
  for (int64_t out : {7, 8, 9, 15, 16, 17, 31, 32, 33, 65}) {
    for (int64_t in : {1, 3, 13, 14, 15, 16, 29}) {
      check_both({1, in, out, {6, 3, 1, 1}, {15, 3, 1, 1}, true});
      check_both({2, in, out, {5, 1, 1, 1}, {4, 1, 1, 1}, false});
    }
  }
  for (int64_t width : {13, 14, 15, 27, 28, 29, 43})
    check_both({1, 4, 6, {9, 3, 1, 1}, {width, 3, 1, 1}, true});
  check_both({3, 16, 40, {28, 3, 1, 1}, {28, 3, 1, 1}, true});  // many parts
  check_both({40, 5, 40, {7, 3, 1, 1}, {7, 3, 1, 1}, true});    // some images at once
  check_both({1, 3, 16, {64, 7, 2, 1}, {64, 7, 2, 1}, true});
  check_both({1, 512, 33, {5, 3, 1, 1}, {6, 3, 1, 1}, true});  // channels a page apart
  check_both({2, 512, 64, {4, 1, 1, 1}, {4, 1, 1, 1}, false});
  check_both({6, 20, 9, {7, 1, 1, 1}, {7, 1, 1, 1}, true});  // pixels joined to long rows
  check_both({1, 4, 40, {30, 1, 1, 1}, {10, 1, 1, 2}, false});
  check_both({13, 3, 5, {1, 1, 1, 1}, {1, 1, 1, 1}, false});
  check_both({0, 3, 4, {5, 3, 1, 1}, {5, 3, 1, 1}, true});
  check_both({2, 3, 4, {9, 3, 1, 4}, {9, 2, 7, 3}, true});
  check_both({2, 3, 4, {3, 0, 1, 1}, {3, 2, 1, 1}, true});
  check_groups();
  check_few_results();
  check_winograd();
  check_pointwise();
  return report("conv");
}
