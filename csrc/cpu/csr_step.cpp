// Binds csr_matmul, csr_to_dense and csr_rows. Bounds and columns are checked before anything is
// computed; rows of the result are then independent.
#include "cpu/csr.h"

#include "cpu/csr_plan.h"
#include "cpu/dispatch.h"
#include "cpu/integers.h"
#include "cpu/lambda_step.h"

namespace symk::cpu {
namespace {

/// 0 for int32, 1 for int64; no other dtype passes.
int index_place(const char* kernel, DType dtype) {
  if (dtype != DType::kInt32 && dtype != DType::kInt64) throw no_dtype(kernel, dtype);
  return dtype == DType::kInt64;
}

/// All but products.
const CsrKernels& index_kernels() { return CsrKernels::of<Isa::integers>(); }

/// The first bound that does not ascend from 0 to the number of elements.
Status check_bounds(const CsrPlan& plan, DType dtype, const void* bounds) {
  const auto ascend = index_kernels().ascend[dtype == DType::kInt64];
  if (ascend(bounds, plan.rows, plan.count)) return Status();
  int64_t lowest = 0;
  for (int64_t row = 0; row <= plan.rows; ++row) {
    const int64_t bound = integer_at(dtype, bounds, row);
    if (row == plan.rows) lowest = plan.count;
    if (bound < lowest || bound > (row == 0 ? 0 : plan.count))
      return {Status::kOutOfRange, bound, row, plan.count,
              "the bounds of the rows must ascend from 0 to the number of elements,"};
    lowest = bound;
  }
  return Status();
}

Status check_columns(const CsrPlan& plan, DType dtype, const void* columns) {
  const auto all_inside = index_kernels().all_inside[dtype == DType::kInt64];
  if (all_inside(columns, plan.count, plan.columns)) return Status();
  for (int64_t k = 0; k < plan.count; ++k) {
    const int64_t column = integer_at(dtype, columns, k);
    if (column < 0 || column >= plan.columns) return {Status::kOutOfRange, column, k, plan.columns};
  }
  return Status();
}

/// A step over `units` rows of the result, after the checks.
std::unique_ptr<Step> make_rows(const CsrPlan& plan, DType index, CsrKernels::Rows rows,
                                int64_t units, int64_t per_part, bool has_dense) {
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    Status status = check_bounds(plan, index, operands.in[2]);
    if (status.code == Status::kOk) status = check_columns(plan, index, operands.in[1]);
    if (status.code != Status::kOk) return status;
    const CsrOperands given = {operands.in[0], operands.in[1], operands.in[2],
                               has_dense ? operands.in[3] : nullptr, operands.out[0]};
    run_parts(pool, units, per_part,
              [&](int64_t first, int64_t last) { rows(plan, given, first, last); });
    return Status();
  });
}

std::unique_ptr<Step> bind_csr_matmul(Binding& binding) {
  const bool transpose = binding.integer("transpose") != 0;
  const CsrPlan plan = plan_csr_matmul(binding, transpose);
  const Type& columns = binding.inputs()[1];
  const Type& y = binding.outputs()[0];
  const int real = float_place("csr_matmul", y.dtype);
  const int index = index_place("csr_matmul", columns.dtype);
  const auto rows = kernel_of<CsrKernels>([=](const CsrKernels& table) {
    return (transpose ? table.transposed_matmul : table.matmul)[real][index];
  });
  // Each part of a transposed product looks at all elements, so parts are few.
  constexpr int64_t most_parts = 16;
  const int64_t row_bytes =
      ceil_div(plan.count * plan.width * item_bytes(y.dtype), std::max<int64_t>(1, y.shape[0]));
  const int64_t per_part =
      transpose ? std::max(units_per_part(row_bytes), ceil_div(y.shape[0], most_parts))
                : units_per_part(row_bytes);
  return make_rows(plan, columns.dtype, rows, plan.width == 0 ? 0 : y.shape[0], per_part, true);
}

std::unique_ptr<Step> bind_csr_to_dense(Binding& binding) {
  const CsrPlan plan = plan_csr_to_dense(binding);
  const Type& columns = binding.inputs()[1];
  const Type& y = binding.outputs()[0];
  const auto rows = index_kernels().to_dense[static_cast<int>(y.dtype)];
  if (rows[0] == nullptr) throw no_dtype("csr_to_dense", y.dtype);
  return make_rows(plan, columns.dtype, rows[index_place("csr_to_dense", columns.dtype)],
                   plan.columns == 0 ? 0 : plan.rows,
                   units_per_part(plan.columns * item_bytes(y.dtype)), false);
}

std::unique_ptr<Step> bind_csr_rows(Binding& binding) {
  const CsrPlan plan = plan_csr_rows(binding);
  const Type& bounds = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  const auto rows = index_kernels().row_numbers[index_place("csr_rows", bounds.dtype)];
  const DType dtype = bounds.dtype;
  const int64_t per_part = units_per_part(ceil_div(y.bytes(), std::max<int64_t>(1, plan.rows)));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    const Status status = check_bounds(plan, dtype, operands.in[0]);
    if (status.code != Status::kOk) return status;
    const CsrOperands given = {nullptr, nullptr, operands.in[0], nullptr, operands.out[0]};
    run_parts(pool, plan.rows, per_part,
              [&](int64_t first, int64_t last) { rows(plan, given, first, last); });
    return Status();
  });
}

const KernelEntry entries[] = {
    {"csr_matmul", bind_csr_matmul, Empty::kRuns},
    {"csr_to_dense", bind_csr_to_dense, Empty::kRuns},
    {"csr_rows", bind_csr_rows, Empty::kRuns},
};

}  // namespace
}  // namespace symk::cpu
