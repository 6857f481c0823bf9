// Binds gather, scatter_add and one_hot. All indices are checked before anything is written.
#include "cpu/index.h"

#include <cstring>

#include "cpu/index_plan.h"
#include "cpu/index_reader.h"
#include "cpu/integers.h"
#include "cpu/lambda_step.h"

namespace symk::cpu {
namespace {

std::unique_ptr<Step> bind_gather(Binding& binding) {
  require_operands(binding, "gather", 2, 1);
  const Type& x = binding.inputs()[0];
  const Type& indices = binding.inputs()[1];
  const IndexPlan plan = plan_rows(binding, "gather", x, indices, binding.outputs()[0]);
  const IndexReader reader("gather", indices, plan.limit);
  binding.need_scratch(reader.scratch_bytes());
  const auto gather = kernels<IndexKernels>().gather;
  const int64_t units = plan.row == 0 ? 0 : plan.outer * plan.count;
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    int64_t* rows = static_cast<int64_t*>(operands.scratch);
    const Status status = reader.read(operands.in[1], rows, pool);
    if (status.code != Status::kOk) return status;
    run_parts(pool, units, units_per_part(plan.row * plan.item), [&](int64_t first, int64_t last) {
      gather(plan, operands.in[0], rows, first, last, operands.out[0]);
    });
    return Status();
  });
}

/// scatter_add: g, indices -> y; scatter_into: x, g, indices -> y, which may lie over x.
template <bool into>
std::unique_ptr<Step> bind_scatter(Binding& binding) {
  constexpr const char* name = into ? "scatter_into" : "scatter_add";
  constexpr int g = into ? 1 : 0;
  require_operands(binding, name, g + 2, 1);
  const Type& indices = binding.inputs()[g + 1];
  const Type& y = binding.outputs()[0];
  if (into) {
    require_dtype(binding.inputs()[0], y.dtype, name);
    require(same_shape(binding.inputs()[0], y), name, "x and y must have one shape");
  }
  const IndexPlan plan = plan_rows(binding, name, y, indices, binding.inputs()[g]);
  const IndexReader reader(name, indices, plan.limit);
  binding.need_scratch(reader.scratch_bytes());
  const auto scatter_add = kernel_of<IndexKernels>(
      [&](const IndexKernels& table) { return table.scatter_add[static_cast<int>(y.dtype)]; });
  if (scatter_add == nullptr) throw no_dtype(name, y.dtype);
  // Each part owns a range of destinations and looks at all indices, so ranges are few.
  constexpr int64_t most_ranges = 16;
  const int64_t bytes = plan.limit * plan.row * plan.item;
  const int64_t ranges = std::min(most_ranges, ceil_div(bytes, kPartBytes));
  const int64_t per_range = ceil_div(plan.limit, std::max<int64_t>(1, ranges));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    int64_t* rows = static_cast<int64_t*>(operands.scratch);
    const Status status = reader.read(operands.in[g + 1], rows, pool);
    if (status.code != Status::kOk || ranges == 0) return status;
    const void* base = into ? operands.in[0] : nullptr;
    run_parts(pool, plan.outer * ranges, units_per_part(bytes / ranges),
              [&](int64_t part, int64_t end) {
                for (; part < end; ++part) {
                  const int64_t first = std::min(plan.limit, part % ranges * per_range);
                  const int64_t last = std::min(plan.limit, first + per_range);
                  scatter_add(plan, base, operands.in[g], rows, part / ranges, first, last,
                              operands.out[0]);
                }
              });
    return Status();
  });
}

/// Rows first..last-1 of y, each of `depth` items: `one` at the place that the index names, else
/// zero.
template <class T>
void one_hot(DType dtype, const void* indices, int64_t depth, int64_t first, int64_t last,
             uint64_t one, void* result) {
  T* const y = static_cast<T*>(result);
  std::memset(y + first * depth, 0, static_cast<size_t>((last - first) * depth) * sizeof(T));
  for (int64_t i = first; i < last; ++i) {
    const int64_t index = integer_at(dtype, indices, i);
    if (index >= 0 && index < depth) y[i * depth + index] = static_cast<T>(one);
  }
}

std::unique_ptr<Step> bind_one_hot(Binding& binding) {
  const OneHotPlan plan = plan_one_hot(binding);
  const DType dtype = binding.inputs()[0].dtype;
  if (!is_integer(dtype)) throw no_dtype("one_hot", dtype);
  const auto fill = plan.item == 8   ? one_hot<uint64_t>
                    : plan.item == 4 ? one_hot<uint32_t>
                    : plan.item == 2 ? one_hot<uint16_t>
                                     : one_hot<uint8_t>;
  const int64_t per_part = units_per_part(plan.depth * plan.item);
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, plan.count, per_part, [&](int64_t first, int64_t last) {
      fill(dtype, operands.in[0], plan.depth, first, last, plan.one, operands.out[0]);
    });
  });
}

const KernelEntry entries[] = {
    {"gather", bind_gather, Empty::kRuns},
    {"scatter_add", bind_scatter<false>, Empty::kRuns},
    {"scatter_into", bind_scatter<true>, Empty::kRuns},
    {"one_hot", bind_one_hot},
};

}  // namespace
}  // namespace symk::cpu
