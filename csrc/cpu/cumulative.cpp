// The loops of cumsum, cumprod and linear_recurrence. Each line is taken in its order; floats
// accumulate in double, integers modulo 2^64.
#include "cpu/cumulative.h"

#include <type_traits>

namespace symk::cpu::SYMK_ISA {
namespace {

template <class T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

/// How many lines that are apart in memory are taken together: as many additions are under way.
template <class T>
constexpr int kTogether = std::is_floating_point_v<T> ? 8 : 1;

/// `count` lines, of which line j is j * apart behind the first; their totals stay in registers.
template <int count, class T, class Next>
[[gnu::always_inline]] inline void run_together(T* y, const CumulativeLines& lines, int64_t first,
                                                Total<T> start, Next next) {
  Total<T> totals[count];
#pragma GCC unroll 8
  for (int j = 0; j < count; ++j) totals[j] = start;
  for (int64_t k = 0, at = first * lines.apart; k < lines.n; ++k, at += lines.stride) {
#pragma GCC unroll 8
    for (int j = 0; j < count; ++j) {
      totals[j] = next(totals[j], at + j * lines.apart);
      y[at + j * lines.apart] = static_cast<T>(totals[j]);
    }
  }
}

/// Lines beside each other, in vectors.
template <class T, class Next>
[[gnu::always_inline]] inline void run_neighbours(T* y, const CumulativeLines& lines,
                                                  Total<T> start, Next next) {
  Total<T> totals[kCumulativeWidth];
  for (int64_t j = 0; j < lines.width; ++j) totals[j] = start;
  for (int64_t k = 0, at = 0; k < lines.n; ++k, at += lines.stride) {
    for (int64_t j = 0; j < lines.width; ++j) {
      totals[j] = next(totals[j], at + j);
      y[at + j] = static_cast<T>(totals[j]);
    }
  }
}

/// total <- next(total, i) for each place i of the lines; y gets every total.
template <class T, class Next>
[[gnu::always_inline]] inline void run_lines(T* y, const CumulativeLines& lines, Total<T> start,
                                             Next next) {
  if (lines.apart == 1) return run_neighbours(y, lines, start, next);
  int64_t j = 0;
  for (; j + kTogether<T> <= lines.width; j += kTogether<T>)
    run_together<kTogether<T>>(y, lines, j, start, next);
  for (; j < lines.width; ++j) run_together<1>(y, lines, j, start, next);
}

template <class T>
void sum(const void* data, const void*, void* y, const CumulativeLines& lines) {
  const T* a = static_cast<const T*>(data);
  run_lines(static_cast<T*>(y), lines, Total<T>(0),
            [a](Total<T> total, int64_t i) { return total + static_cast<Total<T>>(a[i]); });
}

template <class T>
void product(const void* data, const void*, void* y, const CumulativeLines& lines) {
  const T* a = static_cast<const T*>(data);
  run_lines(static_cast<T*>(y), lines, Total<T>(1),
            [a](Total<T> total, int64_t i) { return total * static_cast<Total<T>>(a[i]); });
}

template <class T>
void recurrence(const void* factors, const void* terms, void* y, const CumulativeLines& lines) {
  const T *a = static_cast<const T*>(factors), *b = static_cast<const T*>(terms);
  run_lines(static_cast<T*>(y), lines, Total<T>(0), [a, b](double total, int64_t i) {
    return static_cast<double>(a[i]) * total + static_cast<double>(b[i]);
  });
}

template <class T>
constexpr void set(CumulativeKernels& table, DType dtype) {
  table.sum[static_cast<int>(dtype)] = sum<T>;
  table.product[static_cast<int>(dtype)] = product<T>;
}

constexpr CumulativeKernels make_table() {
  CumulativeKernels table = {};
  if constexpr (is_for_integers(Isa::SYMK_ISA)) {
    set<int8_t>(table, DType::kInt8);
    set<int16_t>(table, DType::kInt16);
    set<int32_t>(table, DType::kInt32);
    set<int64_t>(table, DType::kInt64);
    set<uint8_t>(table, DType::kUInt8);
  } else {
    set<float>(table, DType::kFloat32);
    set<double>(table, DType::kFloat64);
    table.recurrence[static_cast<int>(DType::kFloat32)] = recurrence<float>;
    table.recurrence[static_cast<int>(DType::kFloat64)] = recurrence<double>;
  }
  return table;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const CumulativeKernels& CumulativeKernels::of<Isa::SYMK_ISA>() {
  static constexpr CumulativeKernels table = SYMK_ISA::make_table();
  return table;
}

}  // namespace symk::cpu
