// The softmax family and the cross-entropies along every axis against long double, with large,
// infinite and missing numbers.
#include <cmath>
#include <cstdio>
#include <random>

#include "outcome.h"
#include "run_kernel.h"

using namespace symk;
using namespace symk::test;

namespace {

using Shape = std::vector<int64_t>;
using Line = std::vector<long double>;

/// Rounding of the dtype times what a line of some hundred terms may add up to.
template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 2e-6 : 4e-15;

int64_t product(const Shape& shape) {
  int64_t n = 1;
  for (int64_t size : shape) n *= size;
  return n;
}

template <class T>
std::vector<T> numbers(int64_t count, unsigned seed, double low, double high) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<T> x(static_cast<size_t>(count));
  for (T& value : x) value = static_cast<T>(uniform(random));
  return x;
}

Line log_softmax(const Line& x) {
  long double largest = -INFINITY, sum = 0;
  for (long double v : x) largest = std::fmax(largest, v);
  for (long double v : x) sum += std::exp(v - largest);
  Line y;
  for (long double v : x) y.push_back(v - largest - std::log(sum));
  return y;
}
Line softmax(const Line& x) {
  Line y = log_softmax(x);
  for (long double& v : y) v = std::exp(v);
  return y;
}
Line softmax_grad(const Line& y, const Line& g) {
  long double total = 0;
  Line r;
  for (size_t i = 0; i < y.size(); ++i) total += y[i] * g[i];
  for (size_t i = 0; i < y.size(); ++i) r.push_back((g[i] - total) * y[i]);
  return r;
}
Line log_softmax_grad(const Line& y, const Line& g) {
  long double total = 0;
  Line r;
  for (long double v : g) total += v;
  for (size_t i = 0; i < y.size(); ++i) r.push_back(g[i] - std::exp(y[i]) * total);
  return r;
}

template <class T>
void expect_near(const char* what, T actual, long double exact, double tolerance) {
  if (std::isnan(exact) ? std::isnan(actual) : actual == static_cast<T>(exact)) return;
  if (std::fabs(static_cast<double>(actual - exact)) <=
      tolerance * std::fmax(1.0L, std::fabs(exact)))
    return;
  if (++failures < 20)
    std::printf("%s: got %g, exact %Lg\n", what, static_cast<double>(actual), exact);
}

/// Each line of y along `axis` against `exact` of the lines of a and b.
template <class T, class F>
void check_lines(const char* kernel, const Shape& shape, int axis,
                 const std::vector<std::vector<T>>& operands, F exact) {
  ++cases;
  GivenBinding binding;
  binding.in.assign(operands.size(), type_of(dtype_of<T>(), shape));
  binding.out = {type_of(dtype_of<T>(), shape)};
  binding.integer_values = {{"axis", axis}};
  std::vector<T> y(static_cast<size_t>(product(shape)));
  std::vector<const void*> in;
  for (const auto& operand : operands) in.push_back(operand.data());
  BoundKernel(kernel, binding).run(in, {y.data()});
  const int64_t n = shape[static_cast<size_t>(axis)],
                inner = product(Shape(shape.begin() + axis + 1, shape.end()));
  for (int64_t first = 0; first < product(shape); first += n * inner) {
    for (int64_t column = 0; column < inner; ++column) {
      std::vector<Line> lines(2);
      for (size_t k = 0; k < operands.size(); ++k) {
        for (int64_t i = 0; i < n; ++i)
          lines[k].push_back(operands[k][static_cast<size_t>(first + column + i * inner)]);
      }
      const Line expected = exact(lines[0], lines[1]);
      for (int64_t i = 0; i < n; ++i) {
        expect_near(kernel, y[static_cast<size_t>(first + column + i * inner)],
                    expected[static_cast<size_t>(i)], kTolerance<T>);
      }
    }
  }
}

template <class T>
void check_shape(const Shape& shape) {
  const int64_t count = product(shape);
  for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
    // Operands of the gradients are like results of softmax: lines with a sum near 1.
    const double part = 1.0 / static_cast<double>(shape[static_cast<size_t>(axis)] + 1);
    const auto x = numbers<T>(count, 1, -9, 9), g = numbers<T>(count, 2, -1, 1);
    const auto y = numbers<T>(count, 3, 0, 2 * part),
               logs = numbers<T>(count, 4, std::log(part) - 5, std::log(part));
    check_lines<T>("softmax", shape, axis, {x},
                   [](const Line& a, const Line&) { return softmax(a); });
    check_lines<T>("log_softmax", shape, axis, {x},
                   [](const Line& a, const Line&) { return log_softmax(a); });
    check_lines<T>("softmax_grad", shape, axis, {y, g}, softmax_grad);
    check_lines<T>("log_softmax_grad", shape, axis, {logs, g}, log_softmax_grad);
  }
}

/// Large numbers do not overflow; NaN and an infinite maximum give NaN in their line alone;
/// -infinity has no weight.
template <class T>
void check_special() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T large = std::numeric_limits<T>::max() / 2;
  const std::vector<T> x = {large, large, 0, 1,    nan,  2,    inf,    1,      2,
                            -inf,  0,     0, -inf, -inf, -inf, -large, -large, -large};
  for (bool along_rows : {true, false}) {
    std::vector<T> given = x;
    if (!along_rows) {
      for (int row = 0; row < 6; ++row) {
        for (int i = 0; i < 3; ++i)
          given[static_cast<size_t>(i * 6 + row)] = x[static_cast<size_t>(row * 3 + i)];
      }
    }
    const Shape shape = along_rows ? Shape{6, 3} : Shape{3, 6};
    const int axis = along_rows ? 1 : 0;
    auto expected = [](const Line& a) {
      long double largest = a[0];
      for (long double v : a)
        largest = std::isnan(v) || std::isnan(largest) ? std::nanl("") : std::fmax(largest, v);
      return std::isfinite(largest) ? log_softmax(a) : Line(a.size(), std::nanl(""));
    };
    check_lines<T>("log_softmax", shape, axis, {given},
                   [&](const Line& a, const Line&) { return expected(a); });
    check_lines<T>("softmax", shape, axis, {given}, [&](const Line& a, const Line&) {
      Line y = expected(a);
      for (long double& v : y) v = std::exp(v);
      return y;
    });
  }
}

template <class T>
void check_cross_entropy(int64_t rows, int64_t n) {
  ++cases;
  const auto x = numbers<T>(rows * n, 5, -9, 9), t = numbers<T>(rows * n, 6, 0, 1);
  GivenBinding binding;
  binding.in.assign(2, type_of(dtype_of<T>(), {rows, n}));
  binding.out = {type_of(dtype_of<T>(), {rows})};
  std::vector<T> y(static_cast<size_t>(rows));
  BoundKernel("softmax_cross_entropy", binding).run({x.data(), t.data()}, {y.data()});
  for (int64_t row = 0; row < rows; ++row) {
    const Line logs = log_softmax(Line(x.begin() + row * n, x.begin() + (row + 1) * n));
    long double exact = 0;
    for (int64_t i = 0; i < n; ++i) {
      exact -= t[static_cast<size_t>(row * n + i)] * logs[static_cast<size_t>(i)];
    }
    expect_near("softmax_cross_entropy", y[static_cast<size_t>(row)], exact, kTolerance<T>);
  }
}

template <class T, class I>
void check_sparse(DType label_dtype, int64_t rows, int64_t n) {
  ++cases;
  const auto x = numbers<T>(rows * n, 7, -9, 9);
  std::vector<I> labels(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row)
    labels[static_cast<size_t>(row)] = static_cast<I>(row * 7 % n);
  GivenBinding binding;
  binding.in = {type_of(dtype_of<T>(), {rows, n}), type_of(label_dtype, {rows})};
  binding.out = {type_of(dtype_of<T>(), {rows})};
  std::vector<T> y(static_cast<size_t>(rows));
  BoundKernel kernel("sparse_softmax_cross_entropy", binding);
  kernel.run({x.data(), labels.data()}, {y.data()});
  for (int64_t row = 0; row < rows; ++row) {
    const Line logs = log_softmax(Line(x.begin() + row * n, x.begin() + (row + 1) * n));
    expect_near("sparse_softmax_cross_entropy", y[static_cast<size_t>(row)],
                -logs[static_cast<size_t>(labels[static_cast<size_t>(row)])], kTolerance<T>);
  }
  for (int64_t wrong : {n, int64_t{-1}}) {
    if (rows < 2 || (wrong < 0 && !std::is_signed_v<I>) || wrong > std::numeric_limits<I>::max())
      continue;
    labels[1] = labels[static_cast<size_t>(rows - 1)] = static_cast<I>(wrong);
    const Status status = kernel.run({x.data(), labels.data()}, {y.data()});
    if (status.code == Status::kOutOfRange && status.value == wrong && status.position == 1 &&
        status.limit == n)
      continue;
    ++failures;
    std::printf("a label outside is not found\n");
  }
}

template <class T>
void check_all() {
  for (int64_t n : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 100}) {
    check_shape<T>({5, n});
    check_shape<T>({n, 19});
    check_cross_entropy<T>(5, n);
    check_sparse<T, int64_t>(DType::kInt64, 5, n);
  }
  for (const Shape& shape :
       {Shape{7}, Shape{0, 3}, Shape{3, 0}, Shape{2, 3, 5}, Shape{2, 65, 3}, Shape{2, 5, 130},
        Shape{600, 100}, Shape{40, 1000}, Shape{3, 50, 400}}) {
    check_shape<T>(shape);
  }
  check_special<T>();
  check_cross_entropy<T>(700, 100), check_cross_entropy<T>(0, 3);
  check_sparse<T, int32_t>(DType::kInt32, 700, 100), check_sparse<T, int16_t>(DType::kInt16, 9, 10);
  check_sparse<T, int8_t>(DType::kInt8, 9, 10), check_sparse<T, uint8_t>(DType::kUInt8, 9, 10);
}

}  // namespace

int main() {
  check_all<float>();
  check_all<double>();
  return report("softmax");
}
