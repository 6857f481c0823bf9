// The loops over the elements of a sparse matrix. Each row of a result is summed in the order of
// the elements, whoever computes it.
#include "cpu/csr.h"

#include <cstring>
#include <type_traits>

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {
namespace {

/// to += value * from, over one row of the dense matrix.
template <class T>
[[gnu::always_inline]] inline void add_row(T* __restrict to, T value, const T* __restrict from,
                                           int64_t width) {
  for (int64_t j = 0; j < width; ++j) to[j] += value * from[j];
}

template <class T>
void clear(T* y, int64_t first, int64_t last, int64_t width) {
  std::memset(y + first * width, 0, static_cast<size_t>((last - first) * width) * sizeof(T));
}

/// Elements first..last-1 of a matrix, which make one row of the product.
template <class T, class Index>
struct RowElements {
  const T* values;
  const Index* columns;
  int64_t first, last;
};

/// `vectors` registers of a row of the product, summed over its elements before they are stored.
template <int vectors, class T, class Index>
[[gnu::always_inline]] inline void sum_block(const RowElements<T, Index>& row, const T* dense,
                                             int64_t width, T* y) {
  using V = Vec<T>;
  V sums[vectors] = {};
  for (int64_t k = row.first; k < row.last; ++k) {
    const V value(row.values[k]);
    const T* from = dense + row.columns[k] * width;
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i) sums[i] = fma(value, V::load(from + i * V::width), sums[i]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < vectors; ++i) sums[i].store(y + i * V::width);
}

/// The last columns of a row of the product, fewer than a register has.
template <class T, class Index>
[[gnu::always_inline]] inline void sum_rest(const RowElements<T, Index>& row, const T* dense,
                                            int64_t width, int rest, T* y) {
  using V = Vec<T>;
  V sum = V::zero();
  for (int64_t k = row.first; k < row.last; ++k)
    sum = fma(V(row.values[k]), V::load_partial(dense + row.columns[k] * width, rest), sum);
  sum.store_partial(y, rest);
}

template <class T, class Index>
void matmul(const CsrPlan& plan, const CsrOperands& operands, int64_t first, int64_t last) {
  constexpr int lanes = Vec<T>::width;
  const T* dense = static_cast<const T*>(operands.dense);
  const Index* bounds = static_cast<const Index*>(operands.bounds);
  for (int64_t number = first; number < last; ++number) {
    const RowElements<T, Index> row = {static_cast<const T*>(operands.values),
                                       static_cast<const Index*>(operands.columns), bounds[number],
                                       bounds[number + 1]};
    T* y = static_cast<T*>(operands.y) + number * plan.width;
    int64_t j = 0;
    for (; j + 4 * lanes <= plan.width; j += 4 * lanes)
      sum_block<4>(row, dense + j, plan.width, y + j);
    for (; j + lanes <= plan.width; j += lanes) sum_block<1>(row, dense + j, plan.width, y + j);
    const int rest = static_cast<int>(plan.width - j);
    if (rest > 0) sum_rest(row, dense + j, plan.width, rest, y + j);
  }
}

template <class T, class Index>
void transposed_matmul(const CsrPlan& plan, const CsrOperands& operands, int64_t first,
                       int64_t last) {
  const T* values = static_cast<const T*>(operands.values);
  const T* dense = static_cast<const T*>(operands.dense);
  const Index* columns = static_cast<const Index*>(operands.columns);
  const Index* bounds = static_cast<const Index*>(operands.bounds);
  T* y = static_cast<T*>(operands.y);
  clear(y, first, last, plan.width);
  for (int64_t row = 0; row < plan.rows; ++row) {
    for (int64_t k = bounds[row]; k < bounds[row + 1]; ++k) {
      const int64_t column = columns[k];
      if (column < first || column >= last) continue;
      add_row(y + column * plan.width, values[k], dense + row * plan.width, plan.width);
    }
  }
}

/// Integers wrap.
template <class T>
[[gnu::always_inline]] inline T plus(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a + b;
  else
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

template <class T, class Index>
void to_dense(const CsrPlan& plan, const CsrOperands& operands, int64_t first, int64_t last) {
  const T* values = static_cast<const T*>(operands.values);
  const Index* columns = static_cast<const Index*>(operands.columns);
  const Index* bounds = static_cast<const Index*>(operands.bounds);
  T* y = static_cast<T*>(operands.y);
  clear(y, first, last, plan.columns);
  for (int64_t row = first; row < last; ++row) {
    T* to = y + row * plan.columns;
    for (int64_t k = bounds[row]; k < bounds[row + 1]; ++k)
      to[columns[k]] = plus(to[columns[k]], values[k]);
  }
}

template <class Index>
void row_numbers(const CsrPlan&, const CsrOperands& operands, int64_t first, int64_t last) {
  const Index* bounds = static_cast<const Index*>(operands.bounds);
  int64_t* y = static_cast<int64_t*>(operands.y);
  for (int64_t row = first; row < last; ++row) {
    for (int64_t k = bounds[row]; k < bounds[row + 1]; ++k) y[k] = row;
  }
}

template <class Index>
bool ascend(const void* bounds, int64_t rows, int64_t count) {
  const Index* bound = static_cast<const Index*>(bounds);
  bool falls = false;
  for (int64_t row = 0; row < rows; ++row) falls |= bound[row + 1] < bound[row];
  return !falls && bound[0] == 0 && bound[rows] == count;
}

template <class Index>
bool all_inside(const void* columns, int64_t count, int64_t limit) {
  const Index* column = static_cast<const Index*>(columns);
  bool outside = false;
  for (int64_t k = 0; k < count; ++k) outside |= (column[k] < 0) | (column[k] >= limit);
  return !outside;
}

template <class T>
constexpr void set(CsrKernels& table, DType dtype) {
  table.to_dense[static_cast<int>(dtype)][0] = to_dense<T, int32_t>;
  table.to_dense[static_cast<int>(dtype)][1] = to_dense<T, int64_t>;
}

template <class Index>
constexpr void set_indices(CsrKernels& table, int place) {
  table.row_numbers[place] = row_numbers<Index>;
  table.all_inside[place] = all_inside<Index>;
  table.ascend[place] = ascend<Index>;
}

template <class T>
constexpr void set_products(CsrKernels& table, int place) {
  table.matmul[place][0] = matmul<T, int32_t>;
  table.matmul[place][1] = matmul<T, int64_t>;
  table.transposed_matmul[place][0] = transposed_matmul<T, int32_t>;
  table.transposed_matmul[place][1] = transposed_matmul<T, int64_t>;
}

constexpr CsrKernels make_table() {
  CsrKernels table = {};
  if constexpr (is_for_integers(Isa::SYMK_ISA)) {
    set<float>(table, DType::kFloat32);
    set<double>(table, DType::kFloat64);
    set<int8_t>(table, DType::kInt8);
    set<int16_t>(table, DType::kInt16);
    set<int32_t>(table, DType::kInt32);
    set<int64_t>(table, DType::kInt64);
    set<uint8_t>(table, DType::kUInt8);
    set_indices<int32_t>(table, 0);
    set_indices<int64_t>(table, 1);
  } else if constexpr (!runs_avx2(Isa::SYMK_ISA)) {  // products wait for rows of `dense`
    set_products<float>(table, 0);
    set_products<double>(table, 1);
  }
  return table;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const CsrKernels& CsrKernels::of<Isa::SYMK_ISA>() {
  static constexpr CsrKernels table = SYMK_ISA::make_table();
  return table;
}

}  // namespace symk::cpu
