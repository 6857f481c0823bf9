// Reductions against plain loops in double: random shapes and axes, all dtypes, split and unsplit
// sizes, NaN, nothing; and the same bits for every number of threads.
#include "arrays.h"

using namespace symk;
using namespace symk::test;

namespace {

const double kInfinity = INFINITY;

double least(DType dtype) {
  switch (dtype) {
    case DType::kInt8: return INT8_MIN;
    case DType::kInt16: return INT16_MIN;
    case DType::kInt32: return INT32_MIN;
    case DType::kInt64: return static_cast<double>(INT64_MIN);
    case DType::kUInt8:
    case DType::kBool: return 0;
    default: return -kInfinity;
  }
}

double fold(const std::string& op, double a, double b) {
  if (op == "sum" || op == "mean" || op == "sum_to") return a + b;
  if (op == "prod") return a * b;
  if (op == "max") return std::isnan(a) || a >= b ? a : b;
  if (op == "any") return a != 0 || b != 0;
  return a != 0 && b != 0;
}

double identity(const std::string& op, DType dtype) {
  if (op == "max") return least(dtype);
  return op == "prod" || op == "all" ? 1 : 0;
}

/// The result of `op` by plain loops; `y` has size-1 axes where x is reduced.
Array reduce_plainly(const std::string& op, const Array& x, const std::vector<bool>& reduced,
                     DType dtype) {
  std::vector<int64_t> kept = shape_of(x.type);
  int64_t count = 1;
  for (size_t axis = 0; axis < kept.size(); ++axis) {
    if (!reduced[axis]) continue;
    count *= kept[axis];
    kept[axis] = 1;
  }
  Array y(dtype, kept);
  std::vector<double> totals(static_cast<size_t>(y.type.count()), identity(op, x.type.dtype));
  for (int64_t i = 0; i < x.type.count(); ++i) {
    std::vector<int64_t> at = coordinates(i, shape_of(x.type));
    for (size_t axis = 0; axis < at.size(); ++axis) {
      if (reduced[axis]) at[axis] = 0;
    }
    double& total = totals[static_cast<size_t>(flat_index(at, kept))];
    total = fold(op, total, x[i]);
  }
  for (size_t i = 0; i < totals.size(); ++i) {
    y.set(static_cast<int64_t>(i),
          op == "mean" ? totals[i] / static_cast<double>(count) : totals[i]);
  }
  return y;
}

void check_reduction(const std::string& op, const Array& x, const std::vector<bool>& reduced) {
  const DType own = x.type.dtype;
  const bool sums = op == "sum" || op == "prod" || op == "mean" || op == "sum_to";
  const DType dtype = op == "any" || op == "all" ? DType::kBool
                      : sums && !is_float(own)   ? DType::kInt64
                                                 : own;
  const Array y = reduce_plainly(op, x, reduced, dtype);
  double scale = 1;
  for (int64_t i = 0; i < y.type.count(); ++i) {
    if (std::isfinite(y[i])) scale = std::max(scale, std::fabs(y[i]));
  }
  const double rounding = own == DType::kFloat32 ? 1e-6 : own == DType::kFloat64 ? 1e-12 : 0;
  GivenBinding binding;
  for (size_t axis = 0; axis < reduced.size(); ++axis) {
    if (reduced[axis]) binding.list_values["axes"].push_back(static_cast<int64_t>(axis));
  }
  binding.list_values["axes"];
  binding.integer_values["keepdims"] = 1;
  // Terms of both signs cancel, so the error is that of the terms, not of the sum.
  const double terms = std::sqrt(static_cast<double>(
      std::max<int64_t>(1, x.type.count() / std::max<int64_t>(1, y.type.count()))));
  const double size = op == "sum" || op == "sum_to" ? std::max(scale, terms) : scale;
  check_kernel(op.c_str(), binding, {&x}, {&y}, sums ? rounding * size : 0);
}

void check_logsumexp(const Array& x, const std::vector<bool>& reduced) {
  std::vector<int64_t> kept = shape_of(x.type);
  GivenBinding binding;
  binding.list_values["axes"];
  for (size_t axis = 0; axis < kept.size(); ++axis) {
    if (!reduced[axis]) continue;
    kept[axis] = 1;
    binding.list_values["axes"].push_back(static_cast<int64_t>(axis));
  }
  const Array top = reduce_plainly("max", x, reduced, x.type.dtype);
  Array y(x.type.dtype, kept);
  std::vector<double> sums(static_cast<size_t>(y.type.count()));
  for (int64_t i = 0; i < x.type.count(); ++i) {
    std::vector<int64_t> at = coordinates(i, shape_of(x.type));
    for (size_t axis = 0; axis < at.size(); ++axis) at[axis] = reduced[axis] ? 0 : at[axis];
    const int64_t place = flat_index(at, kept);
    sums[static_cast<size_t>(place)] += std::exp(x[i] - top[place]);
  }
  for (int64_t i = 0; i < y.type.count(); ++i) {
    y.set(i, std::isfinite(top[i]) ? top[i] + std::log(sums[static_cast<size_t>(i)]) : top[i]);
  }
  check_kernel("logsumexp", binding, {&x}, {&y}, x.type.dtype == DType::kFloat32 ? 1e-5 : 1e-13);
}

void check_position(const char* name, const Array& x, int axis) {
  const bool largest = std::string(name) == "argmax";
  std::vector<int64_t> shape = shape_of(x.type), kept = shape;
  kept.erase(kept.begin() + axis);
  Array y(DType::kInt64, kept);
  for (int64_t i = 0; i < y.type.count(); ++i) {
    std::vector<int64_t> at = coordinates(i, kept);
    at.insert(at.begin() + axis, 0);
    int64_t best = 0;
    double value = x[flat_index(at, shape)];
    for (int64_t k = 1; k < shape[static_cast<size_t>(axis)] && !std::isnan(value); ++k) {
      at[static_cast<size_t>(axis)] = k;
      const double other = x[flat_index(at, shape)];
      if (std::isnan(other) || (largest ? other > value : other < value)) {
        value = other;
        best = k;
      }
    }
    y.set(i, static_cast<double>(best));
  }
  GivenBinding binding;
  binding.integer_values["axis"] = axis;
  check_kernel(name, binding, {&x}, {&y}, 0);
}

const std::vector<DType> kDTypes = {DType::kFloat32, DType::kFloat64, DType::kInt8,  DType::kInt16,
                                    DType::kInt32,   DType::kInt64,   DType::kUInt8, DType::kBool};

void check_array(const Array& x, const std::vector<bool>& reduced, bool small) {
  for (const char* op : {"sum", "max", "sum_to"}) check_reduction(op, x, reduced);
  if (x.type.dtype == DType::kBool) {
    for (const char* op : {"any", "all"}) check_reduction(op, x, reduced);
  }
  if (small && x.type.dtype != DType::kInt64) check_reduction("prod", x, reduced);
  if (!is_float(x.type.dtype)) return;
  check_reduction("mean", x, reduced);
  check_logsumexp(x, reduced);
}

void check_random_shapes(std::mt19937& generator) {
  const std::vector<int64_t> sizes = {0, 1, 1, 2, 3, 5, 8, 17, 33};
  for (int repeat = 0; repeat < 150; ++repeat) {
    const int rank = static_cast<int>(random_integer(0, 5, generator));
    std::vector<int64_t> shape;
    std::vector<bool> reduced;
    for (int axis = 0; axis < rank; ++axis) {
      shape.push_back(random_choice(sizes, generator));
      reduced.push_back(random_integer(0, 1, generator) == 1);
    }
    const Array x = random_array(random_choice(kDTypes, generator), shape, generator);
    const int64_t outputs = std::max<int64_t>(1, x.type.count());
    check_array(x, reduced, outputs < 40);
    if (x.type.dtype == DType::kBool) continue;
    for (int axis = 0; axis < rank; ++axis) {
      if (shape[static_cast<size_t>(axis)] == 0) continue;
      const Array some_equal = random_array(x.type.dtype, shape, generator, true);
      check_position("argmax", some_equal, axis);
      check_position("argmin", some_equal, axis);
    }
  }
}

/// Sizes at which work is split over parts, and the paths for narrow and wide columns.
void check_large_shapes(std::mt19937& generator) {
  const std::vector<std::pair<std::vector<int64_t>, std::vector<bool>>> rows = {
      {{300007}, {true}},
      {{5, 70001}, {false, true}},
      {{70001, 5}, {true, false}},
      {{301, 2, 601}, {true, false, true}},
      {{100, 3, 1200}, {true, false, false}},
      {{3, 600, 2100}, {false, true, false}},
      {{2, 130, 3, 140, 7}, {true, false, true, false, true}},
      {{40, 50, 1, 60, 3}, {true, true, true, true, false}},
      {{9000, 30}, {false, true}},
  };
  for (const auto& row : rows) {
    const Array x = random_array(DType::kFloat32, row.first, generator);
    check_reduction("mean", x, row.second);
    check_reduction("max", x, row.second);
    check_logsumexp(x, row.second);
    check_reduction("sum", random_array(DType::kInt8, row.first, generator), row.second);
    check_reduction("any", random_array(DType::kBool, row.first, generator), row.second);
  }
  check_position("argmax", random_array(DType::kFloat32, {3, 10001}, generator), 1);
  check_position("argmin", random_array(DType::kInt16, {200, 1500}, generator, true), 0);
}

void check_special_values(std::mt19937& generator) {
  for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (int64_t place : {0, 100, 9999}) {
      for (double value : {static_cast<double>(NAN), kInfinity, -kInfinity}) {
        Array x = random_array(dtype, {10000}, generator);
        x.set(place, value);
        Array columns = random_array(dtype, {100, 100}, generator);
        columns.set(place, value);
        for (const char* op : {"sum", "max", "mean"}) {
          check_reduction(op, x, {true});
          check_reduction(op, columns, {true, false});
        }
        check_logsumexp(x, {true});
        check_logsumexp(columns, {true, false});
        check_position("argmax", x, 0);
        check_position("argmin", columns, 0);
        check_position("argmax", columns, 1);
      }
    }
    Array none(dtype, {3, 50});
    none.fill(-kInfinity);
    check_logsumexp(none, {false, true});
    check_logsumexp(none, {true, false});
    Array large = random_array(dtype, {3, 50}, generator);
    for (int64_t i = 0; i < 150; ++i) large.set(i, large[i] + 800);
    check_logsumexp(large, {false, true});
  }
}

/// A long float32 sum of numbers of one sign is within two roundings of the exact sum.
void check_accuracy(std::mt19937& generator) {
  std::uniform_real_distribution<float> uniform(0, 1);
  for (const auto& shape : {std::vector<int64_t>{4000000, 1}, {1000, 1000}}) {
    Array x(DType::kFloat32, shape);
    double exact = 0;
    for (int64_t i = 0; i < x.type.count(); ++i) {
      x.set(i, uniform(generator));
      exact += x[i];
    }
    std::vector<Array> y;
    y.emplace_back(DType::kFloat32, std::vector<int64_t>{});
    GivenBinding binding;
    binding.list_values["axes"] = {0, 1};
    run_kernel("sum", binding, {&x}, y);
    ++cases;
    if (std::fabs(y[0][0] / exact - 1) > 1.2e-7) {
      ++failures;
      std::printf("sum of 4M floats: relative error %.3g\n", y[0][0] / exact - 1);
    }
  }
}

void check_threads(std::mt19937& generator) {
  for (const auto& shape : {std::vector<int64_t>{1500000, 1}, {3000, 400}, {400, 3000}}) {
    const Array x = random_array(DType::kFloat32, shape, generator);
    for (const auto& axes : {std::vector<int64_t>{0, 1}, {0}, {1}}) {
      GivenBinding binding;
      binding.list_values["axes"] = axes;
      int64_t outputs = 1;
      for (int64_t axis : {0, 1}) {
        if (std::find(axes.begin(), axes.end(), axis) == axes.end())
          outputs *= shape[static_cast<size_t>(axis)];
      }
      std::vector<Array> one, three;
      one.emplace_back(DType::kFloat32, std::vector<int64_t>{outputs});
      three.emplace_back(DType::kFloat32, std::vector<int64_t>{outputs});
      set_thread_count(1);
      run_kernel("sum", binding, {&x}, one);
      set_thread_count(3);
      run_kernel("sum", binding, {&x}, three);
      ++cases;
      if (std::memcmp(one[0].data(), three[0].data(), static_cast<size_t>(outputs) * 4) != 0) {
        ++failures;
        std::printf("sum: the bits depend on the number of threads\n");
      }
    }
  }
}

}  // namespace

int main() {
  std::mt19937 generator(7);
  check_random_shapes(generator);
  check_large_shapes(generator);
  check_special_values(generator);
  check_accuracy(generator);
  check_threads(generator);
  return report("reduce");
}
