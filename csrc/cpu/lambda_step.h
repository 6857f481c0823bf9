// A Step made of a callable, and the partition of work that bindings use. For *_step.cpp files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "runtime/kernel.h"

namespace symk::cpu {

/// A step whose run is `f(operands, pool)`; f returns nothing, or a Status.
template <class F>
std::unique_ptr<Step> make_step(F f) {
  class LambdaStep : public Step {
   public:
    explicit LambdaStep(F f) : f_(std::move(f)) {}
    Status run(const Operands& operands, ThreadPool& pool) override {
      if constexpr (std::is_void_v<decltype(f_(operands, pool))>) {
        f_(operands, pool);
        return Status();
      } else {
        return f_(operands, pool);
      }
    }

   private:
    F f_;
  };
  return std::make_unique<LambdaStep>(std::move(f));
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Bytes that one part of memory-bound work moves: large beside the cost of a hand-over to a thread
/// (some microseconds), small beside the second-level cache.
constexpr int64_t kPartBytes = 128 * 1024;

/// How many units of `unit_bytes` one part takes.
inline int64_t units_per_part(int64_t unit_bytes) {
  return std::max<int64_t>(1, kPartBytes / std::max<int64_t>(1, unit_bytes));
}

/// Runs f(first, last) over parts of `per_part` units each.
template <class F>
void run_parts(ThreadPool& pool, int64_t units, int64_t per_part, F&& f) {
  const int64_t parts = ceil_div(units, per_part);
  if (parts <= 1) {
    if (units > 0) f(int64_t{0}, units);
    return;
  }
  pool.parallel(parts,
                [&](int64_t part) { f(part * per_part, std::min(units, (part + 1) * per_part)); });
}

}  // namespace symk::cpu
