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

std::unique_ptr<Step> bind_lines(Binding& binding, const char* kernel, size_t inputs,
                                 const CumulativeKernels::Lines* table) {
  require_operands(binding, kernel, inputs, 1);
  const Layout layout = lay_out(binding, kernel);
  const DType dtype = binding.outputs()[0].dtype;
  const auto lines = table[static_cast<int>(dtype)];
  if (lines == nullptr) throw no_dtype(kernel, dtype);
  const int64_t strips = ceil_div(layout.inner, kCumulativeWidth);
  const int64_t units = layout.n == 0 ? 0 : layout.outer * strips;
  const int64_t unit_bytes = layout.n * std::min(layout.inner, kCumulativeWidth) * layout.item;
  const int64_t second = static_cast<int64_t>(inputs) - 1;  // for one operand, it once more
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, units, units_per_part(unit_bytes), [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t column = unit % strips * kCumulativeWidth;
        const int64_t row = layout.reverse ? layout.n - 1 : 0;
        const int64_t at = ((unit / strips * layout.n + row) * layout.inner + column) * layout.item;
        lines(static_cast<const char*>(operands.in[0]) + at,
              static_cast<const char*>(operands.in[second]) + at,
              static_cast<char*>(operands.out[0]) + at, layout.n,
              layout.reverse ? -layout.inner : layout.inner,
              std::min(kCumulativeWidth, layout.inner - column));
      }
    });
  });
}

std::unique_ptr<Step> bind_cumsum(Binding& binding) {
  return bind_lines(binding, "cumsum", 1, kernels<CumulativeKernels>().sum);
}
std::unique_ptr<Step> bind_cumprod(Binding& binding) {
  return bind_lines(binding, "cumprod", 1, kernels<CumulativeKernels>().product);
}
std::unique_ptr<Step> bind_linear_recurrence(Binding& binding) {
  return bind_lines(binding, "linear_recurrence", 2, kernels<CumulativeKernels>().recurrence);
}

const KernelEntry entries[] = {
    {"cumsum", bind_cumsum},
    {"cumprod", bind_cumprod},
    {"linear_recurrence", bind_linear_recurrence},
};

}  // namespace
}  // namespace symk::cpu
