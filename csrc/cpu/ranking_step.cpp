// Binds top_k and in_top_k: comparisons along rows of the last axis.
#include <algorithm>
#include <cstring>
#include <functional>
#include <type_traits>

#include "cpu/dispatch.h"
#include "cpu/integers.h"
#include "cpu/lambda_step.h"
#include "cpu/ranking.h"
#include "cpu/ranking_plan.h"
#include "runtime/memory.h"

namespace symk::cpu {
namespace {

/// Whether element a of a row comes before element b: it is larger, or equal and earlier. NaN is
/// larger than all numbers.
template <class T>
struct ComesBefore {
  const T* row;

  bool operator()(int64_t a, int64_t b) const {
    const T x = row[a], y = row[b];
    if constexpr (std::is_floating_point_v<T>) {
      const bool x_is_number = x == x, y_is_number = y == y;
      if (x_is_number != y_is_number) return y_is_number;
      if (!x_is_number) return a < b;
    }
    return x != y ? x > y : a < b;
  }
};

constexpr int64_t kBlocks = 128;  // of a row; each is looked at as a whole first
constexpr int64_t kLeastBlock = 32;

/// As `RankingFunctions`; integers have no NaN.
constexpr RankingFunctions<int64_t> of_integers = {
    [](const int64_t* row, int64_t n, int64_t length, int64_t* tops) {
      for (int64_t first = 0; first < n; first += length) {
        *tops++ = *std::max_element(row + first, row + std::min(n, first + length));
      }
    },
    [](const int64_t* x, int n, int64_t limit) {
      uint64_t bits = 0;
      for (int i = 0; i < n; ++i) bits |= static_cast<uint64_t>(x[i] >= limit) << i;
      return bits;
    },
    nullptr,
};
template <class T>
const RankingFunctions<T>& functions() {
  if constexpr (std::is_same_v<T, float>) return kernels<RankingKernels>().float32;
  if constexpr (std::is_same_v<T, double>) return kernels<RankingKernels>().float64;
  if constexpr (std::is_integral_v<T>) return of_integers;
}

/// Calls f(position) in order for elements of a row, among them the k first: none of those is below
/// the k-th largest of the tops of blocks.
template <class T, class F>
void for_candidates(const T* row, int64_t n, int64_t k, F&& f) {
  const int64_t length = std::max(kLeastBlock, ceil_div(n, kBlocks)), blocks = ceil_div(n, length);
  if (k > blocks) {
    for (int64_t i = 0; i < n; ++i) f(i);
    return;
  }
  const RankingFunctions<T>& look = functions<T>();
  T tops[kBlocks] = {}, sorted[kBlocks] = {};
  look.block_tops(row, n, length, tops);
  std::copy_n(tops, blocks, sorted);
  std::nth_element(sorted, sorted + k - 1, sorted + blocks, std::greater<T>());
  const T limit = sorted[k - 1];
  for (int64_t b = 0; b < blocks; ++b) {
    if (tops[b] < limit) continue;
    const int64_t end = std::min(n, (b + 1) * length);
    for (int64_t i = b * length; i < end; i += 64) {
      const int count = static_cast<int>(std::min<int64_t>(64, end - i));
      for (uint64_t bits = look.not_below(row + i, count, limit); bits; bits &= bits - 1) {
        f(i + __builtin_ctzll(bits));
      }
    }
  }
}

/// Where the k first of n elements in order stand, k > 0. `positions` is a heap with the last of
/// them on top while the row is read.
template <class T>
void top_of_row(const T* row, int64_t n, int64_t k, int64_t* positions) {
  const ComesBefore<T> comes_before{row};
  int64_t found = 0;
  for_candidates(row, n, k, [&](int64_t i) {
    if (found == k) {
      if (!comes_before(i, positions[0])) return;
      std::pop_heap(positions, positions + k, comes_before);
      --found;
    }
    positions[found++] = i;
    std::push_heap(positions, positions + found, comes_before);
  });
  std::sort_heap(positions, positions + k, comes_before);
}

template <class T>
std::unique_ptr<Step> make_top_k(const RankingPlan& plan) {
  const int64_t rows = plan.rows, n = plan.n, k = plan.k;
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    const T* x = static_cast<const T*>(operands.in[0]);
    T* largest = static_cast<T*>(operands.out[0]);
    int64_t* positions = static_cast<int64_t*>(operands.out[1]);
    run_parts(pool, rows, units_per_part(n * 8), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const T* const row = x + i * n;
        int64_t* const found = positions + i * k;
        top_of_row(row, n, k, found);
        for (int64_t j = 0; j < k; ++j) largest[i * k + j] = row[found[j]];
      }
    });
  });
}

/// Integers of fewer than 64 bits, widened row by row.
std::unique_ptr<Step> make_narrow_top_k(Binding& binding, const RankingPlan& plan) {
  constexpr int64_t most_parts = 16;  // each has a row of scratch
  const int64_t rows = plan.rows, n = plan.n, k = plan.k;
  const DType dtype = binding.inputs()[0].dtype;
  const int64_t item = item_bytes(dtype);
  const int64_t per_part = std::max(units_per_part(n * 8), ceil_div(rows, most_parts));
  binding.need_scratch(checked_multiply(checked_multiply(n, 8), ceil_div(rows, per_part)));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    const char* x = static_cast<const char*>(operands.in[0]);
    char* largest = static_cast<char*>(operands.out[0]);
    int64_t* positions = static_cast<int64_t*>(operands.out[1]);
    run_parts(pool, rows, per_part, [&](int64_t first, int64_t last) {
      int64_t* const wide = static_cast<int64_t*>(operands.scratch) + first / per_part * n;
      for (int64_t i = first; i < last; ++i) {
        for (int64_t j = 0; j < n; ++j) wide[j] = integer_at(dtype, x, i * n + j);
        top_of_row(wide, n, k, positions + i * k);
        for (int64_t j = i * k; j < (i + 1) * k; ++j)
          std::memcpy(largest + j * item, x + (i * n + positions[j]) * item, item);
      }
    });
  });
}

[[gnu::cold]] std::unique_ptr<Step> bind_top_k(Binding& binding) {
  const RankingPlan plan = plan_top_k(binding);
  const DType dtype = binding.inputs()[0].dtype;
  switch (dtype) {
    case DType::kFloat32: return make_top_k<float>(plan);
    case DType::kFloat64: return make_top_k<double>(plan);
    case DType::kInt64: return make_top_k<int64_t>(plan);
    default: break;
  }
  if (!is_integer(dtype)) throw no_dtype("top_k", dtype);
  return make_narrow_top_k(binding, plan);
}

/// Whether fewer than k of the n predictions are greater than that of the target, all finite.
template <class T>
bool is_in_top(const T* predictions, int64_t n, int64_t target, int64_t k) {
  if (target < 0 || target >= n) return false;
  const int64_t greater = functions<T>().count_above(predictions, n, predictions[target]);
  return greater < n && greater < k;
}

template <class T>
std::unique_ptr<Step> make_in_top_k(DType targets, int64_t rows, int64_t n, int64_t k) {
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    const T* predictions = static_cast<const T*>(operands.in[0]);
    uint8_t* y = static_cast<uint8_t*>(operands.out[0]);
    run_parts(pool, rows, units_per_part(n * sizeof(T)), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        y[i] = is_in_top(predictions + i * n, n, integer_at(targets, operands.in[1], i), k);
    });
  });
}

[[gnu::cold]] std::unique_ptr<Step> bind_in_top_k(Binding& binding) {
  const auto [rows, n, k] = plan_in_top_k(binding);
  const Type& predictions = binding.inputs()[0];
  const Type& targets = binding.inputs()[1];
  if (!is_integer(targets.dtype)) throw no_dtype("in_top_k", targets.dtype);
  return float_place("in_top_k", predictions.dtype) == 0
             ? make_in_top_k<float>(targets.dtype, rows, n, k)
             : make_in_top_k<double>(targets.dtype, rows, n, k);
}

const KernelEntry entries[] = {
    {"top_k", bind_top_k},
    {"in_top_k", bind_in_top_k},
};

}  // namespace
}  // namespace symk::cpu
