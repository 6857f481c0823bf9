// Binds ctc_loss and ctc_loss_grad. Labels and lengths are checked before anything is computed;
// then rows are independent, and parts of the batch have scratch of their own.
#include "cpu/ctc.h"

#include <cstring>

#include "cpu/dispatch.h"
#include "cpu/integers.h"
#include "cpu/lambda_step.h"
#include "cpu/parts.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

/// Logits (batch, steps, classes), labels (batch, places), a length per row of each.
struct Problem {
  int64_t batch = 0, steps = 0, classes = 0, places = 0;
  DType dtype, labels_dtype, steps_dtype, counts_dtype;
  int64_t parts = 1, part_doubles = 0;

  int64_t row_bytes() const { return steps * classes * item_bytes(dtype); }
  int64_t label_bytes() const {
    return aligned_size(checked_multiply(checked_multiply(batch, places), 8));
  }
  int64_t scratch_bytes() const {
    return checked_add(label_bytes(), checked_multiply(parts, part_doubles * 8));
  }
};

Problem require_problem(const Binding& binding, const char* kernel, size_t inputs) {
  require_operands(binding, kernel, inputs, 1);
  const Type& logits = binding.inputs()[0];
  const Type& labels = binding.inputs()[1];
  require(logits.rank == 3 && labels.rank == 2 && labels.shape[0] == logits.shape[0] &&
              logits.shape[2] >= 1,
          kernel, "logits must be (batch, steps, classes), labels (batch, places)");
  for (int i = 1; i < 4; ++i) {
    if (!is_integer(binding.inputs()[i].dtype)) throw no_dtype(kernel, binding.inputs()[i].dtype);
  }
  for (int i = 2; i < 4; ++i) {
    const Type& lengths = binding.inputs()[i];
    require(lengths.rank == 1 && lengths.shape[0] == logits.shape[0], kernel,
            "there must be one length per row");
  }
  Problem problem;
  float_place(kernel, logits.dtype);
  problem.dtype = logits.dtype;
  problem.batch = logits.shape[0];
  problem.steps = logits.shape[1];
  problem.classes = logits.shape[2];
  problem.places = labels.shape[1];
  problem.labels_dtype = labels.dtype;
  problem.steps_dtype = binding.inputs()[2].dtype;
  problem.counts_dtype = binding.inputs()[3].dtype;
  problem.parts = clamp(problem.batch, 1, kMaxParts);
  // An Error where the terms of ctc_scratch would not fit.
  checked_multiply(checked_multiply(checked_add(problem.steps, 8), checked_add(problem.places, 16)),
                   64 * kMaxParts);
  checked_multiply(checked_add(problem.classes, 8), 64 * kMaxParts);
  problem.part_doubles =
      whole_lines<double>(ctc_scratch(problem.steps, problem.classes, problem.places));
  return problem;
}

/// The lengths of a row.
int64_t steps_of(const Problem& problem, const Operands& operands, int64_t row) {
  return integer_at(problem.steps_dtype, operands.in[2], row);
}
int64_t count_of(const Problem& problem, const Operands& operands, int64_t row) {
  return integer_at(problem.counts_dtype, operands.in[3], row);
}

/// Reads the labels of a row and says what is wrong with it, if anything.
Status read_row(const Problem& problem, const Operands& operands, int64_t row, int64_t* labels) {
  const int64_t steps = steps_of(problem, operands, row);
  if (steps < 0 || steps > problem.steps)
    return {Status::kOutOfRange, steps, row, problem.steps, "a number of steps must be from 0 to"};
  const int64_t count = count_of(problem, operands, row);
  if (count < 0 || count > problem.places)
    return {Status::kOutOfRange, count, row, problem.places,
            "a number of labels must be from 0 to"};
  int64_t needed = count;  // a step for each label, and for a blank between equal ones
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = row * problem.places + i;
    labels[place] = integer_at(problem.labels_dtype, operands.in[1], place);
    if (labels[place] < 0 || labels[place] >= problem.classes - 1)
      return {Status::kOutOfRange, labels[place], place, problem.classes - 2,
              "a label (the last class is the blank) must be from 0 to"};
    needed += i > 0 && labels[place] == labels[place - 1];
  }
  if (needed > steps)
    return {Status::kOutOfRange, needed, row, steps,
            "the steps that the labels of a row need (one each, and one between equal ones) must "
            "be at most its"};
  return Status();
}

/// Runs f(row, CtcRow) for the rows of the batch.
template <class F>
Status run_rows(const Problem& problem, const Operands& operands, ThreadPool& pool, F f) {
  int64_t* labels = static_cast<int64_t*>(operands.scratch);
  for (int64_t row = 0; row < problem.batch; ++row) {
    const Status status = read_row(problem, operands, row, labels);
    if (status.code != Status::kOk) return status;
  }
  double* scratch =
      reinterpret_cast<double*>(static_cast<char*>(operands.scratch) + problem.label_bytes());
  run_parts(pool, problem.parts, [&](int64_t part) {
    const int64_t end = part_begin(problem.batch, part + 1, problem.parts);
    for (int64_t row = part_begin(problem.batch, part, problem.parts); row < end; ++row) {
      CtcRow described;
      described.dtype = problem.dtype;
      described.logits = static_cast<const char*>(operands.in[0]) + row * problem.row_bytes();
      described.labels = labels + row * problem.places;
      described.steps = steps_of(problem, operands, row);
      described.classes = problem.classes;
      described.count = count_of(problem, operands, row);
      described.scratch = scratch + part * problem.part_doubles;
      f(row, described);
    }
  });
  return Status();
}

/// A loss or its gradient, float32 or float64.
double real_at(DType dtype, const void* data, int64_t i) {
  return dtype == DType::kFloat64 ? static_cast<const double*>(data)[i]
                                  : static_cast<const float*>(data)[i];
}
void set_real(DType dtype, void* data, int64_t i, double value) {
  if (dtype == DType::kFloat64) {
    static_cast<double*>(data)[i] = value;
  } else {
    static_cast<float*>(data)[i] = static_cast<float>(value);
  }
}

std::unique_ptr<Step> make_loss(const Problem& problem) {
  const auto loss = float_kernels<CtcKernels>(problem.dtype).loss;
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    return run_rows(problem, operands, pool, [&](int64_t row, const CtcRow& described) {
      set_real(problem.dtype, operands.out[0], row, loss(described));
    });
  });
}

std::unique_ptr<Step> make_gradient(const Problem& problem) {
  const auto gradient = float_kernels<CtcKernels>(problem.dtype).gradient;
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    return run_rows(problem, operands, pool, [&](int64_t row, const CtcRow& described) {
      char* const to = static_cast<char*>(operands.out[0]) + row * problem.row_bytes();
      gradient(described, real_at(problem.dtype, operands.in[4], row), to);
      const int64_t used = described.steps * problem.classes * item_bytes(problem.dtype);
      std::memset(to + used, 0, static_cast<size_t>(problem.row_bytes() - used));
    });
  });
}

std::unique_ptr<Step> bind_ctc_loss(Binding& binding) {
  const Problem problem = require_problem(binding, "ctc_loss", 4);
  const Type& logits = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  require_dtype(y, logits.dtype, "ctc_loss");
  require(y.rank == 1 && y.shape[0] == problem.batch, "ctc_loss", "y must have one loss per row");
  binding.need_scratch(problem.scratch_bytes());
  return make_loss(problem);
}

std::unique_ptr<Step> bind_ctc_loss_grad(Binding& binding) {
  const Problem problem = require_problem(binding, "ctc_loss_grad", 5);
  const Type& logits = binding.inputs()[0];
  const Type& g = binding.inputs()[4];
  require_dtype(g, logits.dtype, "ctc_loss_grad");
  require_dtype(binding.outputs()[0], logits.dtype, "ctc_loss_grad");
  require(g.rank == 1 && g.shape[0] == problem.batch && same_shape(binding.outputs()[0], logits),
          "ctc_loss_grad", "g must have one element per row, the result the shape of the logits");
  binding.need_scratch(problem.scratch_bytes());
  return make_gradient(problem);
}

const KernelEntry entries[] = {
    {"ctc_loss", bind_ctc_loss, Empty::kRuns},
    {"ctc_loss_grad", bind_ctc_loss_grad, Empty::kRuns},
};

}  // namespace
}  // namespace symk::cpu
