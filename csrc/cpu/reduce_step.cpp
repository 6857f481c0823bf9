// Binds sum, mean, prod, max, min, any, all, sum_to, logsumexp, argmax and argmin: collapses the
// axes, decides the parts by shape, and combines what parts found in a fixed order, so results do
// not depend on the number of threads. Over nothing: sum is 0, prod 1, mean NaN, max the least
// value of the dtype, min the greatest, argmax -1.
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/reduce_plan.h"
#include "cpu/reduce_totals.h"

namespace symk::cpu {
namespace {

/// A reduction bound to shapes. An output is computed by one part, or split over `splits` parts
/// whose totals go through scratch memory.
class Reduction : public Step {
 public:
  Reduction(Binding& binding, const char* name, ReduceOp op, const std::vector<bool>& reduced,
            bool mean)
      : shape_(collapse(binding.inputs()[0], reduced)) {
    const DType x = binding.inputs()[0].dtype, y = binding.outputs()[0].dtype;
    rows_ = reduce_rows(op, x);
    columns_ = reduce_columns(op, x);
    if (rows_ == nullptr) throw no_dtype(name, x);
    require(binding.outputs()[0].count() == shape_.outputs, name,
            "the result must have one element per kept position");
    finish_ = choose_finish(name, op, x, y);
    combine_ = choose_combine(op, x);
    total_bytes_ = total_bytes(op, x);
    result_bytes_ = item_bytes(y);
    divisor_ = mean ? static_cast<double>(shape_.reduced) : 1;
    if (shape_.inner_reduced)
      plan_rows(item_bytes(x));
    else
      plan_columns(item_bytes(x));
    if (splits_ > 1) binding.need_scratch(splits_ * shape_.outputs * total_bytes_);
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    if (splits_ > 1)
      run_split(operands, pool);
    else if (shape_.inner_reduced)
      run_rows(operands, pool);
    else
      run_columns(operands, pool);
    return Status();
  }

 private:
  void plan_rows(int64_t item) {
    const ReducePlan& plan = shape_.plan;
    per_part_ = units_per_part(shape_.reduced * item);
    if (shape_.outputs >= kEnoughParts || shape_.reduced < 2 * kSplitItems) return;
    item_chunk_ = std::min(plan.inner, kSplitItems);
    item_chunks_ = ceil_div(plan.inner, item_chunk_);
    row_group_ = item_chunks_ > 1 ? 1 : std::max<int64_t>(1, kSplitItems / plan.inner);
    splits_ = item_chunks_ * ceil_div(plan.outer, row_group_);
  }

  void plan_columns(int64_t item) {
    const ReducePlan& plan = shape_.plan;
    const int64_t width = std::min(plan.inner, kColumnBlock), rows = plan.outer * plan.rows;
    blocks_ = ceil_div(plan.inner, kColumnBlock);
    per_part_ = units_per_part(width * rows * item);
    if (shape_.keeps * blocks_ >= kEnoughParts || width == 0) return;
    row_group_ = std::max<int64_t>(8, kColumnSplitItems / width);
    splits_ = std::max<int64_t>(1, ceil_div(rows, row_group_));
  }

  void run_rows(const Operands& operands, ThreadPool& pool) const {
    const ReducePlan& plan = shape_.plan;
    char* y = static_cast<char*>(operands.out[0]);
    run_parts(pool, shape_.outputs, per_part_, [&](int64_t first, int64_t last) {
      constexpr int64_t tile = 512;
      alignas(64) char totals[tile * kTotalBytes];
      for (int64_t i = first; i < last; i += tile) {
        const int64_t end = std::min(last, i + tile);
        rows_(plan, operands.in[0], i, end, 0, plan.outer, 0, plan.inner, totals);
        finish_(totals, end - i, divisor_, y + i * result_bytes_);
      }
    });
  }

  void run_columns(const Operands& operands, ThreadPool& pool) const {
    const ReducePlan& plan = shape_.plan;
    char* y = static_cast<char*>(operands.out[0]);
    run_parts(pool, shape_.keeps * blocks_, per_part_, [&](int64_t first, int64_t last) {
      alignas(64) char totals[kColumnBlock * kTotalBytes];
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t keep = unit / blocks_, column = unit % blocks_ * kColumnBlock;
        const int64_t end = std::min(plan.inner, column + kColumnBlock);
        columns_(plan, operands.in[0], keep, column, end, 0, plan.outer * plan.rows, totals);
        finish_(totals, end - column, divisor_, y + (keep * plan.inner + column) * result_bytes_);
      }
    });
  }

  /// Totals of split s lie at s * outputs in scratch.
  void run_split(const Operands& operands, ThreadPool& pool) const {
    char* totals = static_cast<char*>(operands.scratch);
    // In the order of memory: of columns, all blocks of some rows before those of the next rows.
    const int64_t units = shape_.inner_reduced ? shape_.outputs : shape_.keeps * blocks_;
    const int64_t beside = shape_.inner_reduced ? 1 : blocks_;
    pool.parallel(units * splits_, [&](int64_t part) {
      const int64_t split = part / beside % splits_;
      const int64_t unit = part / (beside * splits_) * beside + part % beside;
      char* of_split = totals + split * shape_.outputs * total_bytes_;
      if (shape_.inner_reduced)
        split_rows(operands.in[0], unit, split, of_split);
      else
        split_columns(operands.in[0], unit, split, of_split);
    });
    char* y = static_cast<char*>(operands.out[0]);
    run_parts(pool, shape_.outputs, kColumnBlock, [&](int64_t first, int64_t last) {
      char* sum = totals + first * total_bytes_;
      for (int64_t split = 1; split < splits_; ++split) {
        combine_(sum, sum + split * shape_.outputs * total_bytes_, last - first);
      }
      finish_(sum, last - first, divisor_, y + first * result_bytes_);
    });
  }

  void split_rows(const void* x, int64_t output, int64_t split, char* totals) const {
    const ReducePlan& plan = shape_.plan;
    const int64_t row = split / item_chunks_ * row_group_;
    const int64_t item = split % item_chunks_ * item_chunk_;
    rows_(plan, x, output, output + 1, row, std::min(plan.outer, row + row_group_), item,
          std::min(plan.inner, item + item_chunk_), totals + output * total_bytes_);
  }

  void split_columns(const void* x, int64_t unit, int64_t split, char* totals) const {
    const ReducePlan& plan = shape_.plan;
    const int64_t keep = unit / blocks_, column = unit % blocks_ * kColumnBlock;
    const int64_t row = split * row_group_;
    columns_(plan, x, keep, column, std::min(plan.inner, column + kColumnBlock), row,
             std::min(plan.outer * plan.rows, row + row_group_),
             totals + (keep * plan.inner + column) * total_bytes_);
  }

  Collapsed shape_;
  ReduceKernels::Rows rows_ = nullptr;
  ReduceKernels::Columns columns_ = nullptr;
  Finish finish_ = nullptr;
  Combine combine_ = nullptr;
  double divisor_ = 1;
  int64_t total_bytes_ = 0, result_bytes_ = 0;
  int64_t per_part_ = 1;  // outputs, or blocks of columns, of one part
  int64_t blocks_ = 1;    // of columns in one kept position
  int64_t splits_ = 1, row_group_ = 1, item_chunk_ = 1, item_chunks_ = 1;
};

struct Named {
  static constexpr char sum[] = "sum", mean[] = "mean", prod[] = "prod", max[] = "max",
                        min[] = "min", any[] = "any", all[] = "all";
};

template <const char* name, ReduceOp op, bool mean = false>
[[gnu::cold]] std::unique_ptr<Step> bind_reduction(Binding& binding) {
  return std::make_unique<Reduction>(binding, name, op, reduced_axes(binding, name), mean);
}

[[gnu::cold]] std::unique_ptr<Step> bind_sum_to(Binding& binding) {
  require_operands(binding, "sum_to", 1, 1);
  const std::vector<bool> reduced = repeated_axes(binding.inputs()[0], binding.outputs()[0]);
  return std::make_unique<Reduction>(binding, "sum_to", ReduceOp::kSum, reduced, false);
}

[[gnu::cold]] std::unique_ptr<Step> bind_logsumexp(Binding& binding) {
  const std::vector<bool> reduced = reduced_axes(binding, "logsumexp");
  const DType dtype = binding.inputs()[0].dtype;
  const int place = float_place("logsumexp", dtype);
  const Collapsed shape = collapse(binding.inputs()[0], reduced);
  require_dtype(binding.outputs()[0], dtype, "logsumexp");
  require(binding.outputs()[0].count() == shape.outputs, "logsumexp",
          "the result must have one element per kept position");
  const auto& table = float_kernels<ReduceKernels>(dtype);
  const int64_t unit_bytes = shape.reduced * item_bytes(dtype);
  if (shape.inner_reduced) {
    const auto rows = table.log_rows[place];
    return make_step([=](const Operands& operands, ThreadPool& pool) {
      run_parts(pool, shape.outputs, units_per_part(unit_bytes), [&](int64_t first, int64_t last) {
        rows(shape.plan, operands.in[0], first, last, operands.out[0]);
      });
    });
  }
  const auto columns = table.log_columns[place];
  const int64_t inner = shape.plan.inner, blocks = ceil_div(inner, kColumnBlock);
  const int64_t per_part = units_per_part(unit_bytes * std::min(inner, kColumnBlock));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, shape.keeps * blocks, per_part, [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t column = unit % blocks * kColumnBlock;
        columns(shape.plan, operands.in[0], unit / blocks, column,
                std::min(inner, column + kColumnBlock), operands.out[0]);
      }
    });
  });
}

/// which: 0 for argmax, 1 for argmin.
template <int which>
[[gnu::cold]] std::unique_ptr<Step> bind_arg(Binding& binding) {
  constexpr const char* name = which == 0 ? "argmax" : "argmin";
  require_operands(binding, name, 1, 1);
  const Type& x = binding.inputs()[0];
  const int axis = axis_inside(binding, x, name);
  const int dtype = static_cast<int>(x.dtype);
  const auto rows =
      kernel_of<ReduceKernels>([=](const auto& table) { return table.arg_rows[which][dtype]; });
  const auto columns =
      kernel_of<ReduceKernels>([=](const auto& table) { return table.arg_columns[which][dtype]; });
  if (rows == nullptr) throw no_dtype(name, x.dtype);
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= x.shape[i];
  for (int i = axis + 1; i < x.rank; ++i) inner *= x.shape[i];
  const int64_t n = x.shape[axis], item = item_bytes(x.dtype);
  require_dtype(binding.outputs()[0], DType::kInt64, name);
  require(binding.outputs()[0].count() == outer * inner, name,
          "the result must have one element per kept position");
  if (n == 0) {
    return make_step([=](const Operands& operands, ThreadPool&) {
      int64_t* y = static_cast<int64_t*>(operands.out[0]);
      std::fill(y, y + outer * inner, int64_t{-1});
    });
  }
  if (inner == 1) {
    return make_step([=](const Operands& operands, ThreadPool& pool) {
      int64_t* y = static_cast<int64_t*>(operands.out[0]);
      run_parts(pool, outer, units_per_part(n * item),
                [&](int64_t first, int64_t last) { rows(operands.in[0], n, first, last, y); });
    });
  }
  const int64_t blocks = ceil_div(inner, kColumnBlock);
  const int64_t per_part = units_per_part(n * item * std::min(inner, kColumnBlock));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, outer * blocks, per_part, [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t i = unit / blocks, column = unit % blocks * kColumnBlock;
        columns(static_cast<const char*>(operands.in[0]) + i * n * inner * item, n, inner, column,
                std::min(inner, column + kColumnBlock),
                static_cast<int64_t*>(operands.out[0]) + i * inner);
      }
    });
  });
}

const KernelEntry entries[] = {
    {"sum", bind_reduction<Named::sum, ReduceOp::kSum>},
    {"mean", bind_reduction<Named::mean, ReduceOp::kSum, true>},
    {"prod", bind_reduction<Named::prod, ReduceOp::kProd>},
    {"max", bind_reduction<Named::max, ReduceOp::kMax>},
    {"min", bind_reduction<Named::min, ReduceOp::kMin>},
    {"any", bind_reduction<Named::any, ReduceOp::kAny>},
    {"all", bind_reduction<Named::all, ReduceOp::kAll>},
    {"sum_to", bind_sum_to},
    {"logsumexp", bind_logsumexp},
    {"argmax", bind_arg<0>},
    {"argmin", bind_arg<1>},
};

}  // namespace
}  // namespace symk::cpu
