// top_k and in_top_k: comparisons along rows of the last axis. In a short row every element counts
// those that come before it; in a long one a block finds the k first, one after the other.
#include "cpu/ranking_plan.h"
#include "cuda/device.h"
#include "cuda/fault.h"
#include "cuda/fold.h"

namespace symk::cuda {
namespace {

/// Whether element a of a row comes before element b: it is larger, or equal and earlier. NaN is
/// larger than all numbers.
template <class T>
SYMK_HD bool comes_before(T x, int64_t a, T y, int64_t b) {
  const bool x_is_number = x == x, y_is_number = y == y;
  if (x_is_number != y_is_number) return y_is_number;
  return x_is_number && x != y ? x > y : a < b;
}

/// A thread per element of all rows.
template <class T>
struct RankElements {
  const T* x;
  int64_t n, k;
  T* largest;
  int64_t* positions;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t row = i / n, own = i % n;
    const T* const from = x + row * n;
    int64_t rank = 0;
    for (int64_t j = 0; j < n; ++j) rank += comes_before(from[j], j, from[own], own);
    if (rank >= k) return;
    largest[row * k + rank] = from[own];
    positions[row * k + rank] = own;
  }
};

/// The first of all elements in order; position -1 of nothing.
template <class T>
struct First {
  struct Total {
    T value;
    int64_t position;
  };
  SYMK_HD static Total start() { return {T(0), -1}; }
  SYMK_HD static Total fold(Total a, Total b) {
    if (a.position < 0) return b;
    if (b.position < 0) return a;
    return comes_before(a.value, a.position, b.value, b.position) ? a : b;
  }
};

/// A block per row.
template <class T>
struct TakeFirst {
  const T* x;
  int64_t n, k;
  T* largest;
  int64_t* positions;
  SYMK_HD void operator()(int64_t row) const {
    const T* const from = x + row * n;
    typename First<T>::Total last = First<T>::start();
    for (int64_t found = 0; found < k; ++found) {
      typename First<T>::Total next = First<T>::start();
      for (int64_t i = threadIdx.x; i < n; i += kFoldThreads) {
        const bool left = last.position < 0 || comes_before(last.value, last.position, from[i], i);
        if (left) next = First<T>::fold(next, {from[i], i});
      }
      last = fold_block<First<T>>(next);
      if (threadIdx.x != 0) continue;
      largest[row * k + found] = last.value;
      positions[row * k + found] = last.position;
    }
  }
};

constexpr int64_t kShortRow = 1024;

std::unique_ptr<Step> bind_top_k(Binding& binding) {
  const cpu::RankingPlan plan = cpu::plan_top_k(binding);
  const DType dtype = binding.inputs()[0].dtype;
  return with_number(
      dtype,
      [&](auto tag) -> std::unique_ptr<Step> {
        using T = typename decltype(tag)::type;
        return make_step(binding, [=](const Queue& queue, const Operands& operands) {
          const T* const from = input<T>(operands, 0);
          T* const values = output<T>(operands, 0);
          int64_t* const places = output<int64_t>(operands, 1);
          const auto [rows, n, k] = plan;
          if (n <= kShortRow) {
            each(queue, rows * n, RankElements<T>{from, n, k, values, places});
          } else {
            blocks(queue, rows, kFoldThreads, 0, TakeFirst<T>{from, n, k, values, places});
          }
        });
      },
      [&]() -> std::unique_ptr<Step> { throw cpu::no_dtype("top_k", dtype); });
}

/// Whether fewer than k of the n predictions are greater than that of the target, all finite. A
/// block per row.
template <class T, class I>
struct InTop {
  const T* predictions;
  const I* targets;
  int64_t n, k;
  uint8_t* y;
  SYMK_HD void operator()(int64_t row) const {
    const T* const x = predictions + row * n;
    const int64_t target = static_cast<int64_t>(targets[row]);
    const bool inside = target >= 0 && target < n;
    const T of_target = inside ? x[target] : T(0);
    int64_t greater = 0;
    bool finite = inside;
    for (int64_t i = threadIdx.x; i < n; i += kFoldThreads) {
      finite = finite && math::abs(x[i]) < math::Format<T>::infinity;
      greater += x[i] > of_target;
    }
    const auto total =
        static_cast<int64_t>(fold_block<Sum<int64_t>>(static_cast<uint64_t>(greater)));
    const bool all = fold_block<All<uint8_t>>(finite) != 0;
    if (threadIdx.x == 0) y[row] = all && total < k;
  }
};

std::unique_ptr<Step> bind_in_top_k(Binding& binding) {
  constexpr const char* name = "in_top_k";
  const cpu::RankingPlan plan = cpu::plan_in_top_k(binding);
  const Type& predictions = binding.inputs()[0];
  const Type& targets = binding.inputs()[1];
  const auto make = [&](auto zero) {
    using T = decltype(zero);
    return with_index(name, targets.dtype, [&](auto tag) {
      using I = typename decltype(tag)::type;
      return make_step(binding, [=](const Queue& queue, const Operands& operands) {
        blocks(queue, plan.rows, kFoldThreads, 0,
               InTop<T, I>{input<T>(operands, 0), input<I>(operands, 1), plan.n, plan.k,
                           output<uint8_t>(operands, 0)});
      });
    });
  };
  return cpu::float_place(name, predictions.dtype) == 0 ? make(float()) : make(double());
}

const KernelEntry entries[] = {
    {"top_k", bind_top_k},
    {"in_top_k", bind_in_top_k},
};

}  // namespace
}  // namespace symk::cuda
