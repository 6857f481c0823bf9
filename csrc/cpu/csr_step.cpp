// Binds csr_matmul, csr_to_dense and csr_rows. Bounds and columns are checked before anything is
// computed; rows of the result are then independent.
#include "cpu/csr.h"

#include "cpu/dispatch.h"
#include "cpu/integers.h"
#include "cpu/lambda_step.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

/// 0 for int32, 1 for int64; no other dtype passes.
int index_place(const char* kernel, DType dtype) {
  if (dtype != DType::kInt32 && dtype != DType::kInt64) throw no_dtype(kernel, dtype);
  return dtype == DType::kInt64;
}

/// Rows and number of elements, from bounds (rows + 1) and another vector of the elements.
CsrPlan plan_rows(const char* kernel, const Type& elements, const Type& bounds) {
  require(elements.rank == 1 && bounds.rank == 1 && bounds.shape[0] >= 1, kernel,
          "elements and bounds must be vectors, the bounds one more than the rows");
  CsrPlan plan;
  plan.rows = bounds.shape[0] - 1;
  plan.count = elements.shape[0];
  return plan;
}

/// The first bound that does not ascend from 0 to the number of elements.
Status check_bounds(const CsrPlan& plan, DType dtype, const void* bounds) {
  if (kernels<CsrKernels>().ascend[dtype == DType::kInt64](bounds, plan.rows, plan.count)) {
    return Status();
  }
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
  const auto all_inside = kernels<CsrKernels>().all_inside[dtype == DType::kInt64];
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

/// The types of values, columns and bounds.
void require_matrix(const Binding& binding, const char* kernel) {
  const Type& values = binding.inputs()[0];
  const Type& columns = binding.inputs()[1];
  require(same_shape(values, columns), kernel, "each element must have a value and a column");
  require_dtype(binding.inputs()[2], columns.dtype, kernel);
  require_dtype(binding.outputs()[0], values.dtype, kernel);
}

std::unique_ptr<Step> bind_csr_matmul(Binding& binding) {
  require_operands(binding, "csr_matmul", 4, 1);
  require_matrix(binding, "csr_matmul");
  const Type& columns = binding.inputs()[1];
  const Type& dense = binding.inputs()[3];
  const Type& y = binding.outputs()[0];
  const bool transpose = binding.integer("transpose") != 0;
  CsrPlan plan = plan_rows("csr_matmul", columns, binding.inputs()[2]);
  require_dtype(dense, y.dtype, "csr_matmul");
  require(dense.rank == 2 && y.rank == 2 && dense.shape[1] == y.shape[1] &&
              (transpose ? dense : y).shape[0] == plan.rows,
          "csr_matmul", "the sizes must agree");
  plan.columns = (transpose ? y : dense).shape[0];
  plan.width = y.shape[1];
  const int real = float_place("csr_matmul", y.dtype);
  const int index = index_place("csr_matmul", columns.dtype);
  const auto& table = kernels<CsrKernels>();
  const auto rows = (transpose ? table.transposed_matmul : table.matmul)[real][index];
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
  require_operands(binding, "csr_to_dense", 3, 1);
  require_matrix(binding, "csr_to_dense");
  const Type& columns = binding.inputs()[1];
  const Type& y = binding.outputs()[0];
  CsrPlan plan = plan_rows("csr_to_dense", columns, binding.inputs()[2]);
  require(y.rank == 2 && y.shape[0] == plan.rows, "csr_to_dense", "the rows must agree");
  plan.columns = y.shape[1];
  const auto rows = kernels<CsrKernels>().to_dense[static_cast<int>(y.dtype)];
  if (rows[0] == nullptr) throw no_dtype("csr_to_dense", y.dtype);
  return make_rows(plan, columns.dtype, rows[index_place("csr_to_dense", columns.dtype)],
                   plan.columns == 0 ? 0 : plan.rows,
                   units_per_part(plan.columns * item_bytes(y.dtype)), false);
}

std::unique_ptr<Step> bind_csr_rows(Binding& binding) {
  require_operands(binding, "csr_rows", 1, 1);
  const Type& bounds = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  require_dtype(y, DType::kInt64, "csr_rows");
  const CsrPlan plan = plan_rows("csr_rows", y, bounds);
  const auto rows = kernels<CsrKernels>().row_numbers[index_place("csr_rows", bounds.dtype)];
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
