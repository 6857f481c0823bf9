// What the bindings of recurrent kernels share on every device: what the operands of a sequence
// must be, and where the rows of a time lie in them. How sequences are run is the device's.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/recurrent.h"
#include "cpu/require.h"
#include "math/lanes.h"
#include "runtime/error.h"
#include "runtime/kernel.h"

namespace symk::cpu {

inline Curve curve_named(const char* kernel, const std::string& name) {
  static constexpr const char* names[] = {"linear", "relu", "tanh", "sigmoid", "hard_sigmoid"};
  for (int i = 0; i < 5; ++i) {
    if (name == names[i]) return static_cast<Curve>(i);
  }
  throw Error(ErrorCode::kArgument, std::string("[") + kernel +
                                        "] an activation must be linear, relu, tanh, sigmoid or "
                                        "hard_sigmoid; \"" +
                                        name + "\" was given.");
}

template <class T>
const RecurrentFunctions<T>& cell_functions() {
  if constexpr (sizeof(T) == 4) {
    return kernels<RecurrentKernels>().float32;
  } else {
    return float64_kernels<RecurrentKernels>().float64;
  }
}

/// The sizes of a batch of sequences, as the operands of a kernel have them, and its attributes.
struct SequenceLayout {
  const char* kernel;
  DType dtype;
  int64_t gates;
  int weights, mask;  // the numbers of these inputs; a mask of -1: none
  int64_t batch = 0, time = 0, units = 0;
  bool reverse = false;
  bool sequences = false;  // backward: whether there is a gradient of all states
  CellRows cell;           // of all rows

  /// Input 0 has the axes batch, time, and units of each gate; a mask may come after `others`
  /// inputs.
  SequenceLayout(const Binding& binding, const char* name, int gate_count, int weights_number,
                 int others, size_t outputs);

  // --- what operands must be ---
  void require_type(const Type& type, const std::vector<int64_t>& shape) const {
    require_dtype(type, dtype, kernel);
    const bool fits = type.rank == static_cast<int>(shape.size()) &&
                      std::equal(shape.begin(), shape.end(), type.shape);
    require(fits, kernel, "the shapes must belong to one batch, time and number of units");
  }
  void require_sequences(const Type& type, int64_t count) const {
    require_type(type, {batch, time, count * units});
  }
  void require_states(const Type& type) const { require_type(type, {batch, units}); }

  // --- rows, from sequence `first` on ---
  /// The rows of (batch, time, width) at one time.
  template <class P>
  SYMK_BOTH Rows<P> at_time(P* data, int64_t width, int64_t first, int64_t when) const {
    return {data + (first * time + when) * width, time * width};
  }
  /// Those of (batch, units).
  template <class P>
  SYMK_BOTH Rows<P> states(P* data, int64_t first) const {
    return {data + first * units, units};
  }
  /// The states before a step: those of the step that comes before it, or the initial ones.
  template <class T>
  SYMK_BOTH Rows<const T> before(const T* all, const T* initial, int64_t first,
                                 int64_t when) const {
    const int64_t earlier = reverse ? when + 1 : when - 1;
    if (earlier < 0 || earlier >= time) return states(initial, first);
    return at_time(all, units, first, earlier);
  }
  /// What comes from outside for one time, if anything does.
  template <class T>
  SYMK_BOTH Rows<const T> incoming(const Operands& operands, int number, int64_t first,
                                   int64_t when) const {
    if (!sequences) return {};
    return at_time(static_cast<const T*>(operands.in[number]), units, first, when);
  }
  /// The time of a step, in the order of the sequence.
  SYMK_BOTH int64_t time_of(int64_t step) const { return reverse ? time - 1 - step : step; }

  /// What all cells need to know of a time; the next one is `step` further in the sequence.
  SYMK_BOTH void set_time(CellRows& rows, const Operands& operands, int64_t first, int64_t when,
                          int64_t step) const {
    const int64_t next = when + (reverse ? -step : step);
    rows.ahead = next >= 0 && next < time ? next - when : 0;
    if (mask < 0) return;
    rows.mask = at_time(static_cast<const unsigned char*>(operands.in[mask]), 1, first, when);
  }
};

inline SequenceLayout::SequenceLayout(const Binding& binding, const char* name, int gate_count,
                                      int weights_number, int others, size_t outputs)
    : kernel(name), gates(gate_count), weights(weights_number) {
  const auto count = static_cast<int>(binding.inputs().size());
  require(count == others || count == others + 1, kernel,
          "the number of inputs must be the kernel's");
  require(binding.outputs().size() == outputs, kernel,
          "the number of outputs must be the kernel's");
  mask = count == others ? -1 : others;
  const Type& like = binding.inputs()[0];
  float_place(kernel, like.dtype);
  dtype = like.dtype;
  require(like.rank == 3 && like.shape[2] % gates == 0, kernel,
          "a sequence must have the axes batch, time, and units of each gate");
  batch = like.shape[0];
  time = like.shape[1];
  units = like.shape[2] / gates;
  reverse = binding.integer("reverse", 0) != 0;
  sequences = binding.integer("sequences", 0) != 0;
  require_type(binding.inputs()[static_cast<size_t>(weights)], {units, gates * units});
  if (mask >= 0) {
    const Type& type = binding.inputs()[static_cast<size_t>(mask)];
    require_dtype(type, DType::kBool, kernel);
    require(type.rank == 2 && type.shape[0] == batch && type.shape[1] == time, kernel,
            "the mask must have the axes batch and time");
  }
  cell.rows = batch;
  cell.units = units;
  cell.activation = curve_named(kernel, binding.text("activation"));
  cell.recurrent = curve_named(kernel, binding.text("recurrent_activation", "sigmoid"));
}

/// The operands of a step in one direction, for the cells of the kernels below: from sequence
/// `first` on, at one time.
template <class T>
struct TimeOperands {
  const SequenceLayout& layout;
  const Operands& operands;
  int64_t first, when;

  SYMK_BOTH const T* input(int number) const { return static_cast<const T*>(operands.in[number]); }
  SYMK_BOTH T* output(int number) const { return static_cast<T*>(operands.out[number]); }
  /// Rows of so many times the units.
  SYMK_BOTH Rows<const T> rows_in(int number, int64_t widths) const {
    return layout.at_time(input(number), widths * layout.units, first, when);
  }
  SYMK_BOTH Rows<T> rows_out(int number, int64_t widths) const {
    return layout.at_time(output(number), widths * layout.units, first, when);
  }
  SYMK_BOTH Rows<const T> before(const T* all, int initial) const {
    return layout.before(all, input(initial), first, when);
  }
  SYMK_BOTH Rows<const T> incoming(int number) const {
    return layout.template incoming<T>(operands, number, first, when);
  }
};

/// Inputs of a gradient, but for the mask, of which the gradient of all states may be missing.
inline int count_inputs(const Binding& binding, int others) {
  return others + (binding.integer("sequences") != 0 ? 1 : 0);
}

/// SimpleRNN: x, weights, h [, mask] -> all h, last h
struct SimpleOperands {
  static constexpr const char* name = "rnn_sequence";

  static SequenceLayout read(const Binding& binding) {
    const SequenceLayout layout(binding, name, 1, 1, 3, 2);
    layout.require_states(binding.inputs()[2]);
    layout.require_sequences(binding.outputs()[0], 1);
    layout.require_states(binding.outputs()[1]);
    return layout;
  }
  template <class T>
  SYMK_BOTH static void place(const TimeOperands<T>& at, CellStep<T>& cell) {
    cell.x = at.rows_in(0, 1);
    cell.state = at.rows_out(0, 1);
  }
};

/// all h, weights, gradient of the last h [, that of all h] [, mask] -> dx, dh
struct SimpleGradOperands {
  static constexpr const char* name = "rnn_sequence_grad";

  static SequenceLayout read(const Binding& binding) {
    const SequenceLayout layout(binding, name, 1, 1, count_inputs(binding, 3), 2);
    layout.require_states(binding.inputs()[2]);
    if (layout.sequences) layout.require_sequences(binding.inputs()[3], 1);
    layout.require_sequences(binding.outputs()[0], 1);
    layout.require_states(binding.outputs()[1]);
    return layout;
  }
  template <class T>
  SYMK_BOTH static void place(const TimeOperands<T>& at, CellGradStep<T>& cell) {
    cell.gates = at.rows_in(0, 1);
    cell.incoming = at.incoming(3);
    cell.d_gates = at.rows_out(0, 1);
  }
};

/// LSTM: x, weights, h, c [, mask] -> all h, all c, gates, last h, last c
struct LstmOperands {
  static constexpr const char* name = "lstm_sequence";

  static SequenceLayout read(const Binding& binding) {
    const SequenceLayout layout(binding, name, 4, 1, 4, 5);
    layout.require_states(binding.inputs()[2]);
    layout.require_states(binding.inputs()[3]);
    layout.require_sequences(binding.outputs()[0], 1);
    layout.require_sequences(binding.outputs()[1], 1);
    layout.require_sequences(binding.outputs()[2], 4);
    layout.require_states(binding.outputs()[3]);
    layout.require_states(binding.outputs()[4]);
    return layout;
  }
  template <class T>
  SYMK_BOTH static void place(const TimeOperands<T>& at, CellStep<T>& cell) {
    cell.x = at.rows_in(0, 4);
    cell.state = at.rows_out(0, 1);
    cell.carry_before = at.before(at.output(1), 3);
    cell.carry = at.rows_out(1, 1);
    cell.gates = at.rows_out(2, 4);
  }
};

/// gates, all c, c, weights, gradients of the last h and c [, that of all h] [, mask]
/// -> dx, dh, dc
struct LstmGradOperands {
  static constexpr const char* name = "lstm_sequence_grad";

  static SequenceLayout read(const Binding& binding) {
    const SequenceLayout layout(binding, name, 4, 3, count_inputs(binding, 6), 3);
    layout.require_sequences(binding.inputs()[1], 1);
    layout.require_states(binding.inputs()[2]);
    layout.require_states(binding.inputs()[4]);
    layout.require_states(binding.inputs()[5]);
    if (layout.sequences) layout.require_sequences(binding.inputs()[6], 1);
    layout.require_sequences(binding.outputs()[0], 4);
    layout.require_states(binding.outputs()[1]);
    layout.require_states(binding.outputs()[2]);
    return layout;
  }
  template <class T>
  SYMK_BOTH static void place(const TimeOperands<T>& at, CellGradStep<T>& cell) {
    cell.gates = at.rows_in(0, 4);
    cell.carry = at.rows_in(1, 1);
    cell.carry_before = at.before(at.input(1), 2);
    cell.incoming = at.incoming(6);
    cell.d_gates = at.rows_out(0, 4);
  }
};

inline bool resets_after(const Binding& binding) { return binding.integer("reset_after") != 0; }

/// GRU: x, weights, h [, bias of the products with the state] [, mask]
/// -> all h, gates, inner, last h
struct GruOperands {
  static constexpr const char* name = "gru_sequence";

  static SequenceLayout read(const Binding& binding) {
    const bool after = resets_after(binding);
    const SequenceLayout layout(binding, name, 3, 1, after ? 4 : 3, 4);
    layout.require_states(binding.inputs()[2]);
    if (after) layout.require_type(binding.inputs()[3], {3 * layout.units});
    layout.require_sequences(binding.outputs()[0], 1);
    layout.require_sequences(binding.outputs()[1], 3);
    layout.require_sequences(binding.outputs()[2], 1);
    layout.require_states(binding.outputs()[3]);
    return layout;
  }
  template <class T>
  SYMK_BOTH static void place(const TimeOperands<T>& at, CellStep<T>& cell) {
    cell.x = at.rows_in(0, 3);
    cell.state = at.rows_out(0, 1);
    cell.gates = at.rows_out(1, 3);
    cell.inner = at.rows_out(2, 1);
  }
};

/// gates, inner, all h, h, weights, gradient of the last h [, that of all h] [, mask]
/// -> dx, dh [, gradient of the products with the state]
struct GruGradOperands {
  static constexpr const char* name = "gru_sequence_grad";

  static SequenceLayout read(const Binding& binding) {
    const bool after = resets_after(binding);
    const SequenceLayout layout(binding, name, 3, 4, count_inputs(binding, 6), after ? 3 : 2);
    layout.require_sequences(binding.inputs()[1], 1);
    layout.require_sequences(binding.inputs()[2], 1);
    layout.require_states(binding.inputs()[3]);
    layout.require_states(binding.inputs()[5]);
    if (layout.sequences) layout.require_sequences(binding.inputs()[6], 1);
    layout.require_sequences(binding.outputs()[0], 3);
    layout.require_states(binding.outputs()[1]);
    if (after) layout.require_sequences(binding.outputs()[2], 3);
    return layout;
  }
  template <class T>
  SYMK_BOTH static void place(const TimeOperands<T>& at, CellGradStep<T>& cell) {
    cell.gates = at.rows_in(0, 3);
    cell.inner = at.rows_in(1, 1);
    cell.before = at.before(at.input(2), 3);
    cell.incoming = at.incoming(6);
    cell.d_gates = at.rows_out(0, 3);
  }
};

/// The step Sequence<float> or Sequence<double> of a binding whose operands are what the kernel's
/// must be.
template <template <class> class Sequence>
std::unique_ptr<Step> bind_sequence(Binding& binding) {
  const SequenceLayout layout = Sequence<float>::Kind::read(binding);
  if (layout.dtype == DType::kFloat64) return std::make_unique<Sequence<double>>(binding, layout);
  return std::make_unique<Sequence<float>>(binding, layout);
}

}  // namespace symk::cpu
