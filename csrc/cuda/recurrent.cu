// Sequences of SimpleRNN, LSTM and GRU, and one step of an LSTM, forward and backward. A step of a
// sequence is the product of the states with their weights and one kernel that does all with the
// gates; steps follow each other in the queue and nothing waits for them.
#include <string>

#include "cpu/recurrent_binding.h"
#include "cpu/require.h"
#include "cuda/device.h"
#include "cuda/product.h"
#include "math/unary.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

using cpu::CellGradStep;
using cpu::CellRows;
using cpu::CellStep;
using cpu::Curve;
using cpu::Rows;
using cpu::SequenceLayout;
using cpu::TimeOperands;

template <class T>
SYMK_HD T apply(Curve curve, T x) {
  switch (curve) {
    case Curve::kLinear: return x;
    case Curve::kRelu: return math::Relu()(x);
    case Curve::kTanh: return math::Tanh()(x);
    case Curve::kSigmoid: return math::Sigmoid()(x);
    // NaN is the second operand, and so stays.
    default: return math::min(T(1), math::max(T(0), x * T(0.2) + T(0.5)));
  }
}

/// The slope of a curve where its result is y.
template <class T>
SYMK_HD T slope(Curve curve, T y) {
  switch (curve) {
    case Curve::kLinear: return T(1);
    case Curve::kRelu: return y > T(0) ? T(1) : T(0);
    case Curve::kTanh: return T(1) - y * y;
    case Curve::kSigmoid: return y * (T(1) - y);
    default: return ((y > T(0)) & (y < T(1))) ? T(0.2) : T(0);
  }
}

template <class T>
SYMK_HD T* at(const Rows<T>& rows, int64_t row) {
  return rows.data != nullptr ? rows.data + row * rows.step : nullptr;
}
SYMK_HD bool is_hidden(const CellRows& cell, int64_t row) {
  const unsigned char* const mask = at(cell.mask, row);
  return mask != nullptr && *mask == 0;
}

/// `count` numbers, `step` apart, become 0.
template <class T>
SYMK_HD void clear(T* first, int64_t count, int64_t step) {
  for (int64_t k = 0; k < count; ++k) first[k * step] = T(0);
}

// --- forward: one unit of one sequence per thread. Gates stand n apart in their row ---

template <class T>
struct SimpleCell {
  CellStep<T> cell;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t row = i / cell.units, u = i % cell.units;
    T &state = at(cell.state, row)[u], &running = at(cell.running, row)[u];
    if (!is_hidden(cell, row))
      running = apply(cell.activation, at(cell.x, row)[u] + at(cell.sums, row)[u]);
    state = running;
  }
};

/// c = f * c + i * activation(c sum), h = o * activation(c)
template <class T>
struct LstmCell {
  CellStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    T* const gates = at(cell.gates, row) + u;
    T &state = at(cell.state, row)[u], &running = at(cell.running, row)[u];
    const T before = at(cell.carry_before, row)[u];
    if (is_hidden(cell, row)) {
      state = running;
      at(cell.carry, row)[u] = before;
      clear(gates, 4, n);
      return;
    }
    const T *x = at(cell.x, row) + u, *sums = at(cell.sums, row) + u;
    const T i = apply(cell.recurrent, x[0] + sums[0]);
    const T f = apply(cell.recurrent, x[n] + sums[n]);
    const T g = apply(cell.activation, x[2 * n] + sums[2 * n]);
    const T o = apply(cell.recurrent, x[3 * n] + sums[3 * n]);
    const T c = f * before + i * g;
    gates[0] = i;
    gates[n] = f;
    gates[2 * n] = g;
    gates[3 * n] = o;
    at(cell.carry, row)[u] = c;
    state = running = o * apply(cell.activation, c);
  }
};

/// g = activation(h sum + r * product), h = z * h + (1 - z) * g
template <class T>
struct GruAfterCell {
  CellStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    T *gates = at(cell.gates, row) + u, *inner = at(cell.inner, row) + u;
    T &state = at(cell.state, row)[u], &running = at(cell.running, row)[u];
    if (is_hidden(cell, row)) {
      state = running;
      clear(gates, 3, n);
      *inner = T(0);
      return;
    }
    const T *x = at(cell.x, row) + u, *sums = at(cell.sums, row) + u;
    const T z = apply(cell.recurrent, x[0] + sums[0]);
    const T r = apply(cell.recurrent, x[n] + sums[n]);
    const T product = sums[2 * n], g = apply(cell.activation, x[2 * n] + r * product);
    gates[0] = z;
    gates[n] = r;
    gates[2 * n] = g;
    *inner = product;
    state = running = z * running + (T(1) - z) * g;
  }
};

/// A GRU that resets before the product has two halves: z, r and r * h; then the new state.
template <class T>
struct GruGatesCell {
  CellStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    T* const gates = at(cell.gates, row) + u;
    T &inner = at(cell.inner, row)[u], &reset = at(cell.reset, row)[u];
    if (is_hidden(cell, row)) {
      clear(gates, 2, n);
      inner = reset = T(0);
      return;
    }
    const T *x = at(cell.x, row) + u, *sums = at(cell.sums, row) + u;
    const T z = apply(cell.recurrent, x[0] + sums[0]);
    const T r = apply(cell.recurrent, x[n] + sums[n]);
    gates[0] = z;
    gates[n] = r;
    inner = reset = r * at(cell.running, row)[u];
  }
};
template <class T>
struct GruStateCell {
  CellStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    T* const gates = at(cell.gates, row) + u;
    T &state = at(cell.state, row)[u], &running = at(cell.running, row)[u];
    if (is_hidden(cell, row)) {
      state = running;
      gates[2 * n] = T(0);
      return;
    }
    const T z = gates[0];
    const T g = apply(cell.activation, at(cell.x, row)[2 * n + u] + at(cell.sums, row)[2 * n + u]);
    gates[2 * n] = g;
    state = running = z * running + (T(1) - z) * g;
  }
};

// --- backward ---

/// The gradient of a state: what later steps and what comes from outside add up to.
template <class T>
SYMK_HD T total(const CellGradStep<T>& cell, int64_t row, int64_t u) {
  const T later = cell.d_state.data != nullptr ? at(cell.d_state, row)[u] : T(0);
  return cell.incoming.data != nullptr ? later + at(cell.incoming, row)[u] : later;
}
template <class T>
SYMK_HD void set_state(const CellGradStep<T>& cell, int64_t row, int64_t u, T value) {
  if (cell.d_state.data != nullptr) at(cell.d_state, row)[u] = value;
}

/// A hidden step hands the gradient of the state on as it is, and its gates have none.
template <class T>
SYMK_HD void pass_on(const CellGradStep<T>& cell, int64_t row, int64_t u, int64_t gates) {
  set_state(cell, row, u, total(cell, row, u));
  clear(at(cell.d_gates, row) + u, gates, cell.units);
  clear(at(cell.d_sums, row) + u, gates, cell.units);
}

/// Writes the gradient of the sum of a gate to both places.
template <class T>
SYMK_HD void set_gate(const CellGradStep<T>& cell, int64_t row, int64_t place, T value) {
  at(cell.d_gates, row)[place] = value;
  at(cell.d_sums, row)[place] = value;
}

template <class T>
struct SimpleCellGrad {
  CellGradStep<T> cell;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t row = i / cell.units, u = i % cell.units;
    if (is_hidden(cell, row)) return pass_on(cell, row, u, 1);
    const T d = total(cell, row, u);
    set_gate(cell, row, u, d * slope(cell.activation, at(cell.gates, row)[u]));
    set_state(cell, row, u, T(0));
  }
};

template <class T>
struct LstmCellGrad {
  CellGradStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    if (is_hidden(cell, row)) return pass_on(cell, row, u, 4);
    const T* const gates = at(cell.gates, row) + u;
    const T i = gates[0], f = gates[n], g = gates[2 * n], o = gates[3 * n];
    const T before = at(cell.carry_before, row)[u];
    T& d_carry = at(cell.d_carry, row)[u];
    const T shown = apply(cell.activation, at(cell.carry, row)[u]);
    const T dh = total(cell, row, u);
    const T dc = d_carry + dh * o * slope(cell.activation, shown);
    set_gate(cell, row, u, dc * g * slope(cell.recurrent, i));
    set_gate(cell, row, n + u, dc * before * slope(cell.recurrent, f));
    set_gate(cell, row, 2 * n + u, dc * i * slope(cell.activation, g));
    set_gate(cell, row, 3 * n + u, dh * shown * slope(cell.recurrent, o));
    d_carry = dc * f;
    set_state(cell, row, u, T(0));
  }
};

template <class T>
struct GruAfterCellGrad {
  CellGradStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    T* const products = at(cell.d_products, row) + u;
    if (is_hidden(cell, row)) {
      pass_on(cell, row, u, 3);
      clear(products, 3, n);
      return;
    }
    const T* const gates = at(cell.gates, row) + u;
    const T z = gates[0], r = gates[n], g = gates[2 * n];
    const T dh = total(cell, row, u);
    const T dg = dh * (T(1) - z) * slope(cell.activation, g);
    const T dz = dh * (at(cell.before, row)[u] - g) * slope(cell.recurrent, z);
    const T dr = dg * at(cell.inner, row)[u] * slope(cell.recurrent, r);
    set_gate(cell, row, u, dz);
    set_gate(cell, row, n + u, dr);
    at(cell.d_gates, row)[2 * n + u] = dg;
    at(cell.d_sums, row)[2 * n + u] = dg * r;
    products[0] = dz;
    products[n] = dr;
    products[2 * n] = dg * r;
    set_state(cell, row, u, dh * z);
  }
};

/// Up to the gradient that goes through the product with r * h, and from there on.
template <class T>
struct GruStateCellGrad {
  CellGradStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    if (is_hidden(cell, row)) return pass_on(cell, row, u, 3);
    const T* const gates = at(cell.gates, row) + u;
    const T z = gates[0], g = gates[2 * n], dh = total(cell, row, u);
    const T dz = dh * (at(cell.before, row)[u] - g) * slope(cell.recurrent, z);
    set_gate(cell, row, u, dz);
    set_gate(cell, row, 2 * n + u, dh * (T(1) - z) * slope(cell.activation, g));
    set_state(cell, row, u, dh * z);
  }
};
template <class T>
struct GruGatesCellGrad {
  CellGradStep<T> cell;
  SYMK_HD void operator()(int64_t index) const {
    const int64_t n = cell.units, row = index / n, u = index % n;
    if (is_hidden(cell, row)) return;
    const T r = at(cell.gates, row)[n + u], d = at(cell.d_inner, row)[u];
    set_gate(cell, row, n + u, d * at(cell.before, row)[u] * slope(cell.recurrent, r));
    T& d_state = at(cell.d_state, row)[u];
    d_state = d_state + d * r;
  }
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

  template <class Kernel, class Cell>
  void run_cell(const Cell& cell) const {
    each(queue_, layout_.batch * layout_.units, Kernel{cell});
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
      this->template run_cell<SimpleCell<T>>(cell);
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
      this->template run_cell<SimpleCellGrad<T>>(cell);
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
      this->template run_cell<LstmCell<T>>(cell);
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
      this->template run_cell<LstmCellGrad<T>>(cell);
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
        this->template run_cell<GruAfterCell<T>>(cell);
      } else {
        this->forward_product(operands, 0, 2, cell.running, sums);
        this->template run_cell<GruGatesCell<T>>(cell);
        this->forward_product(operands, 2, 1, cell.reset, {sums.data + 2 * n, sums.step});
        this->template run_cell<GruStateCell<T>>(cell);
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
        this->template run_cell<GruAfterCellGrad<T>>(cell);
      } else {
        this->template run_cell<GruStateCellGrad<T>>(cell);
        const Rows<T> d_value = {cell.d_sums.data + 2 * n, cell.d_sums.step};
        this->backward_product(operands, 2, 1, d_value, cell.d_inner, false);
        this->template run_cell<GruGatesCellGrad<T>>(cell);
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
    each(queue, rows.rows * n, LstmCell<T>{cell});
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
    each(queue, rows.rows * n, LstmCellGrad<T>{cell});
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

const KernelEntry entries[] = {
    {"rnn_sequence", cpu::bind_sequence<SimpleSequence>},
    {"rnn_sequence_grad", cpu::bind_sequence<SimpleSequenceGrad>},
    {"lstm_sequence", cpu::bind_sequence<LstmSequence>},
    {"lstm_sequence_grad", cpu::bind_sequence<LstmSequenceGrad>},
    {"gru_sequence", cpu::bind_sequence<GruSequence>},
    {"gru_sequence_grad", cpu::bind_sequence<GruSequenceGrad>},
    {"lstm_cell", bind_cell},
    {"lstm_cell_grad", bind_cell_grad},
};

}  // namespace
}  // namespace symk::cuda
