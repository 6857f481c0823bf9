// Products of bfloat16, bit by bit: the sums that docs/precision.md defines, made here by fma one
// after the other, around the sizes of every tile; and how numbers are rounded to pairs.
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include "cpu/bfloat16.h"
#include "cpu/dispatch.h"
#include "outcome.h"
#include "run_kernel.h"

using namespace symk;
using namespace symk::test;

namespace {

uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// The nearest bfloat16 by its definition: of the two neighbours, the nearer or the even one.
float rounded(float x) {
  if (std::isnan(x) || std::isinf(x)) return x;
  if (std::fabs(x) < std::numeric_limits<float>::min()) return std::copysign(0.0f, x);
  const uint32_t low = bits_of(x) & 0xffff0000;
  const double below = static_cast<double>(float_of(low)), exact = static_cast<double>(x);
  const uint32_t high = low + 0x10000;
  const bool overflows = std::isinf(float_of(high));
  const double above =
      overflows ? std::copysign(std::ldexp(1.0, 128), exact) : static_cast<double>(float_of(high));
  const double up = std::fabs(above - exact), down = std::fabs(exact - below);
  if (up != down) return float_of(up < down ? high : low);
  return float_of(low & 0x10000 ? high : low);
}

/// sum + the products of the elements i of a and b, two at a time, the second of each two first.
class Sum {
 public:
  void add(float a, float b) {
    if (waits_) {
      value_ = std::fma(rounded(a), rounded(b), value_);
      value_ = std::fma(a_, b_, value_);
    }
    a_ = rounded(a);
    b_ = rounded(b);
    waits_ = !waits_;
  }
  /// An odd last element has a zero beside it.
  void close() {
    if (waits_) add(0, 0);
  }
  float value() const { return value_; }

 private:
  float value_ = 0, a_ = 0, b_ = 0;
  bool waits_ = false;
};

void expect(bool holds, const char* what, std::initializer_list<int64_t> sizes) {
  ++cases;
  if (holds) return;
  ++failures;
  std::printf("%s:", what);
  for (int64_t size : sizes) std::printf(" %lld", static_cast<long long>(size));
  std::printf("\n");
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void check_matmul(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b, bool keeps) {
  std::mt19937 generator(3);
  const auto a = random_values<float>(m * k, generator), b = random_values<float>(k * n, generator);
  GivenBinding binding;
  binding.in = {transpose_a ? type_of(DType::kFloat32, {k, m}) : type_of(DType::kFloat32, {m, k}),
                transpose_b ? type_of(DType::kFloat32, {n, k}) : type_of(DType::kFloat32, {k, n})};
  binding.out = {type_of(DType::kFloat32, {m, n})};
  binding.integer_values = {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}};
  binding.text_values = {{"activation", ""}, {"products", "bfloat16"}};
  binding.keeps = keeps;
  std::vector<float> wanted(static_cast<size_t>(m * n)), result(wanted.size(), 1e30f);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      Sum sum;
      for (int64_t d = 0; d < k; ++d) {
        sum.add(a[static_cast<size_t>(transpose_a ? d * m + i : i * k + d)],
                b[static_cast<size_t>(transpose_b ? j * k + d : d * n + j)]);
      }
      sum.close();
      wanted[static_cast<size_t>(i * n + j)] = sum.value();
    }
  }
  BoundKernel kernel("matmul", binding);
  for (uint64_t version : {0, 5, 5}) {
    const uint64_t versions[] = {version, version};
    std::fill(result.begin(), result.end(), 1e30f);
    kernel.run({a.data(), b.data()}, {result.data()}, versions);
    expect(same(wanted, result), "matmul m n k transposes", {m, n, k, transpose_a, transpose_b});
  }
}

struct Image {
  int64_t rows, columns, in, out, window, stride;
};

void check_conv(const Image& c) {
  std::mt19937 generator(5);
  const int64_t y_rows = (c.rows - c.window) / c.stride + 1;
  const int64_t y_columns = (c.columns - c.window) / c.stride + 1;
  const Type x_type = type_of(DType::kFloat32, {2, c.rows, c.columns, c.in});
  const Type w_type = type_of(DType::kFloat32, {c.window, c.window, c.in, c.out});
  const Type y_type = type_of(DType::kFloat32, {2, y_rows, y_columns, c.out});
  const auto x = random_values<float>(x_type.count(), generator);
  const auto w = random_values<float>(w_type.count(), generator);
  GivenBinding binding;
  binding.text_values = {{"padding", "valid"}, {"products", "bfloat16"}};
  binding.list_values = {{"strides", {c.stride, c.stride}}, {"dilation", {1, 1}}};
  binding.in = {x_type, w_type};
  binding.out = {y_type};
  std::vector<float> wanted, result(static_cast<size_t>(y_type.count()), 1e30f);
  for (int64_t place = 0; place < y_type.count(); ++place) {
    const int64_t channel = place % c.out, column = place / c.out % y_columns;
    const int64_t row = place / c.out / y_columns % y_rows,
                  image = place / c.out / y_columns / y_rows;
    Sum sum;
    for (int64_t tap = 0; tap < c.window * c.window; ++tap) {
      const int64_t from_row = row * c.stride + tap / c.window;
      const int64_t from_column = column * c.stride + tap % c.window;
      for (int64_t d = 0; d < c.in; ++d) {
        const auto from =
            static_cast<size_t>(((image * c.rows + from_row) * c.columns + from_column) * c.in + d);
        sum.add(x[from], w[static_cast<size_t>((tap * c.in + d) * c.out + channel)]);
      }
      sum.close();
    }
    wanted.push_back(sum.value());
  }
  BoundKernel kernel("conv", binding);
  kernel.run({x.data(), w.data()}, {result.data()});
  expect(same(wanted, result), "conv rows columns in out window stride",
         {c.rows, c.columns, c.in, c.out, c.window, c.stride});

  // <g, conv(x, w)> is the same sum as <grad, w> and <grad, x>: within the rounding of operands.
  const auto g = random_values<float>(y_type.count(), generator);
  double direct = 0, scale = 0;
  for (size_t i = 0; i < g.size(); ++i) {
    direct += static_cast<double>(g[i]) * static_cast<double>(wanted[i]);
    scale += std::fabs(static_cast<double>(g[i])) * static_cast<double>(c.window * c.window * c.in);
  }
  const auto check_grad = [&](const char* name, const std::vector<Type>& in, const Type& out,
                              const std::vector<float>& first, const std::vector<float>& second,
                              const std::vector<float>& with) {
    GivenBinding grad = binding;
    grad.in = in;
    grad.out = {out};
    std::vector<float> made(static_cast<size_t>(out.count()), 1e30f);
    BoundKernel(name, grad).run({first.data(), second.data()}, {made.data()});
    double sum = 0;
    for (size_t i = 0; i < made.size(); ++i)
      sum += static_cast<double>(made[i]) * static_cast<double>(with[i]);
    expect(std::fabs(sum - direct) <= 0.02 * scale / 16, name,
           {c.rows, c.columns, c.in, c.out, c.window, c.stride});
  };
  check_grad("conv_grad_kernel", {x_type, y_type}, w_type, x, g, w);
  check_grad("conv_grad_input", {y_type, w_type}, x_type, g, w, x);
}

void check_rounding() {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x = {0.0f,
                          -0.0f,
                          1.0f,
                          1.00390625f,
                          1.01171875f,
                          -1.00390625f,
                          1e-40f,
                          -1e-45f,
                          3.3e38f,
                          3.4028235e38f,
                          -3.4028235e38f,
                          infinity,
                          -infinity,
                          std::numeric_limits<float>::quiet_NaN(),
                          float_of(0x7f800001),
                          std::numeric_limits<float>::min(),
                          float_of(0x00ffffff)};
  std::mt19937 generator(9);
  for (int i = 0; i < 20000; ++i) x.push_back(float_of(static_cast<uint32_t>(generator())));
  const auto& functions = cpu::kernels<cpu::BfloatKernels>();
  const auto count = static_cast<int64_t>(x.size());
  std::vector<float> pairs(x.size()), halves(x.size());
  functions.join(x.data(), nullptr, count, pairs.data());
  functions.join(nullptr, x.data(), count, halves.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const uint32_t low = bits_of(pairs[i]), high = bits_of(halves[i]);
    const float wanted = rounded(x[i]), made = float_of(high);
    const bool right = std::isnan(wanted) ? std::isnan(made) : bits_of(wanted) == high;
    expect(right && low == high >> 16, "rounding of", {static_cast<int64_t>(bits_of(x[i]))});
  }
  for (int64_t length : {0, 1, 2, 3, 31, 32, 33, 64, 65, 1001}) {
    std::vector<float> up(static_cast<size_t>((length + 1) / 2 + 1), 7.0f);
    functions.pair_up(x.data() + 20, length, up.data());
    bool right = up.back() == 7.0f;
    for (int64_t i = 0; i < (length + 1) / 2; ++i) {
      const size_t first = static_cast<size_t>(20 + 2 * i);
      const uint32_t second = 2 * i + 1 < length ? bits_of(halves[first + 1]) : 0;
      right = right && bits_of(up[static_cast<size_t>(i)]) == (bits_of(pairs[first]) | second);
    }
    expect(right, "pairs of elements", {length});
  }
}

}  // namespace

int main() {
  check_rounding();
  for (int64_t m : {1, 5, 6, 7, 13, 14, 15, 29}) {
    for (int64_t n : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}) {
      for (int64_t k : {1, 2, 3, 33}) {
        for (int which = 0; which < 4; ++which)
          check_matmul(m, n, k, which & 1, which & 2, (m + n + k) % 2 == 0);
      }
    }
  }
  check_matmul(300, 70, 300, false, false, false);
  check_matmul(300, 70, 301, true, true, true);
  check_matmul(3, 5, 0, false, false, false);
  for (int64_t in : {1, 2, 3, 16, 17}) {
    for (int64_t out : {1, 16, 33}) {
      for (int64_t columns : {3, 7, 14, 17}) {
        for (int64_t stride : {1, 2, 3}) check_conv({6, columns, in, out, 3, stride});
        check_conv({4, columns, in, out, 1, 1});
        check_conv({columns, 5, 2 * in + 30, 3 * out, 1, 1});
      }
    }
  }
  return report(cpu::isa_name(cpu::active_isa()));
}
