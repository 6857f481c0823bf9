// The loss of connectionist temporal classification and its gradient: a block per row of the batch,
// in log space and in double whatever the logits are. A row of n labels has 2 n + 1 states: its
// labels in order, with a blank before, between and after them. The threads of a block take a state
// each and meet after every step. Source: Graves et al. 2006, Connectionist Temporal
// Classification, sections 4.1 and 4.2.
#include <algorithm>

#include "cuda/fault.h"
#include "cuda/fold.h"
#include "cuda/integers.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

constexpr double kNever = -math::Format<double>::infinity;  // the logarithm of probability 0
constexpr int kThreads = 128;

const char* const kNeeds[] = {"a number of steps must be from 0 to",
                              "a number of labels must be from 0 to",
                              "a label (the last class is the blank) must be from 0 to",
                              "the steps that the labels of a row need (one each, and one between "
                              "equal ones) must be at most "
                              "its"};

/// Logits (batch, steps, classes), labels (batch, places), a length per row of each.
struct Problem {
  int64_t batch = 0, steps = 0, classes = 0, places = 0;
  Integers labels = {}, row_steps = {}, row_counts = {};

  SYMK_HD int64_t class_of(int64_t row, int64_t state) const {
    return state % 2 == 0 ? classes - 1 : labels[row * places + state / 2];
  }
  /// Whether a path may leave out the blank before a state: at a label unlike the one before it.
  SYMK_HD bool skips(int64_t row, int64_t state) const {
    return state >= 3 && state % 2 == 1 && class_of(row, state) != class_of(row, state - 2);
  }

  /// What is wrong with the lengths or the labels of a row.
  SYMK_HD Refusal refusal(int64_t row) const {
    if (row_steps[row] < 0 || row_steps[row] > steps) return {1, row_steps[row], row, steps};
    const int64_t count = row_counts[row];
    if (count < 0 || count > places) return {2, count, row, places};
    int64_t needed = count;  // a step for each label, and for a blank between equal ones
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place = row * places + i, label = labels[place];
      if (label < 0 || label >= classes - 1) return {3, label, place, classes - 2};
      needed += i > 0 && label == labels[place - 1];
    }
    if (needed > row_steps[row]) return {4, needed, row, row_steps[row]};
    return {};
  }
};

struct FindBadRow {
  Problem problem;
  Fault* fault;
  SYMK_HD void operator()(int64_t row) const {
    if (problem.refusal(row).need != 0) note_position(fault, row);
  }
};
struct NoteBadRow {
  Problem problem;
  Fault* fault;
  SYMK_HD void operator()(int64_t) const {
    if (fault->rank != 0)
      note_refusal(fault, problem.refusal(static_cast<int64_t>(UINT64_MAX - fault->rank)));
  }
};

/// log(exp(a) + exp(b) + exp(c)).
SYMK_HD double log_sum(double a, double b, double c) {
  const double largest = math::max(math::max(math::max(a, b), c), -0x1.fffffffffffffp+1023);
  return largest +
         math::log(math::exp(a - largest) + math::exp(b - largest) + math::exp(c - largest));
}

/// Per row in scratch: the totals of the steps, the lines of states going forward, and two going
/// back.
struct Scratch {
  double* data;
  int64_t steps, states;

  SYMK_BOTH static int64_t doubles(int64_t steps, int64_t states) {
    return steps + (steps + 2) * states;
  }
  SYMK_HD double* totals(int64_t row) const { return data + row * doubles(steps, states); }
  SYMK_HD double* forward(int64_t row, int64_t step) const {
    return totals(row) + steps + step * states;
  }
  SYMK_HD double* backward(int64_t row, int64_t step) const {
    return totals(row) + steps + (steps + step % 2) * states;
  }
};

/// What the threads of a block do for one row.
template <class T>
struct Lattice {
  Problem problem;
  Scratch scratch;
  const T* logits;

  SYMK_HD const T* scores(int64_t row, int64_t step) const {
    return logits + (row * problem.steps + step) * problem.classes;
  }
  SYMK_HD double emission(int64_t row, int64_t step, int64_t state) const {
    return static_cast<double>(scores(row, step)[problem.class_of(row, state)]) -
           scratch.totals(row)[step];
  }

  /// log(sum(exp(scores))) of every step.
  SYMK_HD void find_totals(int64_t row) const {
    for (int64_t step = threadIdx.x; step < problem.row_steps[row]; step += kThreads) {
      const T* const x = scores(row, step);
      double largest = static_cast<double>(x[0]), sum = 0;
      for (int64_t i = 1; i < problem.classes; ++i)
        largest = math::max(static_cast<double>(x[i]), largest);
      for (int64_t i = 0; i < problem.classes; ++i)
        sum += math::exp(static_cast<double>(x[i]) - largest);
      scratch.totals(row)[step] = largest + math::log(sum);
    }
    __syncthreads();
  }

  /// The logarithms of what leads to each state at each step, itself included.
  SYMK_HD void go_forward(int64_t row, int64_t states) const {
    for (int64_t step = 0; step < problem.row_steps[row]; ++step) {
      double* const to = scratch.forward(row, step);
      const double* const from = step > 0 ? scratch.forward(row, step - 1) : nullptr;
      for (int64_t s = threadIdx.x; s < states; s += kThreads) {
        double before = s < 2 ? 0 : kNever;
        if (step > 0) {
          before = log_sum(from[s], s >= 1 ? from[s - 1] : kNever,
                           problem.skips(row, s) ? from[s - 2] : kNever);
        }
        to[s] = emission(row, step, s) + before;
      }
      __syncthreads();
    }
  }

  SYMK_HD double log_probability(int64_t row, int64_t states) const {
    const double* const last = scratch.forward(row, problem.row_steps[row] - 1);
    return log_sum(last[states - 1], states > 1 ? last[states - 2] : kNever, kNever);
  }

  /// What follows each state of a step, itself left out.
  SYMK_HD void go_back(int64_t row, int64_t step, int64_t states) const {
    double* const to = scratch.backward(row, step);
    const double* const next = scratch.backward(row, step + 1);
    const bool last = step == problem.row_steps[row] - 1;
    const auto following = [&](int64_t s) {
      return s < states ? next[s] + emission(row, step + 1, s) : kNever;
    };
    for (int64_t s = threadIdx.x; s < states; s += kThreads) {
      if (last) {
        to[s] = s >= states - 2 ? 0 : kNever;
      } else {
        const bool skips = s + 2 < states && problem.skips(row, s + 2);
        to[s] = log_sum(following(s), following(s + 1), skips ? following(s + 2) : kNever);
      }
    }
    __syncthreads();
  }
};

template <class T>
struct Loss {
  Lattice<T> lattice;
  T* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t row) const {
    if (fault->rank != 0) return;
    const int64_t states = 2 * lattice.problem.row_counts[row] + 1;
    const bool empty = lattice.problem.row_steps[row] == 0;
    lattice.find_totals(row);
    lattice.go_forward(row, states);
    if (threadIdx.x == 0)
      y[row] = empty ? T(0) : static_cast<T>(-lattice.log_probability(row, states));
  }
};

/// softmax minus the share of the paths that are at a class, times g.
template <class T>
struct LossGrad {
  Lattice<T> lattice;
  const T* g;
  T* dx;
  const Fault* fault;
  SYMK_HD void operator()(int64_t row) const {
    if (fault->rank != 0) return;
    const Problem& problem = lattice.problem;
    const int64_t states = 2 * problem.row_counts[row] + 1, steps = problem.row_steps[row];
    T* const to = dx + row * problem.steps * problem.classes;
    for (int64_t i = steps * problem.classes + threadIdx.x; i < problem.steps * problem.classes;
         i += kThreads)
      to[i] = T(0);
    if (steps == 0) return;
    lattice.find_totals(row);
    lattice.go_forward(row, states);
    const double probability = lattice.log_probability(row, states);
    for (int64_t step = steps - 1; step >= 0; --step) {
      lattice.go_back(row, step, states);
      for (int64_t c = threadIdx.x; c < problem.classes; c += kThreads)
        to[step * problem.classes + c] = slope(row, step, c, states, probability);
      __syncthreads();
    }
  }

  SYMK_HD T slope(int64_t row, int64_t step, int64_t c, int64_t states, double probability) const {
    const double* const ahead = lattice.scratch.forward(row, step);
    const double* const behind = lattice.scratch.backward(row, step);
    double share = 0;
    for (int64_t s = 0; s < states; ++s) {
      if (lattice.problem.class_of(row, s) == c)
        share += math::exp(ahead[s] + behind[s] - probability);
    }
    const double score = static_cast<double>(lattice.scores(row, step)[c]);
    const double softmax = math::exp(score - lattice.scratch.totals(row)[step]);
    return static_cast<T>(static_cast<double>(g[row]) * (softmax - share));
  }
};

// --- bindings ---

void require_integers(const char* kernel, const Type& type) {
  if (type.dtype < DType::kInt8 || type.dtype > DType::kUInt8)
    throw cpu::no_dtype(kernel, type.dtype);
}

Problem require_problem(Binding& binding, const char* kernel, size_t inputs) {
  cpu::require_operands(binding, kernel, inputs, 1);
  const Type& logits = binding.inputs()[0];
  const Type& labels = binding.inputs()[1];
  cpu::require(logits.rank == 3 && labels.rank == 2 && labels.shape[0] == logits.shape[0] &&
                   logits.shape[2] >= 1,
               kernel, "logits must be (batch, steps, classes), labels (batch, places)");
  for (size_t i = 1; i < 4; ++i) require_integers(kernel, binding.inputs()[i]);
  for (size_t i = 2; i < 4; ++i) {
    const Type& lengths = binding.inputs()[i];
    cpu::require(lengths.rank == 1 && lengths.shape[0] == logits.shape[0], kernel,
                 "there must be one length per row");
  }
  Problem problem;
  problem.batch = logits.shape[0];
  problem.steps = logits.shape[1];
  problem.classes = logits.shape[2];
  problem.places = labels.shape[1];
  const int64_t states = checked_add(checked_multiply(2, problem.places), 1);
  const int64_t doubles =
      checked_add(problem.steps, checked_multiply(checked_add(problem.steps, 2), states));
  binding.need_scratch(checked_multiply(checked_multiply(problem.batch, doubles), 8));
  return problem;
}

template <class T>
Lattice<T> prepare(const Queue& queue, Problem problem, const DType (&dtypes)[3],
                   const Operands& operands) {
  problem.labels = {operands.in[1], dtypes[0]};
  problem.row_steps = {operands.in[2], dtypes[1]};
  problem.row_counts = {operands.in[3], dtypes[2]};
  each(queue, problem.batch, FindBadRow{problem, operands.fault});
  each(queue, 1, NoteBadRow{problem, operands.fault});
  return {problem,
          {static_cast<double*>(operands.scratch), problem.steps, 2 * problem.places + 1},
          input<T>(operands, 0)};
}

template <class T>
std::unique_ptr<Step> loss_step(const Binding& binding, const Problem& problem, bool gradient) {
  const DType labels = binding.inputs()[1].dtype, steps = binding.inputs()[2].dtype,
              counts = binding.inputs()[3].dtype;
  return make_checked_step(
      binding,
      [=](const Queue& queue, const Operands& operands) {
        const Lattice<T> lattice = prepare<T>(queue, problem, {labels, steps, counts}, operands);
        if (gradient) {
          blocks(
              queue, problem.batch, kThreads, 0,
              LossGrad<T>{lattice, input<T>(operands, 4), output<T>(operands, 0), operands.fault});
        } else {
          blocks(queue, problem.batch, kThreads, 0,
                 Loss<T>{lattice, output<T>(operands, 0), operands.fault});
        }
      },
      kNeeds);
}

std::unique_ptr<Step> bind_loss(Binding& binding) {
  constexpr const char* name = "ctc_loss";
  const Problem problem = require_problem(binding, name, 4);
  const Type& logits = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  cpu::require_dtype(y, logits.dtype, name);
  cpu::require(y.rank == 1 && y.shape[0] == problem.batch, name, "y must have one loss per row");
  return cpu::float_place(name, logits.dtype) == 0 ? loss_step<float>(binding, problem, false)
                                                   : loss_step<double>(binding, problem, false);
}

std::unique_ptr<Step> bind_loss_grad(Binding& binding) {
  constexpr const char* name = "ctc_loss_grad";
  const Problem problem = require_problem(binding, name, 5);
  const Type& logits = binding.inputs()[0];
  const Type& g = binding.inputs()[4];
  cpu::require_dtype(g, logits.dtype, name);
  cpu::require_dtype(binding.outputs()[0], logits.dtype, name);
  cpu::require(
      g.rank == 1 && g.shape[0] == problem.batch && cpu::same_shape(binding.outputs()[0], logits),
      name, "g must have one element per row, the result the shape of the logits");
  return cpu::float_place(name, logits.dtype) == 0 ? loss_step<float>(binding, problem, true)
                                                   : loss_step<double>(binding, problem, true);
}

const KernelEntry entries[] = {
    {"ctc_loss", bind_loss, Empty::kRuns},
    {"ctc_loss_grad", bind_loss_grad, Empty::kRuns},
};

}  // namespace
}  // namespace symk::cuda
