// Forward and backward over the states of a row, in log space and in double whatever the logits
// are. States lie beside each other, and a vector takes a lane of each. Source: Graves et al. 2006,
// Connectionist Temporal Classification, sections 4.1 and 4.2.
#include "cpu/ctc.h"

#include "cpu/vec/vec.h"
#include "math/exponential.h"
#include "math/logarithm.h"

namespace symk::cpu::SYMK_ISA {
namespace {

using V = Vec<double>;
constexpr double kNever = -math::Format<double>::infinity;  // the logarithm of probability 0
constexpr int64_t kFront = 2;                               // cells before the first state

/// log(exp(a) + exp(b) + exp(c)).
[[gnu::always_inline]] inline V log_sum(V a, V b, V c) {
  const V largest = max(max(max(a, b), c), V(-0x1.fffffffffffffp+1023));
  return largest +
         math::log(math::exp(a - largest) + math::exp(b - largest) + math::exp(c - largest));
}

/// The memory of a row, and what its states are.
struct Lattice {
  const CtcRow& row;
  const int64_t states, line;
  double *const emissions, *const forward, *const backward, *const skips;  // lines of states
  double *const scores, *const shares;                                     // one per class
  double* const totals;                                                    // one per step

  explicit Lattice(const CtcRow& row)
      : row(row), states(2 * row.count + 1), line(ctc_line(states)), emissions(row.scratch),
        forward(emissions + row.steps * line), backward(forward + row.steps * line),
        skips(backward + 2 * line), scores(skips + line), shares(scores + row.classes + 8),
        totals(shares + row.classes + 8) {}

  int64_t class_of(int64_t state) const {
    return state % 2 == 0 ? row.classes - 1 : row.labels[state / 2];
  }

  /// The logits of a step as doubles.
  void read_scores(int64_t step) const {
    if (row.dtype == DType::kFloat64) {
      read_scores(static_cast<const double*>(row.logits) + step * row.classes);
    } else {
      read_scores(static_cast<const float*>(row.logits) + step * row.classes);
    }
  }
  template <class T>
  void read_scores(const T* from) const {
    for (int64_t i = 0; i < row.classes; ++i) scores[i] = static_cast<double>(from[i]);
  }

  /// The logarithms of the probabilities of the states at each step.
  void emit() const {
    for (int64_t step = 0; step < row.steps; ++step) {
      read_scores(step);
      const double total = totals[step] = log_of_sum();
      double* to = emissions + step * line;
      for (int64_t i = 0; i < line; ++i) to[i] = kNever;
      for (int64_t s = 0; s < states; ++s) to[kFront + s] = scores[class_of(s)] - total;
    }
  }

  /// log(sum(exp(scores))).
  double log_of_sum() const {
    double largest = scores[0];
    for (int64_t i = 1; i < row.classes; ++i) largest = scores[i] > largest ? scores[i] : largest;
    V sum = V::zero();
    for (int64_t i = 0; i < row.classes; i += V::width) {
      const int64_t left = row.classes - i;
      const int lanes = left < V::width ? static_cast<int>(left) : V::width;
      const V e = math::exp(V::load_partial(scores + i, lanes) - V(largest));
      sum += select(first_lanes<double>(lanes), e, V::zero());
    }
    return largest + math::log(reduce_add(sum));
  }

  /// 0 where a path may leave out the blank before a state: at a label unlike the one before it.
  void allow_skips() const {
    for (int64_t i = 0; i < line; ++i) skips[i] = kNever;
    for (int64_t i = 1; i < row.count; ++i) {
      if (row.labels[i] != row.labels[i - 1]) skips[kFront + 2 * i + 1] = 0;
    }
  }

  /// Line `step` of `forward`: the logarithms of what leads to each state, itself included.
  void go_forward() const {
    for (int64_t i = 0; i < line; ++i) forward[i] = kNever;
    for (int64_t s = 0; s < 2 && s < states; ++s) forward[kFront + s] = emissions[kFront + s];
    for (int64_t step = 1; step < row.steps; ++step) {
      const double *from = forward + (step - 1) * line, *e = emissions + step * line;
      double* to = forward + step * line;
      for (int64_t i = 0; i < line; ++i) to[i] = kNever;
      for (int64_t i = kFront; i < kFront + states; i += V::width) {
        const V skipped = V::load(from + i - 2) + V::load(skips + i);
        (V::load(e + i) + log_sum(V::load(from + i), V::load(from + i - 1), skipped)).store(to + i);
      }
    }
  }

  /// log of the probability of the labels, after `go_forward`.
  double log_probability() const {
    const double* last = forward + (row.steps - 1) * line + kFront + states - 1;
    return log_sum(V(last[0]), V(last[-1]), V(kNever))[0];
  }

  /// What follows each state of a step, itself left out, from what follows those of the next step.
  void go_back(int64_t step, const double* next, double* to) const {
    for (int64_t i = 0; i < line; ++i) to[i] = kNever;
    if (step == row.steps - 1) {
      for (int64_t s = states - 1; s >= 0 && s >= states - 2; --s) to[kFront + s] = 0;
      return;
    }
    const double* e = emissions + (step + 1) * line;
    auto following = [&](int64_t i) { return V::load(next + i) + V::load(e + i); };
    for (int64_t i = kFront; i < kFront + states; i += V::width) {
      const V skipped = following(i + 2) + V::load(skips + i + 2);
      log_sum(following(i), following(i + 1), skipped).store(to + i);
    }
  }

  /// x <- exp(x - shift).
  void exponentiate(double* x, int64_t count, double shift) const {
    for (int64_t i = 0; i < count; i += V::width) {
      const int lanes = count - i < V::width ? static_cast<int>(count - i) : V::width;
      math::exp(V::load_partial(x + i, lanes) - V(shift)).store_partial(x + i, lanes);
    }
  }

  /// The share of the paths that are at each class in a step; uses up the line of `forward`.
  void share_out(int64_t step, const double* behind, double probability) const {
    double* ahead = forward + step * line + kFront;
    for (int64_t s = 0; s < states; ++s) ahead[s] += behind[kFront + s];
    exponentiate(ahead, states, probability);
    for (int64_t i = 0; i < row.classes; ++i) shares[i] = 0;
    for (int64_t s = 0; s < states; ++s) shares[class_of(s)] += ahead[s];
  }

  /// The gradient of a step, of which `scores` are the probabilities.
  template <class T>
  void write_gradient(int64_t step, double g, T* d_logits) const {
    T* to = d_logits + step * row.classes;
    for (int64_t i = 0; i < row.classes; ++i) to[i] = static_cast<T>(g * (scores[i] - shares[i]));
  }
};

double loss(const CtcRow& row) {
  if (row.steps == 0) return 0;
  const Lattice lattice(row);
  lattice.emit();
  lattice.allow_skips();
  lattice.go_forward();
  return -lattice.log_probability();
}

void gradient(const CtcRow& row, double g, void* d_logits) {
  if (row.steps == 0) return;
  const Lattice lattice(row);
  lattice.emit();
  lattice.allow_skips();
  lattice.go_forward();
  const double probability = lattice.log_probability();
  for (int64_t step = row.steps - 1; step >= 0; --step) {
    double* behind = lattice.backward + step % 2 * lattice.line;
    lattice.go_back(step, lattice.backward + (step + 1) % 2 * lattice.line, behind);
    lattice.share_out(step, behind, probability);
    lattice.read_scores(step);
    lattice.exponentiate(lattice.scores, row.classes, lattice.totals[step]);
    if (row.dtype == DType::kFloat64) {
      lattice.write_gradient(step, g, static_cast<double*>(d_logits));
    } else {
      lattice.write_gradient(step, g, static_cast<float*>(d_logits));
    }
  }
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const CtcKernels& CtcKernels::of<Isa::SYMK_ISA>() {
  static constexpr CtcKernels table = {&SYMK_ISA::loss, &SYMK_ISA::gradient};
  return table;
}

}  // namespace symk::cpu
