// The loss of connectionist temporal classification and its gradient, row by row. A row of n labels
// has 2 n + 1 states: its labels in order, with a blank before, between and after them.
#pragma once

#include <cstdint>

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// One sample. The labels are checked, and the steps are enough for them.
struct CtcRow {
  DType dtype = DType::kFloat32;    // of the logits and their gradient, or float64
  const void* logits = nullptr;     // (steps, classes); the last class is the blank
  const int64_t* labels = nullptr;  // `count` of them
  int64_t steps = 0, classes = 0, count = 0;
  double* scratch = nullptr;  // ctc_scratch() doubles
};

/// Cells of a line of states: two in front and two behind that no state has, and whole vectors.
inline int64_t ctc_line(int64_t states) { return (states + 7) / 8 * 8 + 16; }

/// Doubles of scratch for a row of at most these sizes.
inline int64_t ctc_scratch(int64_t steps, int64_t classes, int64_t count) {
  return 2 * (steps + 2) * ctc_line(2 * count + 1) + 2 * (classes + 8) + steps;
}

struct CtcKernels {
  /// -log of the probability of the labels.
  double (*loss)(const CtcRow& row);
  /// Its gradient in the logits, times g: softmax - the share of the paths that are at a class.
  void (*gradient)(const CtcRow& row, double g, void* d_logits);

  template <Isa isa>
  static const CtcKernels& of();
};
template <>
const CtcKernels& CtcKernels::of<Isa::portable>();
template <>
const CtcKernels& CtcKernels::of<Isa::avx2>();
template <>
const CtcKernels& CtcKernels::of<Isa::avx512>();

}  // namespace symk::cpu
