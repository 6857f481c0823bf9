// The same bits for every number of threads: matmul and the convolutions at sizes that are cut into
// parts. Callers do not wait for each other, and a caller does not wait for idle workers.
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "outcome.h"
#include "run_kernel.h"

using namespace symk;
using namespace symk::test;

namespace {

std::vector<float> values(int64_t count, int64_t step) {
  std::vector<float> v(static_cast<size_t>(count));
  for (size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<float>((static_cast<int64_t>(i) * step) % 1009) / 1009 - 0.5f;
  return v;
}

std::vector<float> result(const char* kernel, const GivenBinding& binding, int threads) {
  set_thread_count(threads);
  const auto a = values(binding.in[0].count(), 7919), b = values(binding.in[1].count(), 104729);
  std::vector<float> c(static_cast<size_t>(binding.out[0].count()));
  BoundKernel(kernel, binding).run({a.data(), b.data()}, {c.data()});
  return c;
}

void check(const char* kernel, const GivenBinding& binding) {
  const auto one = result(kernel, binding, 1);
  for (int threads : {2, 3, 8}) {
    ++cases;
    const auto many = result(kernel, binding, threads);
    if (std::memcmp(one.data(), many.data(), one.size() * sizeof(float)) == 0) continue;
    ++failures;
    std::printf("FAIL %s: 1 and %d threads give other bits\n", kernel, threads);
  }
}

void check_matmul(int64_t m, int64_t n, int64_t k) {
  GivenBinding binding;
  binding.in = {type_of(DType::kFloat32, {m, k}), type_of(DType::kFloat32, {k, n})};
  binding.out = {type_of(DType::kFloat32, {m, n})};
  binding.text_lists["epilogue"] = {};
  check("matmul", binding);
}

void check_conv(int64_t batch, int64_t size, int64_t in, int64_t out) {
  GivenBinding binding;
  const Type x = type_of(DType::kFloat32, {batch, size, size, in}),
             w = type_of(DType::kFloat32, {3, 3, in, out});
  const Type y = type_of(DType::kFloat32, {batch, size, size, out});
  binding.list_values = {{"strides", {1, 1}}, {"dilation", {1, 1}}};
  binding.text_values = {{"padding", "same"}};
  binding.text_lists["epilogue"] = {};
  binding.in = {x, w};
  binding.out = {y};
  check("conv", binding);
  binding.in = {y, w};
  binding.out = {x};
  check("conv_grad_input", binding);
  binding.in = {x, y};
  binding.out = {w};
  check("conv_grad_kernel", binding);
}

/// A job that ends only when those of three other callers have: they must not wait for the pool.
void check_callers() {
  set_thread_count(2);
  std::atomic<int> done{0};
  std::vector<std::thread> others;
  thread_pool().parallel(2, [&](int64_t part) {
    if (part > 0) return;
    for (int i = 0; i < 3; ++i) {
      others.emplace_back([&] { thread_pool().parallel(8, [&](int64_t) { done.fetch_add(1); }); });
    }
    while (done.load() < 24) std::this_thread::yield();
  });
  for (auto& other : others) other.join();
}

/// Every part of a job is done once, however many there are for each thread.
void check_parts() {
  for (int threads : {1, 2, 3, 8}) {
    set_thread_count(threads);
    for (int64_t parts : {1, 2, 3, 7, 8, 9, 100}) {
      std::vector<std::atomic<int>> times(static_cast<size_t>(parts));
      for (auto& count : times) count = 0;
      thread_pool().parallel(parts, [&](int64_t part) { ++times[static_cast<size_t>(part)]; });
      for (auto& count : times) failures += count != 1;
    }
  }
}

}  // namespace

int main() {
  check_parts();
  check_callers();
  check_matmul(300, 300, 300);
  check_matmul(33, 64, 4000);
  check_matmul(1, 1500, 900);
  check_matmul(900, 1, 1500);
  check_conv(5, 28, 16, 40);
  check_conv(1, 14, 64, 128);
  return report("threads");
}
