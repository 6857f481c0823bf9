// The loops of cumsum, cumprod and linear_recurrence. Each line is taken in its order; floats
// accumulate in double, integers modulo 2^64.
#include "cpu/cumulative.h"

#include <type_traits>

namespace symk::cpu::SYMK_ISA {
namespace {

template <class T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

/// total <- next(total, i) for each place i of the lines; y gets every total.
template <class T, class Next>
[[gnu::always_inline]] inline void run_lines(T* y, int64_t n, int64_t stride, int64_t width,
                                             Total<T> start, Next next) {
  if (width == 1) {
    Total<T> total = start;
    for (int64_t k = 0, at = 0; k < n; ++k, at += stride) {
      total = next(total, at);
      y[at] = static_cast<T>(total);
    }
    return;
  }
  Total<T> totals[kCumulativeWidth];
  for (int64_t j = 0; j < width; ++j) totals[j] = start;
  for (int64_t k = 0, at = 0; k < n; ++k, at += stride) {
    for (int64_t j = 0; j < width; ++j) {
      totals[j] = next(totals[j], at + j);
      y[at + j] = static_cast<T>(totals[j]);
    }
  }
}

template <class T>
void sum(const void* data, const void*, void* y, int64_t n, int64_t stride, int64_t width) {
  const T* a = static_cast<const T*>(data);
  run_lines(static_cast<T*>(y), n, stride, width, Total<T>(0),
            [a](Total<T> total, int64_t i) { return total + static_cast<Total<T>>(a[i]); });
}

template <class T>
void product(const void* data, const void*, void* y, int64_t n, int64_t stride, int64_t width) {
  const T* a = static_cast<const T*>(data);
  run_lines(static_cast<T*>(y), n, stride, width, Total<T>(1),
            [a](Total<T> total, int64_t i) { return total * static_cast<Total<T>>(a[i]); });
}

template <class T>
void recurrence(const void* factors, const void* terms, void* y, int64_t n, int64_t stride,
                int64_t width) {
  const T *a = static_cast<const T*>(factors), *b = static_cast<const T*>(terms);
  run_lines(static_cast<T*>(y), n, stride, width, Total<T>(0), [a, b](double total, int64_t i) {
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
  set<float>(table, DType::kFloat32);
  set<double>(table, DType::kFloat64);
  set<int8_t>(table, DType::kInt8);
  set<int16_t>(table, DType::kInt16);
  set<int32_t>(table, DType::kInt32);
  set<int64_t>(table, DType::kInt64);
  set<uint8_t>(table, DType::kUInt8);
  table.recurrence[static_cast<int>(DType::kFloat32)] = recurrence<float>;
  table.recurrence[static_cast<int>(DType::kFloat64)] = recurrence<double>;
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
