// Sequences of SimpleRNN, LSTM and GRU, and one step of an LSTM, forward and backward. Sequences of
// float32 are one launch where the weights of their states fit into the registers of the device
// (recurrent_resident.h). Else a step is the product of the states with their weights and one
// kernel that does all with the gates; steps follow each other in the queue and nothing waits.
#include <string>

#include "cpu/recurrent_binding.h"
#include "cpu/require.h"
#include "cuda/device.h"
#include "cuda/product.h"
#include "cuda/recurrent_resident.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

using cpu::SequenceLayout;
using cpu::TimeOperands;

// --- one unit of one sequence per thread ---

template <class Unit, class T>
struct ForwardCell {
  CellStep<T> cell;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t row = i / cell.units, u = i % cell.units;
    T& running = at(cell.running, row)[u];
    const GateSums<T> sums = {at(cell.sums, row) + u, cell.units};
    running = Unit::step(cell, row, u, running, sums);
  }
};

template <class Unit, class T>
struct BackwardCell {
  CellGradStep<T> cell;
  SYMK_HD void operator()(int64_t i) const { Unit::step(cell, i / cell.units, i % cell.units); }
};

// --- what sequences share ---

template <class T>
struct CopyRows {
  Rows<const T> from;
  Rows<T> to;
  int64_t width;
  SYMK_HD void operator()(int64_t i) const {
    at(to, i / width)[i % width] = at(from, i / width)[i % width];
  }
};

/// c = bias + a x weights, or c += a x weights, over some columns of the state's weights or their
/// transpose.
template <class T, bool along_columns>
struct StateProduct {
  Matrix<T, true> left;
  Matrix<T, !along_columns> right;
  const T* bias;
  bool accumulate;
  Rows<T> c;

  SYMK_HD void select(int64_t) {}
  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t) const {
    T& to = at(c, row)[column];
    if (bias != nullptr) sum = sum + bias[column];
    to = accumulate ? to + sum : sum;
  }
};

template <class T>
class SequenceStep : public Step {
 protected:
  SequenceStep(const Binding& binding, const SequenceLayout& layout)
      : queue_(queue_of(binding)), layout_(layout), factor_(factor_of(binding, layout.kernel)) {}

  /// Asks for rows of so many units for each sequence.
  void reserve(Binding& binding, int64_t widths) const {
    binding.need_scratch(
        checked_multiply(checked_multiply(layout_.batch, widths * layout_.units), sizeof(T)));
  }

  // --- running ---
  template <class Cell>
  Cell begin() const {
    Cell cell;
    static_cast<CellRows&>(cell) = layout_.cell;
    return cell;
  }
  /// The next time; `step` is 1 forward, -1 backward.
  template <class Kind, class Cell>
  void set_time(const Operands& operands, int64_t time, int64_t step, Cell& cell) const {
    layout_.set_time(cell, operands, 0, time, step);
    Kind::place(TimeOperands<T>{layout_, operands, 0, time}, cell);
  }
  static Rows<const T> read(Rows<T> rows) { return {rows.data, rows.step}; }
  /// The next rows of scratch, `width` units each.
  Rows<T> take(T*& scratch, int64_t width) const {
    const Rows<T> taken = {scratch, width * layout_.units};
    scratch += layout_.batch * taken.step;
    return taken;
  }

  template <class Unit>
  void run_cell(const CellStep<T>& cell) const {
    each(queue_, layout_.batch * layout_.units, ForwardCell<Unit, T>{cell});
  }
  template <class Unit>
  void run_cell(const CellGradStep<T>& cell) const {
    each(queue_, layout_.batch * layout_.units, BackwardCell<Unit, T>{cell});
  }
  void copy(Rows<const T> from, Rows<T> to) const {
    if (from.data != to.data)
      each(queue_, layout_.batch * layout_.units, CopyRows<T>{from, to, layout_.units});
  }
  /// c = states x columns [first, first + count) of the weights, counted in gates.
  void forward_product(const Operands& operands, int64_t first, int64_t count, Rows<T> from,
                       Rows<T> c, const T* bias = nullptr) const {
    const StateProduct<T, true> source = {states_of(from), weights_of<false>(operands, first), bias,
                                          false, c};
    multiply(source, layout_.units, count * layout_.units);
  }
  /// c = (or +=) gates x the transpose of those columns.
  void backward_product(const Operands& operands, int64_t first, int64_t count, Rows<T> from,
                        Rows<T> c, bool accumulate) const {
    const StateProduct<T, false> source = {states_of(from), weights_of<true>(operands, first),
                                           nullptr, accumulate, c};
    multiply(source, count * layout_.units, layout_.units);
  }

  const Queue queue_;
  const SequenceLayout layout_;
  const Factor factor_;

 private:
  template <class Source>
  void multiply(const Source& source, int64_t depth, int64_t columns) const {
    const ProductSize size = {layout_.batch, columns, depth};
    run_product<T>(queue_, source, size, ProductCut::whole(size, 1, factor_));
  }
  static Matrix<T, true> states_of(Rows<T> rows) {
    return Matrix<T, true>::of(rows.data, rows.step);
  }
  /// The weights from gate `first` on, or their transpose.
  template <bool along_depth>
  Matrix<T, along_depth> weights_of(const Operands& operands, int64_t first) const {
    return Matrix<T, along_depth>::of(input<T>(operands, layout_.weights) + first * layout_.units,
                                      layout_.gates * layout_.units);
  }
};

// --- the kernels; `Kind` says what their operands are ---

template <class T>
class SimpleSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = cpu::SimpleOperands;

  SimpleSequence(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->reserve(binding, 2);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const SequenceLayout& layout = this->layout_;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellStep<T>>();
    cell.running = this->take(scratch, 1);
    const Rows<T> sums = this->take(scratch, 1);
    cell.sums = this->read(sums);
    this->copy(layout.states(input<T>(operands, 2), 0), cell.running);
    for (int64_t step = 0; step < layout.time; ++step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, time, 1, cell);
      this->forward_product(operands, 0, 1, cell.running, sums);
      this->template run_cell<SimpleCell>(cell);
    }
    this->copy(this->read(cell.running), layout.states(output<T>(operands, 1), 0));
    return {};
  }
};

template <class T>
class SimpleSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = cpu::SimpleGradOperands;

  SimpleSequenceGrad(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->reserve(binding, 1);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const SequenceLayout& layout = this->layout_;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellGradStep<T>>();
    cell.d_sums = this->take(scratch, 1);
    cell.d_state = layout.states(output<T>(operands, 1), 0);
    this->copy(layout.states(input<T>(operands, 2), 0), cell.d_state);
    for (int64_t step = layout.time - 1; step >= 0; --step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, time, -1, cell);
      this->template run_cell<SimpleCellGrad>(cell);
      this->backward_product(operands, 0, 1, cell.d_sums, cell.d_state, true);
    }
    return {};
  }
};

template <class T>
class LstmSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = cpu::LstmOperands;

  LstmSequence(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->reserve(binding, 1 + 4);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellStep<T>>();
    cell.running = this->take(scratch, 1);
    const Rows<T> sums = this->take(scratch, 4);
    cell.sums = this->read(sums);
    const T *c = output<T>(operands, 1), *first_c = input<T>(operands, 3);
    this->copy(layout.states(input<T>(operands, 2), 0), cell.running);
    for (int64_t step = 0; step < layout.time; ++step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, time, 1, cell);
      this->forward_product(operands, 0, 4, cell.running, sums);
      this->template run_cell<LstmCell>(cell);
    }
    this->copy(this->read(cell.running), layout.states(output<T>(operands, 3), 0));
    const Rows<const T> last_c = layout.time > 0
                                     ? layout.at_time(c, n, 0, layout.time_of(layout.time - 1))
                                     : layout.states(first_c, 0);
    this->copy(last_c, layout.states(output<T>(operands, 4), 0));
    return {};
  }
};

template <class T>
class LstmSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = cpu::LstmGradOperands;

  LstmSequenceGrad(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->reserve(binding, 4);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const SequenceLayout& layout = this->layout_;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellGradStep<T>>();
    cell.d_sums = this->take(scratch, 4);
    cell.d_state = layout.states(output<T>(operands, 1), 0);
    cell.d_carry = layout.states(output<T>(operands, 2), 0);
    this->copy(layout.states(input<T>(operands, 4), 0), cell.d_state);
    this->copy(layout.states(input<T>(operands, 5), 0), cell.d_carry);
    for (int64_t step = layout.time - 1; step >= 0; --step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, time, -1, cell);
      this->template run_cell<LstmCellGrad>(cell);
      this->backward_product(operands, 0, 4, cell.d_sums, cell.d_state, true);
    }
    return {};
  }
};

template <class T>
class GruSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = cpu::GruOperands;

  GruSequence(Binding& binding, const SequenceLayout& layout)
      : Base(binding, layout), after_(cpu::resets_after(binding)) {
    this->reserve(binding, 2 + 3);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellStep<T>>();
    cell.running = this->take(scratch, 1);
    cell.reset = this->take(scratch, 1);
    const Rows<T> sums = this->take(scratch, 3);
    cell.sums = this->read(sums);
    this->copy(layout.states(input<T>(operands, 2), 0), cell.running);
    for (int64_t step = 0; step < layout.time; ++step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, time, 1, cell);
      if (after_) {
        this->forward_product(operands, 0, 3, cell.running, sums, input<T>(operands, 3));
        this->template run_cell<GruAfterCell>(cell);
      } else {
        this->forward_product(operands, 0, 2, cell.running, sums);
        this->template run_cell<GruGatesCell>(cell);
        this->forward_product(operands, 2, 1, cell.reset, {sums.data + 2 * n, sums.step});
        this->template run_cell<GruStateCell>(cell);
      }
    }
    this->copy(this->read(cell.running), layout.states(output<T>(operands, 3), 0));
    return {};
  }

 private:
  const bool after_;
};

template <class T>
class GruSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = cpu::GruGradOperands;

  GruSequenceGrad(Binding& binding, const SequenceLayout& layout)
      : Base(binding, layout), after_(cpu::resets_after(binding)) {
    this->reserve(binding, 1 + 3);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellGradStep<T>>();
    cell.d_inner = this->take(scratch, 1);
    cell.d_sums = this->take(scratch, 3);
    cell.d_state = layout.states(output<T>(operands, 1), 0);
    this->copy(layout.states(input<T>(operands, 5), 0), cell.d_state);
    for (int64_t step = layout.time - 1; step >= 0; --step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, time, -1, cell);
      if (after_) {
        cell.d_products = layout.at_time(output<T>(operands, 2), 3 * n, 0, time);
        this->template run_cell<GruAfterCellGrad>(cell);
      } else {
        this->template run_cell<GruStateCellGrad>(cell);
        const Rows<T> d_value = {cell.d_sums.data + 2 * n, cell.d_sums.step};
        this->backward_product(operands, 2, 1, d_value, cell.d_inner, false);
        this->template run_cell<GruGatesCellGrad>(cell);
      }
      this->backward_product(operands, 0, after_ ? 3 : 2, cell.d_sums, cell.d_state, true);
    }
    return {};
  }

 private:
  const bool after_;
};

// --- one step of an LSTM over any rows ---

/// Checks that the operands of these numbers are like `state`, and all others like the gates.
CellRows rows_of(const Binding& binding, const char* kernel, const Type& state,
                 const std::vector<size_t>& state_inputs,
                 const std::vector<size_t>& state_outputs) {
  cpu::require(state.rank > 0, kernel, "a state must have an axis of units");
  CellRows rows;
  rows.units = state.shape[state.rank - 1];
  rows.rows = rows.units > 0 ? state.count() / rows.units : 0;
  rows.activation = cpu::curve_named(kernel, binding.text("activation"));
  rows.recurrent = cpu::curve_named(kernel, binding.text("recurrent_activation"));
  Type gates = state;
  gates.shape[gates.rank - 1] *= 4;
  const auto check = [&](const std::vector<Type>& types, const std::vector<size_t>& states) {
    for (size_t i = 0; i < types.size(); ++i) {
      const bool is_state = std::find(states.begin(), states.end(), i) != states.end();
      cpu::require_dtype(types[i], state.dtype, kernel);
      cpu::require(cpu::same_shape(types[i], is_state ? state : gates), kernel,
                   "gates must have four units for each of a state");
    }
  };
  check(binding.inputs(), state_inputs);
  check(binding.outputs(), state_outputs);
  return rows;
}

/// x, sums, c -> h, c, gates
template <class T>
std::unique_ptr<Step> make_cell(const Binding& binding, const CellRows& rows) {
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    const int64_t n = rows.units;
    CellStep<T> cell;
    static_cast<CellRows&>(cell) = rows;
    cell.x = {input<T>(operands, 0), 4 * n};
    cell.sums = {input<T>(operands, 1), 4 * n};
    cell.carry_before = {input<T>(operands, 2), n};
    cell.state = cell.running = {output<T>(operands, 0), n};
    cell.carry = {output<T>(operands, 1), n};
    cell.gates = {output<T>(operands, 2), 4 * n};
    each(queue, rows.rows * n, ForwardCell<LstmCell, T>{cell});
  });
}

/// gates, c, c before, gradients of h and c -> gradients of the sums and of c before
template <class T>
std::unique_ptr<Step> make_cell_grad(const Binding& binding, const CellRows& rows) {
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    const int64_t n = rows.units;
    CellGradStep<T> cell;
    static_cast<CellRows&>(cell) = rows;
    cell.gates = {input<T>(operands, 0), 4 * n};
    cell.carry = {input<T>(operands, 1), n};
    cell.carry_before = {input<T>(operands, 2), n};
    cell.incoming = {input<T>(operands, 3), n};
    cell.d_gates = cell.d_sums = {output<T>(operands, 0), 4 * n};
    cell.d_carry = {output<T>(operands, 1), n};
    const Rows<const T> d_carry = {input<T>(operands, 4), n};
    if (d_carry.data != cell.d_carry.data)
      each(queue, rows.rows * n, CopyRows<T>{d_carry, cell.d_carry, n});
    each(queue, rows.rows * n, BackwardCell<LstmCellGrad, T>{cell});
  });
}

std::unique_ptr<Step> bind_cell(Binding& binding) {
  constexpr const char* kernel = "lstm_cell";
  cpu::require_operands(binding, kernel, 3, 3);
  const Type& c = binding.inputs()[2];
  const CellRows rows = rows_of(binding, kernel, c, {2}, {0, 1});
  return cpu::float_place(kernel, c.dtype) == 1 ? make_cell<double>(binding, rows)
                                                : make_cell<float>(binding, rows);
}

std::unique_ptr<Step> bind_cell_grad(Binding& binding) {
  constexpr const char* kernel = "lstm_cell_grad";
  cpu::require_operands(binding, kernel, 5, 2);
  const Type& c = binding.inputs()[1];
  const CellRows rows = rows_of(binding, kernel, c, {1, 2, 3, 4}, {1});
  return cpu::float_place(kernel, c.dtype) == 1 ? make_cell_grad<double>(binding, rows)
                                                : make_cell_grad<float>(binding, rows);
}

// --- which way ---

template <template <class> class Sequence, class Walk>
std::unique_ptr<Step> bind_sequence(Binding& binding) {
  const SequenceLayout layout = Sequence<float>::Kind::read(binding);
  if (auto step = ResidentStep<Walk>::bind(binding, layout)) return step;
  return cpu::bind_sequence<Sequence>(binding);
}

/// The first walk is that of a GRU that resets after the product.
template <template <class> class Sequence, class AfterWalk, class BeforeWalk>
std::unique_ptr<Step> bind_gru(Binding& binding) {
  return cpu::resets_after(binding) ? bind_sequence<Sequence, AfterWalk>(binding)
                                    : bind_sequence<Sequence, BeforeWalk>(binding);
}

const KernelEntry entries[] = {
    {"rnn_sequence", bind_sequence<SimpleSequence, SimpleWalk>},
    {"rnn_sequence_grad", bind_sequence<SimpleSequenceGrad, SimpleGradWalk>},
    {"lstm_sequence", bind_sequence<LstmSequence, LstmWalk>},
    {"lstm_sequence_grad", bind_sequence<LstmSequenceGrad, LstmGradWalk>},
    {"gru_sequence", bind_gru<GruSequence, GruAfterWalk, GruBeforeWalk>},
    {"gru_sequence_grad", bind_gru<GruSequenceGrad, GruAfterGradWalk, GruBeforeGradWalk>},
    {"lstm_cell", bind_cell},
    {"lstm_cell_grad", bind_cell_grad},
};

}  // namespace
}  // namespace symk::cuda
