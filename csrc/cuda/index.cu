// Rows by number: gather, scatter_add, scatter_into, fused_scatter, one_hot. Indices outside leave a
// Fault and touch nothing. Sums into rows are in the order of the indices.
#include <algorithm>

#include "cpu/fused_scatter_plan.h"
#include "cuda/fault.h"
#include "cuda/index_sort.h"
#include "cuda/program.h"
#include "math/binary.h"

namespace symk::cuda {
namespace {

using cpu::IndexPlan;

/// An index as a row, those below zero counted from the end; row 0 for one that is outside.
template <class I>
SYMK_HD int64_t row_of(I index, int64_t limit) {
  const int64_t row = static_cast<int64_t>(index) + (index < I(0) ? limit : 0);
  return row >= 0 && row < limit ? row : 0;
}

template <class Item, class I>
struct Gather {
  IndexPlan plan;
  const Item* x;
  const I* indices;
  Item* y;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t item = i % plan.row, number = i / plan.row % plan.count;
    const int64_t outer = i / plan.row / plan.count;
    y[i] = x[(outer * plan.limit + row_of(indices[number], plan.limit)) * plan.row + item];
  }
};

std::unique_ptr<Step> bind_gather(Binding& binding) {
  cpu::require_operands(binding, "gather", 2, 1);
  const Type& indices = binding.inputs()[1];
  const IndexPlan plan =
      cpu::plan_rows(binding, "gather", binding.inputs()[0], indices, binding.outputs()[0]);
  return with_index("gather", indices.dtype, [&](auto index) {
    using I = typename decltype(index)::type;
    return make_checked_step(binding, [=](const Queue& queue, const Operands& operands) {
      const I* const numbers = input<I>(operands, 1);
      check_indices(queue, numbers, plan.count, {-plan.limit, plan.limit}, operands.fault);
      if (plan.limit == 0) return;
      with_item(plan.item, [&](auto item) {
        using Item = typename decltype(item)::type;
        each(queue, plan.outer * plan.count * plan.row,
             Gather<Item, I>{plan, input<Item>(operands, 0), numbers, output<Item>(operands, 0)});
      });
    });
  });
}

// --- sums into rows ---

template <class I>
struct MakePairs {
  const I* indices;
  int64_t limit;
  SortedPair* pairs;
  SYMK_HD void operator()(int64_t i) const { pairs[i] = {row_of(indices[i], limit), i}; }
};

/// What the sums begin with. Writes nothing where an index was refused, since y may be a shared
/// value.
template <class T>
struct Start {
  const T* x;  // null: zeros
  T* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t i) const {
    if (fault->rank == 0) y[i] = x == nullptr ? T(0) : x[i];
  }
};

/// A thread per element of a row at each place of the sorted pairs where a row begins. Writes
/// nothing either where an index was refused.
template <class T>
struct AddRows {
  IndexPlan plan;
  const SortedPair* pairs;
  const T* g;
  T* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t i) const {
    if (fault->rank != 0) return;
    const int64_t item = i % plan.row, first = i / plan.row % plan.count;
    const int64_t outer = i / plan.row / plan.count, row = pairs[first].index;
    if (first > 0 && pairs[first - 1].index == row) return;
    T* const to = y + (outer * plan.limit + row) * plan.row + item;
    const T* const from = g + outer * plan.count * plan.row + item;
    T total = *to;
    for (int64_t p = first; p < plan.count && pairs[p].index == row; ++p)
      total = math::Add()(total, from[pairs[p].position * plan.row]);
    *to = total;
  }
};

/// scatter_add: g, indices -> y; scatter_into: x, g, indices -> y, which may lie over x.
std::unique_ptr<Step> bind_scatter(Binding& binding, const char* name, int g) {
  cpu::require_operands(binding, name, static_cast<size_t>(g) + 2, 1);
  const Type& indices = binding.inputs()[static_cast<size_t>(g) + 1];
  const Type& y = binding.outputs()[0];
  if (g == 1) {
    cpu::require_dtype(binding.inputs()[0], y.dtype, name);
    cpu::require(cpu::same_shape(binding.inputs()[0], y), name, "x and y must have one shape");
  }
  const IndexPlan plan =
      cpu::plan_rows(binding, name, y, indices, binding.inputs()[static_cast<size_t>(g)]);
  const IndexSort sort(plan.count, std::max<int64_t>(1, plan.limit));
  binding.need_scratch(sort.scratch_bytes());
  const auto of_number = [&](auto number) {
    using T = typename decltype(number)::type;
    return with_index(name, indices.dtype, [&](auto index) {
      using I = typename decltype(index)::type;
      return make_checked_step(binding, [=](const Queue& queue, const Operands& operands) {
        const I* const numbers = input<I>(operands, g + 1);
        check_indices(queue, numbers, plan.count, {-plan.limit, plan.limit}, operands.fault);
        T* const result = output<T>(operands, 0);
        const T* const x = g == 1 ? input<T>(operands, 0) : nullptr;
        const int64_t count = plan.outer * plan.limit * plan.row;
        if (x != result) each(queue, count, Start<T>{x, result, operands.fault});
        if (plan.limit == 0) return;
        each(queue, plan.count, MakePairs<I>{numbers, plan.limit, sort.pairs(operands.scratch)});
        const SortedPair* const pairs = sort.run(queue, operands.scratch);
        each(queue, plan.outer * plan.count * plan.row,
             AddRows<T>{plan, pairs, input<T>(operands, g), result, operands.fault});
      });
    });
  };
  return with_number(y.dtype, of_number,
                     [&]() -> std::unique_ptr<Step> { throw cpu::no_dtype(name, y.dtype); });
}

// --- fused_scatter: sums into rows that a program reads, which are never in memory ---

/// Where the pairs of each row begin, and where those of the last one end.
struct FindStarts {
  const SortedPair* pairs;
  int64_t count;
  int64_t* starts;
  SYMK_HD void operator()(int64_t row) const {
    int64_t first = 0, last = count;
    while (first < last) {
      const int64_t middle = (first + last) / 2;
      if (pairs[middle].index < row) {
        first = middle + 1;
      } else {
        last = middle;
      }
    }
    starts[row] = first;
  }
};

template <class T, class I>
std::unique_ptr<Step> fused_scatter_step(Binding& binding, const cpu::FusedScatterPlan& plan,
                                         std::shared_ptr<const Program> program) {
  const IndexPlan rows = plan.rows;
  const IndexSort sort(rows.count, std::max<int64_t>(1, rows.limit));
  const int64_t sort_bytes = aligned_size(sort.scratch_bytes());
  const bool is_empty = plan.made.count() == 0;
  const bool is_small = plan.made.count() < int64_t{1} << 31;
  if (!is_empty) {
    binding.need_scratch(checked_add(
        sort_bytes, checked_multiply(rows.limit + 1, static_cast<int64_t>(sizeof(int64_t)))));
  }
  const std::string manner = std::string(plan.name) + ", " + program->manner();
  return make_checked_step(
      binding,
      [=, indices = static_cast<int>(plan.indices), place = static_cast<int>(plan.place)](
          const Queue& queue, const Operands& operands) {
        const I* const numbers = input<I>(operands, indices);
        check_indices(queue, numbers, rows.count, {-rows.limit, rows.limit}, operands.fault);
        if (is_empty) return;
        char* const scratch = static_cast<char*>(operands.scratch);
        each(queue, rows.count, MakePairs<I>{numbers, rows.limit, sort.pairs(scratch)});
        RowSums sums = {};
        sums.rows = operands.in[place];
        sums.pairs = sort.run(queue, scratch);
        auto* const starts = reinterpret_cast<int64_t*>(scratch + sort_bytes);
        each(queue, rows.limit + 1, FindStarts{sums.pairs, rows.count, starts});
        sums.starts = starts;
        sums.refused = &operands.fault->rank;
        sums.limit = rows.limit;
        sums.count = rows.count;
        sums.row = rows.row;
        sums.small = is_small ? 1 : 0;
        program->run_on_sums<T>(queue, operands.in, operands.out, place, sums);
      },
      nullptr, manner);
}

/// Gradients are of float32 or float64; rows of other numbers are left to the host.
std::unique_ptr<Step> bind_fused_scatter(Binding& binding) {
  const cpu::FusedScatterPlan plan(binding);
  const DType dtype = plan.made.dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) return nullptr;
  const auto program = Program::bind_on_sums(binding, plan.operands, static_cast<int>(plan.place));
  if (program == nullptr) return nullptr;
  return with_index(plan.name, binding.inputs()[plan.indices].dtype, [&](auto index) {
    using I = typename decltype(index)::type;
    return dtype == DType::kFloat32 ? fused_scatter_step<float, I>(binding, plan, program)
                                    : fused_scatter_step<double, I>(binding, plan, program);
  });
}

template <class Item, class I>
struct OneHot {
  const I* indices;
  int64_t depth;
  Item one;
  Item* y;
  SYMK_HD void operator()(int64_t i) const {
    y[i] = static_cast<int64_t>(indices[i / depth]) == i % depth ? one : Item(0);
  }
};

std::unique_ptr<Step> bind_one_hot(Binding& binding) {
  const cpu::OneHotPlan plan = cpu::plan_one_hot(binding);
  return with_index("one_hot", binding.inputs()[0].dtype, [&](auto index) {
    using I = typename decltype(index)::type;
    return make_step(binding, [=](const Queue& queue, const Operands& operands) {
      with_item(plan.item, [&](auto item) {
        using Item = typename decltype(item)::type;
        each(queue, plan.count * plan.depth,
             OneHot<Item, I>{input<I>(operands, 0), plan.depth, static_cast<Item>(plan.one),
                             output<Item>(operands, 0)});
      });
    });
  });
}

const KernelEntry entries[] = {
    {"gather", bind_gather, Empty::kRuns},
    {"scatter_add", [](Binding& b) { return bind_scatter(b, "scatter_add", 0); }, Empty::kRuns},
    {"scatter_into", [](Binding& b) { return bind_scatter(b, "scatter_into", 1); }, Empty::kRuns},
    {"fused_scatter", bind_fused_scatter, Empty::kRuns},
    {"one_hot", bind_one_hot},
};

}  // namespace
}  // namespace symk::cuda
