// Sparse matrices in compressed rows: csr_matmul, csr_to_dense and csr_rows. Bounds and columns are
// checked before anything is computed; what is refused stops the kernels that follow. Sums are in
// the order of the elements.
#include "cpu/csr_plan.h"
#include "cuda/fault.h"
#include "cuda/index_sort.h"
#include "math/binary.h"

namespace symk::cuda {
namespace {

using cpu::CsrPlan;

const char* const kNeeds[] = {
    "the bounds of the rows must ascend from 0 to the number of elements,"};

/// Notes each bound that does not ascend from 0 to the number of elements.
template <class Index>
struct FindBadBound {
  CsrPlan plan;
  const Index* bounds;
  Fault* fault;
  SYMK_HD void operator()(int64_t row) const {
    const int64_t bound = bounds[row], before = row == 0 ? 0 : bounds[row - 1];
    const int64_t lowest = row == plan.rows ? plan.count : before;
    if (bound < lowest || bound > (row == 0 ? 0 : plan.count)) note_position(fault, row);
  }
};
template <class Index>
struct NoteBadBound {
  CsrPlan plan;
  const Index* bounds;
  Fault* fault;
  SYMK_HD void operator()(int64_t) const {
    if (fault->rank == 0) return;
    const auto row = static_cast<int64_t>(UINT64_MAX - fault->rank);
    note_refusal(fault, {1, bounds[row], row, plan.count});
  }
};

/// Where the bounds are right, the columns.
template <class Index>
struct FindBadColumn {
  CsrPlan plan;
  const Index* columns;
  Fault* fault;
  SYMK_HD void operator()(int64_t k) const {
    if (fault->need == 0 && (columns[k] < 0 || columns[k] >= plan.columns)) note_position(fault, k);
  }
};
template <class Index>
struct NoteBadColumn {
  CsrPlan plan;
  const Index* columns;
  Fault* fault;
  SYMK_HD void operator()(int64_t) const {
    if (fault->rank == 0 || fault->need != 0) return;
    const auto k = static_cast<int64_t>(UINT64_MAX - fault->rank);
    note_refusal(fault, {0, columns[k], k, plan.columns});
  }
};

template <class Index>
void check_bounds(const Queue& queue, const CsrPlan& plan, const Index* bounds, Fault* fault) {
  each(queue, plan.rows + 1, FindBadBound<Index>{plan, bounds, fault});
  each(queue, 1, NoteBadBound<Index>{plan, bounds, fault});
}
template <class Index>
void check_matrix(const Queue& queue, const CsrPlan& plan, const Operands& operands) {
  const Index* const columns = input<Index>(operands, 1);
  check_bounds(queue, plan, input<Index>(operands, 2), operands.fault);
  each(queue, plan.count, FindBadColumn<Index>{plan, columns, operands.fault});
  each(queue, 1, NoteBadColumn<Index>{plan, columns, operands.fault});
}

/// The row of element k: the last that begins at or before it.
template <class Index>
SYMK_HD int64_t row_of(const CsrPlan& plan, const Index* bounds, int64_t k) {
  int64_t low = 0, high = plan.rows;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (bounds[middle] <= k) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

template <class T, class Index>
struct Matmul {
  CsrPlan plan;
  const T* values;
  const Index *columns, *bounds;
  const T* dense;
  T* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t i) const {
    if (fault->rank != 0) return;
    const int64_t row = i / plan.width, j = i % plan.width;
    T sum = 0;
    for (int64_t k = bounds[row]; k < bounds[row + 1]; ++k)
      sum += values[k] * dense[columns[k] * plan.width + j];
    y[i] = sum;
  }
};

template <class T>
struct Clear {
  T* y;
  SYMK_HD void operator()(int64_t i) const { y[i] = T(0); }
};

template <class Index>
struct PairColumns {
  const Index* columns;
  SortedPair* pairs;
  const Fault* fault;
  SYMK_HD void operator()(int64_t k) const {
    pairs[k] = {fault->rank == 0 ? static_cast<int64_t>(columns[k]) : 0, k};
  }
};

/// A thread per place of the sorted elements where a column begins, and column of the dense matrix.
template <class T, class Index>
struct TransposedMatmul {
  CsrPlan plan;
  const SortedPair* pairs;
  const T* values;
  const Index* bounds;
  const T* dense;
  T* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t i) const {
    if (fault->rank != 0) return;
    const int64_t first = i / plan.width, j = i % plan.width, column = pairs[first].index;
    if (first > 0 && pairs[first - 1].index == column) return;
    T sum = 0;
    for (int64_t p = first; p < plan.count && pairs[p].index == column; ++p) {
      const int64_t k = pairs[p].position;
      sum += values[k] * dense[row_of(plan, bounds, k) * plan.width + j];
    }
    y[column * plan.width + j] = sum;
  }
};

template <class T, class Index>
struct ToDense {
  CsrPlan plan;
  const T* values;
  const Index *columns, *bounds;
  T* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t row) const {
    if (fault->rank != 0) return;
    T* const to = y + row * plan.columns;
    for (int64_t k = bounds[row]; k < bounds[row + 1]; ++k)
      to[columns[k]] = math::Add()(to[columns[k]], values[k]);
  }
};

template <class Index>
struct RowNumbers {
  CsrPlan plan;
  const Index* bounds;
  int64_t* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t k) const {
    if (fault->rank == 0) y[k] = row_of(plan, bounds, k);
  }
};

// --- bindings ---

/// f(TypeTag<Index>()) for int32 or int64.
template <class F>
std::unique_ptr<Step> with_bounds(const char* kernel, DType dtype, F f) {
  if (dtype == DType::kInt32) return f(TypeTag<int32_t>());
  if (dtype == DType::kInt64) return f(TypeTag<int64_t>());
  throw cpu::no_dtype(kernel, dtype);
}

template <class T, class Index>
std::unique_ptr<Step> matmul_step(Binding& binding, const CsrPlan& plan, bool transpose) {
  const int64_t count = binding.outputs()[0].count();
  const IndexSort sort(plan.count, std::max<int64_t>(1, plan.columns));
  if (transpose) binding.need_scratch(sort.scratch_bytes());
  return make_checked_step(
      binding,
      [=](const Queue& queue, const Operands& operands) {
        check_matrix<Index>(queue, plan, operands);
        const T *values = input<T>(operands, 0), *dense = input<T>(operands, 3);
        const Index *columns = input<Index>(operands, 1), *bounds = input<Index>(operands, 2);
        T* const y = output<T>(operands, 0);
        if (!transpose) {
          each(queue, count,
               Matmul<T, Index>{plan, values, columns, bounds, dense, y, operands.fault});
          return;
        }
        each(queue, count, Clear<T>{y});
        each(queue, plan.count,
             PairColumns<Index>{columns, sort.pairs(operands.scratch), operands.fault});
        const SortedPair* const pairs = sort.run(queue, operands.scratch);
        each(queue, plan.count * plan.width,
             TransposedMatmul<T, Index>{plan, pairs, values, bounds, dense, y, operands.fault});
      },
      kNeeds);
}

std::unique_ptr<Step> bind_csr_matmul(Binding& binding) {
  constexpr const char* name = "csr_matmul";
  const bool transpose = binding.integer("transpose") != 0;
  const CsrPlan plan = cpu::plan_csr_matmul(binding, transpose);
  const Type& columns = binding.inputs()[1];
  const Type& y = binding.outputs()[0];
  const bool is_double = cpu::float_place(name, y.dtype) == 1;
  return with_bounds(name, columns.dtype, [&](auto tag) {
    using Index = typename decltype(tag)::type;
    return is_double ? matmul_step<double, Index>(binding, plan, transpose)
                     : matmul_step<float, Index>(binding, plan, transpose);
  });
}

template <class T, class Index>
std::unique_ptr<Step> dense_step(const Binding& binding, const CsrPlan& plan) {
  const int64_t count = binding.outputs()[0].count();
  return make_checked_step(
      binding,
      [=](const Queue& queue, const Operands& operands) {
        check_matrix<Index>(queue, plan, operands);
        T* const y = output<T>(operands, 0);
        each(queue, count, Clear<T>{y});
        each(queue, plan.columns == 0 ? 0 : plan.rows,
             ToDense<T, Index>{plan, input<T>(operands, 0), input<Index>(operands, 1),
                               input<Index>(operands, 2), y, operands.fault});
      },
      kNeeds);
}

std::unique_ptr<Step> bind_csr_to_dense(Binding& binding) {
  constexpr const char* name = "csr_to_dense";
  const CsrPlan plan = cpu::plan_csr_to_dense(binding);
  const Type& columns = binding.inputs()[1];
  const Type& y = binding.outputs()[0];
  return with_number(
      y.dtype,
      [&](auto number) {
        using T = typename decltype(number)::type;
        return with_bounds(name, columns.dtype, [&](auto tag) {
          return dense_step<T, typename decltype(tag)::type>(binding, plan);
        });
      },
      [&]() -> std::unique_ptr<Step> { throw cpu::no_dtype(name, y.dtype); });
}

std::unique_ptr<Step> bind_csr_rows(Binding& binding) {
  constexpr const char* name = "csr_rows";
  const CsrPlan plan = cpu::plan_csr_rows(binding);
  const Type& bounds = binding.inputs()[0];
  return with_bounds(name, bounds.dtype, [&](auto tag) {
    using Index = typename decltype(tag)::type;
    return make_checked_step(
        binding,
        [=](const Queue& queue, const Operands& operands) {
          const Index* const given = input<Index>(operands, 0);
          check_bounds(queue, plan, given, operands.fault);
          each(queue, plan.count,
               RowNumbers<Index>{plan, given, output<int64_t>(operands, 0), operands.fault});
        },
        kNeeds);
  });
}

const KernelEntry entries[] = {
    {"csr_matmul", bind_csr_matmul, Empty::kRuns},
    {"csr_to_dense", bind_csr_to_dense, Empty::kRuns},
    {"csr_rows", bind_csr_rows, Empty::kRuns},
};

}  // namespace
}  // namespace symk::cuda
