// Conversions of stored weights, and the product of a vector with them.
#include "cpu/stored_step.h"

#include <algorithm>

#include "cpu/dispatch.h"
#include "cpu/elementwise.h"
#include "cpu/matmul_vector.h"
#include "cpu/require.h"
#include "cpu/stored.h"

namespace symk::cpu {
namespace {

/// Rows of weights in float32: stored ones, times their scales.
struct Widening {
  DType stored;
  int weights, scale;  // inputs; scale: -1 if there is none
  int64_t rows, columns;
  int64_t scale_rows;  // 0 if each column has a scale, else as many rows in turn have one each

  void operator()(const void* const* in, float* wide, ThreadPool& pool) const {
    const auto& loops = kernels<ElementwiseKernels>();
    const Loop loop =
        stored == DType::kFloat16
            ? loops.widen_half
            : loops.casts[static_cast<int>(stored)][static_cast<int>(DType::kFloat32)];
    const char* const from = static_cast<const char*>(in[weights]);
    const float* const scales = scale < 0 ? nullptr : static_cast<const float*>(in[scale]);
    const int64_t parts =
        clamp(rows * columns / kPartElements, 1, std::min(kMaxParts, std::max<int64_t>(1, rows)));
    run_parts(pool, parts, [&](int64_t part) {
      const int64_t first = part_begin(rows, part, parts), last = part_begin(rows, part + 1, parts);
      const void* const begin = from + first * columns * item_bytes(stored);
      loop(&begin, wide + first * columns, (last - first) * columns);
      for (int64_t row = first; row < last && scales; ++row)
        multiply_row(wide + row * columns, scales, row);
    });
  }

  void multiply_row(float* row, const float* scales, int64_t number) const {
    if (scale_rows == 0) return multiply_by(row, scales, columns);
    for (int64_t j = 0; j < columns; ++j) row[j] *= scales[number % scale_rows];
  }
};

/// y = v x weights, then its scale and the epilogue; weights (rows, columns). Parts are blocks of
/// rows, whose sums are added in order.
class StoredVectorStep : public Step {
 public:
  StoredVectorStep(Binding& outer, const ConvertedBinding& binding, const MatmulProblem& problem)
      : epilogue_(binding, "matmul"), rows_(problem.k), columns_(problem.n),
        bytes_(outer.inputs()[1].dtype == DType::kInt8),
        scale_(bytes_ ? outer.inputs().size() - 1 : 0) {
    parts_ = clamp(rows_ * columns_ / kPartElements, 1,
                   std::min(kMaxParts, std::max<int64_t>(1, rows_)));
    outer.need_scratch(checked_multiply(parts_ * whole_lines<float>(columns_), sizeof(float)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    const auto& functions = kernels<StoredKernels>();
    const float* const v = static_cast<const float*>(operands.in[0]);
    float* const sums = static_cast<float*>(operands.scratch);
    float* const y = static_cast<float*>(operands.out[0]);
    const int64_t step = whole_lines<float>(columns_);
    run_parts(pool, parts_, [&](int64_t part) {
      const int64_t first = part_begin(rows_, part, parts_);
      const int64_t count = part_begin(rows_, part + 1, parts_) - first;
      float* const sum = sums + part * step;
      if (bytes_) {
        functions.add_bytes(static_cast<const int8_t*>(operands.in[1]) + first * columns_,
                            v + first, sum, count, columns_);
      } else {
        functions.add_halves(static_cast<const uint16_t*>(operands.in[1]) + first * columns_,
                             v + first, sum, count, columns_);
      }
    });
    std::copy(sums, sums + columns_, y);
    for (int64_t i = 1; i < parts_; ++i) add_to(y, sums + i * step, columns_);
    if (bytes_) multiply_by(y, static_cast<const float*>(operands.in[scale_]), columns_);
    finish_rows(y, 1, columns_, epilogue_.of(operands));
    return {};
  }

 private:
  EpilogueOperands<float> epilogue_;
  int64_t rows_, columns_, parts_ = 1;
  bool bytes_;    // int8, else float16
  size_t scale_;  // the input
};

}  // namespace

bool has_stored_weights(const Binding& binding, int weights) {
  const auto& in = binding.inputs();
  if (static_cast<int>(in.size()) <= weights || binding.outputs().empty()) return false;
  const DType dtype = in[static_cast<size_t>(weights)].dtype;
  return (dtype == DType::kFloat16 || dtype == DType::kInt8) && in[0].dtype == DType::kFloat32;
}

Conversion widened_weights(const Binding& binding, const char* kernel, int weights) {
  const auto& in = binding.inputs();
  const Type& type = in[static_cast<size_t>(weights)];
  require(type.rank >= 2, kernel, "stored weights must have at least two axes");
  const int64_t columns = type.shape[type.rank - 1], rows = type.shape[type.rank - 2];
  Widening widening = {type.dtype, weights, -1, 1, columns, 0};
  for (int i = 0; i < type.rank - 1; ++i) widening.rows *= type.shape[i];
  if (type.dtype == DType::kInt8) {
    widening.scale = static_cast<int>(in.size()) - 1;
    require(widening.scale > weights, kernel, "int8 weights must have a scale, the last operand");
    const Type& scale = in.back();
    const bool per_column = scale.rank == 1 && scale.shape[0] == columns;
    const bool per_row = scale.rank == 2 && scale.shape[0] == rows && scale.shape[1] == 1;
    require(scale.dtype == DType::kFloat32 && (per_column || per_row), kernel,
            "the scale of int8 weights must be float32, one for each column or row");
    if (per_row) widening.scale_rows = rows;
  }
  Type wide = type;
  wide.dtype = DType::kFloat32;
  const std::string form =
      form_of("float32", {widening.rows, widening.columns, widening.scale_rows});
  const auto convert = [widening](const void* const* in_, void* to, ThreadPool& pool) {
    widening(in_, static_cast<float*>(to), pool);
  };
  return {weights, wide, wide.bytes(), form, convert, widening.scale};
}

std::unique_ptr<Step> bind_stored(Binding& binding, const char* kernel, int weights,
                                  const BindFunction& bind) {
  return bind_converted(binding, {widened_weights(binding, kernel, weights)}, bind);
}

std::unique_ptr<Step> bind_stored_matmul(Binding& binding, const BindFunction& bind) {
  const std::vector<Conversion> conversions = {widened_weights(binding, "matmul", 1)};
  const ConvertedBinding inner(binding, conversions);
  const MatmulProblem problem = read_matmul(inner);
  const bool per_column = conversions[0].beside < 0 || binding.inputs().back().rank == 1;
  const bool rounds = inner.text("products", "float32") != "float32";
  if (problem.m == 1 && problem.a_start.size() == 1 && problem.b_column == 1 && per_column &&
      !rounds) {
    return std::make_unique<StoredVectorStep>(binding, inner, problem);
  }
  return bind_converted(binding, conversions, bind);
}

}  // namespace symk::cpu
