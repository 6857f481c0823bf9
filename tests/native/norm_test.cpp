// batch_norm and batch_norm_grad against plain loops in double: few and many channels and rows, a
// mean far from zero, no rows, infinities; and the same bits for every number of threads.
#include "arrays.h"

using namespace symk;
using namespace symk::test;

namespace {

constexpr double kEpsilon = 1e-3;

GivenBinding given() {
  GivenBinding binding;
  binding.real_values["epsilon"] = kEpsilon;
  return binding;
}

/// Values whose mean is `offset` deviations from zero.
void check_size(DType dtype, std::vector<int64_t> shape, double offset, std::mt19937& generator) {
  const int64_t channels = shape.back();
  Array x = random_array(dtype, shape, generator);
  for (int64_t i = 0; i < x.type.count(); ++i) x.set(i, x[i] + offset);
  const Array gamma = random_array(dtype, {channels}, generator),
              beta = random_array(dtype, {channels}, generator);
  const Array g = random_array(dtype, shape, generator);
  Array y(dtype, shape), mean(dtype, {channels}), variance(dtype, {channels});
  Array dx(dtype, shape), gamma_grad(dtype, {channels}), beta_grad(dtype, {channels});
  const int64_t rows = channels == 0 ? 0 : x.type.count() / channels;
  const double n = static_cast<double>(rows);
  double steepest = 1;
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, square = 0, slope = 0, total = 0;
    for (int64_t row = 0; row < rows; ++row) sum += x[row * channels + c];
    const double middle = sum / n;
    for (int64_t row = 0; row < rows; ++row) square += std::pow(x[row * channels + c] - middle, 2);
    mean.set(c, middle);
    variance.set(c, square / n);
    const double inverse = 1 / std::sqrt(square / n + kEpsilon);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t i = row * channels + c;
      y.set(i, (x[i] - middle) * inverse * gamma[c] + beta[c]);
      slope += g[i] * (x[i] - middle) * inverse;
      total += g[i];
    }
    gamma_grad.set(c, slope);
    beta_grad.set(c, total);
    steepest = std::max(steepest, std::fabs(inverse * gamma[c]));
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t i = row * channels + c;
      dx.set(i, gamma[c] * inverse * (g[i] - total / n - (x[i] - middle) * inverse * slope / n));
    }
  }
  // What rounding the mean to the dtype alone costs grows with its distance from zero, and with the
  // slope.
  const double rounding = dtype == DType::kFloat32 ? 1e-6 : 1e-14;
  const double tolerance = rounding * 5 * (1 + std::fabs(offset)) * steepest;
  check_kernel("batch_norm", given(), {&x, &gamma, &beta}, {&y, &mean, &variance}, tolerance);
  check_kernel("batch_norm_grad", given(), {&x, &gamma, &mean, &variance, &g},
               {&dx, &gamma_grad, &beta_grad}, tolerance * std::sqrt(n + 1) * 4);
}

void check_infinity(std::mt19937& generator) {
  Array x = random_array(DType::kFloat32, {50, 3}, generator);
  x.set(0, INFINITY);  // in the row that the others are compared with
  x.set(3 * 20 + 1, -INFINITY);
  const Array gamma = random_array(DType::kFloat32, {3}, generator);
  std::vector<Array> out;
  out.emplace_back(DType::kFloat32, std::vector<int64_t>{50, 3});
  out.emplace_back(DType::kFloat32, std::vector<int64_t>{3});
  out.emplace_back(DType::kFloat32, std::vector<int64_t>{3});
  run_kernel("batch_norm", given(), {&x, &gamma, &gamma}, out);
  ++cases;
  const bool right = out[1][0] == INFINITY && out[1][1] == -INFINITY && std::isfinite(out[1][2]) &&
                     std::isnan(out[2][0]) && std::isnan(out[2][1]) && std::isfinite(out[2][2]);
  if (!right) {
    ++failures;
    std::printf("batch_norm: infinities do not stay in their channels\n");
  }
}

void check_threads(std::mt19937& generator) {
  const Array x = random_array(DType::kFloat32, {9000, 24}, generator);
  const Array gamma = random_array(DType::kFloat32, {24}, generator);
  std::vector<std::vector<Array>> results(2);
  for (int k = 0; k < 2; ++k) {
    set_thread_count(k == 0 ? 1 : 3);
    results[k].emplace_back(DType::kFloat32, std::vector<int64_t>{9000, 24});
    results[k].emplace_back(DType::kFloat32, std::vector<int64_t>{24});
    results[k].emplace_back(DType::kFloat32, std::vector<int64_t>{24});
    run_kernel("batch_norm", given(), {&x, &gamma, &gamma}, results[k]);
  }
  ++cases;
  for (size_t k = 0; k < 3; ++k) {
    const auto bytes = static_cast<size_t>(results[0][k].type.bytes());
    if (std::memcmp(results[0][k].data(), results[1][k].data(), bytes) == 0) continue;
    ++failures;
    std::printf("batch_norm: the bits depend on the number of threads\n");
  }
}

}  // namespace

int main() {
  std::mt19937 generator(19);
  const std::vector<std::vector<int64_t>> shapes = {
      {0, 3},       {4, 0},     {1, 1},     {1, 5},     {2, 7},           {33, 1},
      {5, 3, 4, 3}, {1000, 1},  {999, 3},   {77, 64},   {130, 513},       {40, 1025},
      {7, 2100},    {20000, 1}, {9001, 10}, {3000, 64}, {64, 14, 14, 20}, {3}};
  for (const auto& shape : shapes) {
    for (double offset : {0.0, 100.0, -3000.0}) {
      check_size(DType::kFloat32, shape, offset, generator);
      check_size(DType::kFloat64, shape, offset, generator);
    }
  }
  check_infinity(generator);
  check_threads(generator);
  return report("norm");
}
