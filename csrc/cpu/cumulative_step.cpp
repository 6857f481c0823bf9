// Binds cumsum, cumprod and linear_recurrence. Lines are independent: work is cut into groups of
// neighbouring lines, which are never cut along their axis.
#include "cpu/cumulative.h"

#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

/// Operands (outer, n, inner), and what a step along the axis and its start are.
struct Layout {
  int64_t outer = 1, n = 0, inner = 1, item = 4;
  bool reverse = false;
};

Layout lay_out(const Binding& binding, const char* kernel) {
  const Type& y = binding.outputs()[0];
  for (const Type& input : binding.inputs()) {
    require_dtype(input, y.dtype, kernel);
    require(same_shape(input, y), kernel, "the shapes must agree");
  }
  const int axis = axis_inside(binding, y, kernel);
  Layout layout;
  for (int i = 0; i < axis; ++i) layout.outer *= y.shape[i];
  for (int i = axis + 1; i < y.rank; ++i) layout.inner *= y.shape[i];
  layout.n = y.shape[axis];
  layout.item = item_bytes(y.dtype);
  layout.reverse = binding.integer("reverse") != 0;
  return layout;
}

/// The lines in groups of neighbours: columns of the operands, or rows where there is one column.
struct Groups {
  int64_t count, bytes;  // of the groups; of one
  int64_t across;        // groups of columns at one outer position
  bool of_rows;

  /// The element at which a group begins to be taken.
  int64_t start(const Layout& layout, int64_t number) const {
    const int64_t outer = of_rows ? number * kCumulativeRows : number / across;
    const int64_t column = of_rows ? 0 : number % across * kCumulativeWidth;
    const int64_t row = layout.reverse ? layout.n - 1 : 0;
    return (outer * layout.n + row) * layout.inner + column;
  }

  CumulativeLines lines(const Layout& layout, int64_t number) const {
    const int64_t stride = layout.reverse ? -layout.inner : layout.inner;
    if (of_rows) {
      const int64_t left = layout.outer - number * kCumulativeRows;
      return {layout.n, stride, std::min(kCumulativeRows, left), layout.n};
    }
    const int64_t left = layout.inner - number % across * kCumulativeWidth;
    return {layout.n, stride, std::min(kCumulativeWidth, left), 1};
  }
};

Groups group(const Layout& layout) {
  Groups groups = {};
  groups.of_rows = layout.inner == 1;
  groups.across = groups.of_rows ? 1 : ceil_div(layout.inner, kCumulativeWidth);
  groups.count = groups.of_rows ? ceil_div(layout.outer, kCumulativeRows)
                                : layout.outer * groups.across;
  if (layout.n == 0) groups.count = 0;
  const int64_t together =
      groups.of_rows ? kCumulativeRows : std::min(layout.inner, kCumulativeWidth);
  groups.bytes = layout.n * together * layout.item;
  return groups;
}

using CumulativeTable = CumulativeKernels::Lines (CumulativeKernels::*)[kDTypeCount];

std::unique_ptr<Step> bind_lines(Binding& binding, const char* kernel, size_t inputs,
                                 CumulativeTable table) {
  require_operands(binding, kernel, inputs, 1);
  const Layout layout = lay_out(binding, kernel);
  const DType dtype = binding.outputs()[0].dtype;
  const auto lines = kernel_of<CumulativeKernels>([=](const CumulativeKernels& kernels) {
    return (kernels.*table)[static_cast<int>(dtype)];
  });
  if (lines == nullptr) throw no_dtype(kernel, dtype);
  const int64_t second = static_cast<int64_t>(inputs) - 1;  // for one operand, it once more
  const Groups groups = group(layout);
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, groups.count, units_per_part(groups.bytes), [&](int64_t first, int64_t last) {
      for (int64_t number = first; number < last; ++number) {
        const int64_t at = groups.start(layout, number) * layout.item;
        lines(static_cast<const char*>(operands.in[0]) + at,
              static_cast<const char*>(operands.in[second]) + at,
              static_cast<char*>(operands.out[0]) + at, groups.lines(layout, number));
      }
    });
  });
}

std::unique_ptr<Step> bind_cumsum(Binding& binding) {
  return bind_lines(binding, "cumsum", 1, &CumulativeKernels::sum);
}
std::unique_ptr<Step> bind_cumprod(Binding& binding) {
  return bind_lines(binding, "cumprod", 1, &CumulativeKernels::product);
}
std::unique_ptr<Step> bind_linear_recurrence(Binding& binding) {
  return bind_lines(binding, "linear_recurrence", 2, &CumulativeKernels::recurrence);
}

const KernelEntry entries[] = {
    {"cumsum", bind_cumsum},
    {"cumprod", bind_cumprod},
    {"linear_recurrence", bind_linear_recurrence},
};

}  // namespace
}  // namespace symk::cpu
