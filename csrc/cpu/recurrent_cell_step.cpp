// Binds one step of an LSTM, forward and backward, over any rows: samples, or pixels of images. The
// products with the input and with the state are operands.
#include "cpu/lambda_step.h"
#include "cpu/recurrent_binding.h"
#include "cpu/require.h"
#include "runtime/memory.h"

namespace symk::cpu {
namespace {

constexpr int64_t kPartUnits = 8 * 1024;  // some 10 microseconds of curves

struct CellShape {
  CellRows rows;
  int64_t per_part = 1;  // rows
};

/// Checks that `states` have the shape of operand `state`, and all others that of the gates.
CellShape shape_of(const Binding& binding, const char* kernel, const Type& state,
                   const std::vector<const Type*>& states) {
  CellShape shape;
  require(state.rank > 0, kernel, "a state must have an axis of units");
  shape.rows.units = state.shape[state.rank - 1];
  shape.rows.rows = shape.rows.units > 0 ? state.count() / shape.rows.units : 0;
  shape.rows.activation = curve_named(kernel, binding.text("activation"));
  shape.rows.recurrent = curve_named(kernel, binding.text("recurrent_activation"));
  shape.per_part = std::max<int64_t>(1, kPartUnits / std::max<int64_t>(1, shape.rows.units));
  Type gates = state;
  gates.shape[gates.rank - 1] *= 4;
  const auto check = [&](const Type& type) {
    const bool is_state = std::find(states.begin(), states.end(), &type) != states.end();
    require_dtype(type, state.dtype, kernel);
    require(same_shape(type, is_state ? state : gates), kernel,
            "gates must have four units for each of a state");
  };
  for (const Type& type : binding.inputs()) check(type);
  for (const Type& type : binding.outputs()) check(type);
  return shape;
}

template <class T>
Rows<const T> rows_in(const Operands& operands, int number, int64_t first, int64_t width) {
  return {static_cast<const T*>(operands.in[number]) + first * width, width};
}
template <class T>
Rows<T> rows_out(const Operands& operands, int number, int64_t first, int64_t width) {
  return {static_cast<T*>(operands.out[number]) + first * width, width};
}

/// x, sums, c -> h, c, gates
template <class T>
std::unique_ptr<Step> make_cell(const CellShape& shape) {
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, shape.rows.rows, shape.per_part, [&](int64_t first, int64_t last) {
      const int64_t n = shape.rows.units;
      CellStep<T> cell;
      static_cast<CellRows&>(cell) = shape.rows;
      cell.rows = last - first;
      cell.x = rows_in<T>(operands, 0, first, 4 * n);
      cell.sums = rows_in<T>(operands, 1, first, 4 * n);
      cell.carry_before = rows_in<T>(operands, 2, first, n);
      cell.state = cell.running = rows_out<T>(operands, 0, first, n);
      cell.carry = rows_out<T>(operands, 1, first, n);
      cell.gates = rows_out<T>(operands, 2, first, 4 * n);
      cell_functions<T>().lstm(cell);
    });
  });
}

/// gates, c, c before, gradients of h and c -> gradients of the sums and of c before
template <class T>
std::unique_ptr<Step> make_grad(const CellShape& shape, int64_t scratch_step) {
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, shape.rows.rows, shape.per_part, [&](int64_t first, int64_t last) {
      const int64_t n = shape.rows.units;
      CellGradStep<T> cell;
      static_cast<CellRows&>(cell) = shape.rows;
      cell.rows = last - first;
      cell.gates = rows_in<T>(operands, 0, first, 4 * n);
      cell.carry = rows_in<T>(operands, 1, first, n);
      cell.carry_before = rows_in<T>(operands, 2, first, n);
      cell.incoming = rows_in<T>(operands, 3, first, n);
      cell.d_gates = cell.d_sums = rows_out<T>(operands, 0, first, 4 * n);
      cell.d_carry = rows_out<T>(operands, 1, first, n);
      const Rows<const T> d_carry = rows_in<T>(operands, 4, first, n);
      if (d_carry.data != cell.d_carry.data) {
        std::copy_n(d_carry.data, cell.rows * n, cell.d_carry.data);
      }
      // Nothing comes from later steps but `incoming`: one row of zeros, which stays 0.
      T* const zeros = static_cast<T*>(operands.scratch) + first / shape.per_part * scratch_step;
      std::fill_n(zeros, n, T(0));
      cell.d_state = {zeros, 0};
      cell_functions<T>().lstm_grad(cell);
    });
  });
}

std::unique_ptr<Step> bind_cell(Binding& binding) {
  constexpr const char* kernel = "lstm_cell";
  require_operands(binding, kernel, 3, 3);
  const Type& c = binding.inputs()[2];
  const CellShape shape =
      shape_of(binding, kernel, c, {&c, &binding.outputs()[0], &binding.outputs()[1]});
  if (float_place(kernel, c.dtype) == 1) return make_cell<double>(shape);
  return make_cell<float>(shape);
}

std::unique_ptr<Step> bind_grad(Binding& binding) {
  constexpr const char* kernel = "lstm_cell_grad";
  require_operands(binding, kernel, 5, 2);
  const auto& inputs = binding.inputs();
  const CellShape shape =
      shape_of(binding, kernel, inputs[1],
               {&inputs[1], &inputs[2], &inputs[3], &inputs[4], &binding.outputs()[1]});
  const bool is_double = float_place(kernel, inputs[1].dtype) == 1;
  const int64_t item = item_bytes(inputs[1].dtype);
  const int64_t row_bytes = aligned_size(shape.rows.units * item);
  binding.need_scratch(ceil_div(shape.rows.rows, shape.per_part) * row_bytes);
  if (is_double) return make_grad<double>(shape, row_bytes / item);
  return make_grad<float>(shape, row_bytes / item);
}

const KernelEntry entries[] = {{"lstm_cell", bind_cell}, {"lstm_cell_grad", bind_grad}};

}  // namespace
}  // namespace symk::cpu
