// Pooling and its gradients against plain loops: windows smaller and larger than strides and than
// the image, both paddings, few and many channels, equal elements, NaN; and the same bits for every
// number of threads.
#include "arrays.h"

using namespace symk;
using namespace symk::test;

namespace {

struct Geometry {
  int64_t batch, height, width, channels;
  int64_t window[2], strides[2];
  bool same;
  int64_t out[2] = {}, pad[2] = {};

  void finish() {
    for (int k = 0; k < 2; ++k) {
      const int64_t size = k == 0 ? height : width;
      out[k] = same               ? (size + strides[k] - 1) / strides[k]
               : size < window[k] ? 0
                                  : (size - window[k]) / strides[k] + 1;
      if (same) pad[k] = std::max<int64_t>(0, (out[k] - 1) * strides[k] + window[k] - size) / 2;
    }
  }
  GivenBinding binding() const {
    GivenBinding result;
    result.list_values["window"] = {window[0], window[1]};
    result.list_values["strides"] = {strides[0], strides[1]};
    result.text_values["padding"] = same ? "same" : "valid";
    return result;
  }
  std::vector<int64_t> x_shape() const { return {batch, height, width, channels}; }
  std::vector<int64_t> y_shape() const { return {batch, out[0], out[1], channels}; }

  /// Calls f(result, elements of x in its window in row-major order) for all results.
  template <class F>
  void for_windows(F&& f) const {
    const std::vector<int64_t> shape = y_shape();
    const Array y(DType::kInt8, shape);
    for (int64_t i = 0; i < y.type.count(); ++i) {
      const std::vector<int64_t> at = coordinates(i, shape);
      std::vector<int64_t> elements;
      for (int64_t r = 0; r < window[0]; ++r) {
        for (int64_t s = 0; s < window[1]; ++s) {
          const int64_t row = at[1] * strides[0] - pad[0] + r,
                        column = at[2] * strides[1] - pad[1] + s;
          if (row < 0 || row >= height || column < 0 || column >= width) continue;
          elements.push_back(flat_index({at[0], row, column, at[3]}, x_shape()));
        }
      }
      f(i, elements);
    }
  }
};

void check_geometry(Geometry c, DType dtype, bool whole, bool with_nan, std::mt19937& generator) {
  c.finish();
  Array x = random_array(dtype, c.x_shape(), generator, whole);
  if (with_nan) {
    for (int64_t i = 0; i < x.type.count(); i += 7) x.set(i, NAN);
  }
  const Array g = random_array(dtype, c.y_shape(), generator);
  const Array v = random_array(dtype, c.x_shape(), generator);
  Array top(dtype, c.y_shape()), mean(dtype, c.y_shape()), picked(dtype, c.y_shape());
  Array top_grad(dtype, c.x_shape()), mean_grad(dtype, c.x_shape());
  c.for_windows([&](int64_t i, const std::vector<int64_t>& elements) {
    int64_t best = elements.front();
    double sum = 0;
    for (int64_t element : elements) {
      sum += x[element];
      if (!std::isnan(x[best]) && (std::isnan(x[element]) || x[element] > x[best])) best = element;
    }
    const double count = static_cast<double>(elements.size());
    top.set(i, x[best]);
    mean.set(i, sum / count);
    picked.set(i, v[best]);
    top_grad.set(best, top_grad[best] + g[i]);
    for (int64_t element : elements) mean_grad.set(element, mean_grad[element] + g[i] / count);
  });
  const double tolerance = dtype == DType::kFloat32 ? 1e-5 : 1e-13;
  check_kernel("max_pool", c.binding(), {&x}, {&top}, 0);
  check_kernel("average_pool", c.binding(), {&x}, {&mean}, tolerance);
  check_kernel("max_pool_grad", c.binding(), {&x, &top, &g}, {&top_grad}, tolerance);
  check_kernel("max_pool_pick", c.binding(), {&x, &top, &v}, {&picked}, 0);
  check_kernel("average_pool_grad", c.binding(), {&g}, {&mean_grad}, tolerance);
}

void check_random_geometries(std::mt19937& generator) {
  const std::vector<int64_t> channels = {0, 1, 2, 3, 4, 7, 16, 20, 64, 70};
  for (int repeat = 0; repeat < 400; ++repeat) {
    Geometry c = {};
    c.batch = random_integer(0, 3, generator);
    c.height = random_integer(repeat % 10 == 0 ? 0 : 1, 11, generator);
    c.width = random_integer(repeat % 10 == 0 ? 0 : 1, 11, generator);
    c.channels = random_choice(channels, generator);
    const bool tiles = random_integer(0, 2, generator) == 0;
    for (int k = 0; k < 2; ++k) {
      c.window[k] = random_integer(1, 4, generator);
      c.strides[k] = tiles ? c.window[k] : random_integer(1, 4, generator);
    }
    c.same = random_integer(0, 1, generator) == 1;
    const DType dtype = random_integer(0, 1, generator) ? DType::kFloat32 : DType::kFloat64;
    check_geometry(c, dtype, repeat % 2 == 0, repeat % 5 == 0, generator);
  }
}

void check_split_images(std::mt19937& generator) {
  for (bool same : {false, true}) {
    check_geometry({2, 61, 90, 32, {2, 2}, {2, 2}, same}, DType::kFloat32, true, false, generator);
    check_geometry({1, 80, 75, 48, {3, 3}, {1, 1}, same}, DType::kFloat32, true, false, generator);
    check_geometry({1, 90, 64, 40, {3, 3}, {2, 2}, same}, DType::kFloat64, true, false, generator);
    check_geometry({1, 120, 70, 24, {2, 3}, {5, 4}, same}, DType::kFloat32, true, false, generator);
    check_geometry({1, 9, 9, 5, {20, 20}, {1, 1}, same}, DType::kFloat32, true, false, generator);
  }
}

void check_threads(std::mt19937& generator) {
  Geometry c = {2, 90, 80, 32, {3, 3}, {2, 2}, true};
  c.finish();
  const Array x = random_array(DType::kFloat32, c.x_shape(), generator, true);
  const Array g = random_array(DType::kFloat32, c.y_shape(), generator);
  std::vector<std::vector<Array>> results(2);
  for (int k = 0; k < 2; ++k) {
    set_thread_count(k == 0 ? 1 : 3);
    std::vector<Array> y;
    y.emplace_back(DType::kFloat32, c.y_shape());
    run_kernel("max_pool", c.binding(), {&x}, y);
    results[k].emplace_back(DType::kFloat32, c.x_shape());
    run_kernel("max_pool_grad", c.binding(), {&x, &y[0], &g}, results[k]);
  }
  ++cases;
  if (std::memcmp(results[0][0].data(), results[1][0].data(),
                  static_cast<size_t>(x.type.bytes())) != 0) {
    ++failures;
    std::printf("max_pool_grad: the bits depend on the number of threads\n");
  }
}

}  // namespace

int main() {
  std::mt19937 generator(17);
  check_random_geometries(generator);
  check_split_images(generator);
  check_threads(generator);
  return report("pool");
}
