// The plans of the ops over sparse matrices. For *_step.cpp files, and for the bindings of other
// devices.
#pragma once

#include "cpu/csr.h"
#include "cpu/require.h"

namespace symk::cpu {

/// Rows and number of elements, from bounds (rows + 1) and another vector of the elements.
inline CsrPlan plan_csr(const char* kernel, const Type& elements, const Type& bounds) {
  require(elements.rank == 1 && bounds.rank == 1 && bounds.shape[0] >= 1, kernel,
          "elements and bounds must be vectors, the bounds one more than the rows");
  CsrPlan plan;
  plan.rows = bounds.shape[0] - 1;
  plan.count = elements.shape[0];
  return plan;
}

/// The matrix of the first three inputs: values, columns and bounds.
inline CsrPlan plan_csr_matrix(const Binding& binding, const char* kernel) {
  const Type& values = binding.inputs()[0];
  const Type& columns = binding.inputs()[1];
  const Type& bounds = binding.inputs()[2];
  require(same_shape(values, columns), kernel, "each element must have a value and a column");
  require_dtype(bounds, columns.dtype, kernel);
  require_dtype(binding.outputs()[0], values.dtype, kernel);
  return plan_csr(kernel, columns, bounds);
}

/// Of csr_matmul; `transpose` is its attribute.
inline CsrPlan plan_csr_matmul(const Binding& binding, bool transpose) {
  constexpr const char* name = "csr_matmul";
  require_operands(binding, name, 4, 1);
  CsrPlan plan = plan_csr_matrix(binding, name);
  const Type& dense = binding.inputs()[3];
  const Type& y = binding.outputs()[0];
  require_dtype(dense, y.dtype, name);
  require(dense.rank == 2 && y.rank == 2 && dense.shape[1] == y.shape[1] &&
              (transpose ? dense : y).shape[0] == plan.rows,
          name, "the sizes must agree");
  plan.columns = (transpose ? y : dense).shape[0];
  plan.width = y.shape[1];
  return plan;
}

inline CsrPlan plan_csr_to_dense(const Binding& binding) {
  constexpr const char* name = "csr_to_dense";
  require_operands(binding, name, 3, 1);
  CsrPlan plan = plan_csr_matrix(binding, name);
  const Type& y = binding.outputs()[0];
  require(y.rank == 2 && y.shape[0] == plan.rows, name, "the rows must agree");
  plan.columns = y.shape[1];
  return plan;
}

inline CsrPlan plan_csr_rows(const Binding& binding) {
  constexpr const char* name = "csr_rows";
  require_operands(binding, name, 1, 1);
  require_dtype(binding.outputs()[0], DType::kInt64, name);
  return plan_csr(name, binding.outputs()[0], binding.inputs()[0]);
}

}  // namespace symk::cpu
