// Runs the probes on the thread pool; the best of a few rounds counts, since others may disturb.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "cpu/dispatch.h"
#include "cpu/limits.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace symk::cpu {
namespace {

constexpr int kRepeats = 5;
constexpr int64_t kRounds = 200000;                // some milliseconds
constexpr int64_t kCopyBytes = int64_t{96} << 20;  // beyond the caches, as is its copy

template <class Work>
double best_seconds(Work work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double measure_flops(ThreadPool& pool, int64_t parts) {
  const LimitKernels& probe = kernels<LimitKernels>();
  std::atomic<float> sink{0};
  const double seconds = best_seconds(
      [&] { pool.parallel(parts, [&](int64_t) { sink.store(probe.multiply_add(kRounds)); }); });
  return static_cast<double>(probe.flops_per_round * kRounds * parts) / seconds;
}

double measure_bytes(ThreadPool& pool, int64_t parts) {
  const Block from(kCopyBytes), to(kCopyBytes);
  const int64_t part_bytes = kCopyBytes / parts;
  const double seconds = best_seconds([&] {
    pool.parallel(parts, [&](int64_t part) {
      std::memcpy(to.data() + part * part_bytes, from.data() + part * part_bytes,
                  static_cast<size_t>(part_bytes));
    });
  });
  return static_cast<double>(2 * part_bytes * parts) / seconds;
}

}  // namespace

Limits measure_limits() {
  ThreadPool& pool = thread_pool();
  const int64_t parts = std::max(1, thread_count());
  return {measure_flops(pool, parts), measure_bytes(pool, parts)};
}

}  // namespace symk::cpu
