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
    default: return (y > T(0)) & (y < T(1)) ? T(0.2) : T(0);
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
  /// `like` has shape (batch, time, units * gates); `weights`, `mask` (or -1) number inputs.
  SequenceStep(const Binding& binding, const char* kernel, const Type& like, int gates, int weights,
               int mask)
      : queue_(queue_of(binding)), kernel_(kernel), gates_(gates), weights_(weights), mask_(mask) {
    cpu::require(like.rank == 3 && like.shape[2] % gates == 0, kernel,
                 "a sequence must have the axes batch, time, and units of each gate");
    batch_ = like.shape[0];
    time_ = like.shape[1];
    units_ = like.shape[2] / gates;
    reverse_ = binding.integer("reverse", 0) != 0;
    sequences_ = binding.integer("sequences", 0) != 0;
    if (!binding.outputs().empty()) factor_ = factor_of(binding, kernel);
    require_type(binding.inputs()[static_cast<size_t>(weights)], {units_, gates_ * units_});
    if (mask >= 0) {
      const Type& type = binding.inputs()[static_cast<size_t>(mask)];
      cpu::require_dtype(type, DType::kBool, kernel);
      cpu::require(type.rank == 2 && type.shape[0] == batch_ && type.shape[1] == time_, kernel,
                   "the mask must have the axes batch and time");
    }
    cell_.rows = batch_;
    cell_.units = units_;
    cell_.activation = cpu::curve_named(kernel, binding.text("activation"));
    cell_.recurrent = cpu::curve_named(kernel, binding.text("recurrent_activation", "sigmoid"));
  }

  // --- binding ---
  void require_type(const Type& type, const std::vector<int64_t>& shape) const {
    cpu::require_dtype(type, sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64, kernel_);
    const bool fits = type.rank == static_cast<int>(shape.size()) &&
                      std::equal(shape.begin(), shape.end(), type.shape);
    cpu::require(fits, kernel_, "the shapes must belong to one batch, time and number of units");
  }
  void require_sequences(const Type& type, int64_t gates) const {
    require_type(type, {batch_, time_, gates * units_});
  }
  void require_states(const Type& type) const { require_type(type, {batch_, units_}); }
  /// Asks for rows of so many units for each sequence.
  void reserve(Binding& binding, int64_t widths) const {
    binding.need_scratch(checked_multiply(checked_multiply(batch_, widths * units_), sizeof(T)));
  }

  // --- running ---
  template <class P>
  Rows<P> at_time(P* data, int64_t width, int64_t time) const {
    return {data + time * width, time_ * width};
  }
  template <class P>
  Rows<P> states(P* data) const {
    return {data, units_};
  }
  /// The states before a step: those of the step that comes before it, or the initial ones.
  Rows<const T> before(const T* all, const T* initial, int64_t time) const {
    const int64_t earlier = reverse_ ? time + 1 : time - 1;
    if (earlier < 0 || earlier >= time_) return states(initial);
    return at_time(all, units_, earlier);
  }
  /// The time of a step, in the order of the sequence.
  int64_t time_of(int64_t step) const { return reverse_ ? time_ - 1 - step : step; }

  template <class Cell>
  Cell begin() const {
    Cell cell;
    static_cast<CellRows&>(cell) = cell_;
    return cell;
  }
  void set_mask(CellRows& cell, const Operands& operands, int64_t time) const {
    if (mask_ >= 0) cell.mask = at_time(input<unsigned char>(operands, mask_), 1, time);
  }
  Rows<const T> incoming(const Operands& operands, int number, int64_t time) const {
    if (!sequences_) return {};
    return at_time(input<T>(operands, number), units_, time);
  }
  static Rows<const T> read(Rows<T> rows) { return {rows.data, rows.step}; }
  /// The next rows of scratch, `width` units each.
  Rows<T> take(T*& scratch, int64_t width) const {
    const Rows<T> taken = {scratch, width * units_};
    scratch += batch_ * taken.step;
    return taken;
  }

  template <class Kernel, class Cell>
  void run_cell(const Cell& cell) const {
    each(queue_, batch_ * units_, Kernel{cell});
  }
  void copy(Rows<const T> from, Rows<T> to) const {
    if (from.data != to.data) each(queue_, batch_ * units_, CopyRows<T>{from, to, units_});
  }
  /// c = states x columns [first, first + count) of the weights, counted in gates.
  void forward_product(const Operands& operands, int64_t first, int64_t count, Rows<T> from,
                       Rows<T> c, const T* bias = nullptr) const {
    const StateProduct<T, true> source = {states_of(from), weights_of<false>(operands, first), bias,
                                          false, c};
    multiply(source, units_, count * units_);
  }
  /// c = (or +=) gates x the transpose of those columns.
  void backward_product(const Operands& operands, int64_t first, int64_t count, Rows<T> from,
                        Rows<T> c, bool accumulate) const {
    const StateProduct<T, false> source = {states_of(from), weights_of<true>(operands, first),
                                           nullptr, accumulate, c};
    multiply(source, count * units_, units_);
  }

  const Queue queue_;
  const char* kernel_;
  const int64_t gates_;
  const int weights_, mask_;
  int64_t batch_ = 0, time_ = 0, units_ = 0;
  bool reverse_ = false;
  Factor factor_ = Factor::kFloat32;
  bool sequences_ = false;  // backward: whether there is a gradient of all states
  CellRows cell_;

 private:
  template <class Source>
  void multiply(const Source& source, int64_t depth, int64_t columns) const {
    const ProductSize size = {batch_, columns, depth};
    run_product<T>(queue_, source, size, ProductCut::whole(size, 1, factor_));
  }
  static Matrix<T, true> states_of(Rows<T> rows) {
    return Matrix<T, true>::of(rows.data, rows.step);
  }
  /// The weights from gate `first` on, or their transpose.
  template <bool along_depth>
  Matrix<T, along_depth> weights_of(const Operands& operands, int64_t first) const {
    return Matrix<T, along_depth>::of(input<T>(operands, weights_) + first * units_,
                                      gates_ * units_);
  }
};

/// The number of the mask among the inputs, which comes after `others`; -1 if there is none.
int find_mask(const Binding& binding, const char* kernel, int others) {
  const auto count = static_cast<int>(binding.inputs().size());
  cpu::require(count == others || count == others + 1, kernel,
               "the number of inputs must be the kernel's");
  return count == others ? -1 : others;
}
void require_outputs(const Binding& binding, const char* kernel, size_t count) {
  cpu::require(binding.outputs().size() == count, kernel,
               "the number of outputs must be the kernel's");
}
int counts_sequences(const Binding& binding) { return binding.integer("sequences") != 0; }

// --- SimpleRNN: x, weights, h [, mask] -> all h, last h ---

template <class T>
class SimpleSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  static constexpr const char* name = "rnn_sequence";

  explicit SimpleSequence(Binding& binding)
      : Base(binding, name, binding.inputs()[0], 1, 1, find_mask(binding, name, 3)) {
    require_outputs(binding, name, 2);
    this->require_states(binding.inputs()[2]);
    this->require_sequences(binding.outputs()[0], 1);
    this->require_states(binding.outputs()[1]);
    this->reserve(binding, 2);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellStep<T>>();
    cell.running = this->take(scratch, 1);
    const Rows<T> sums = this->take(scratch, 1);
    cell.sums = this->read(sums);
    this->copy(this->states(input<T>(operands, 2)), cell.running);
    for (int64_t step = 0; step < this->time_; ++step) {
      const int64_t time = this->time_of(step);
      this->set_mask(cell, operands, time);
      cell.x = this->at_time(input<T>(operands, 0), this->units_, time);
      cell.state = this->at_time(output<T>(operands, 0), this->units_, time);
      this->forward_product(operands, 0, 1, cell.running, sums);
      this->template run_cell<SimpleCell<T>>(cell);
    }
    this->copy(this->read(cell.running), this->states(output<T>(operands, 1)));
    return {};
  }
};

/// all h, weights, gradient of the last h [, that of all h] [, mask] -> dx, dh
template <class T>
class SimpleSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  static constexpr const char* name = "rnn_sequence_grad";

  explicit SimpleSequenceGrad(Binding& binding)
      : Base(binding, name, binding.inputs()[0], 1, 1,
             find_mask(binding, name, 3 + counts_sequences(binding))) {
    require_outputs(binding, name, 2);
    this->require_states(binding.inputs()[2]);
    if (this->sequences_) this->require_sequences(binding.inputs()[3], 1);
    this->require_sequences(binding.outputs()[0], 1);
    this->require_states(binding.outputs()[1]);
    this->reserve(binding, 1);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellGradStep<T>>();
    cell.d_sums = this->take(scratch, 1);
    cell.d_state = this->states(output<T>(operands, 1));
    this->copy(this->states(input<T>(operands, 2)), cell.d_state);
    for (int64_t step = this->time_ - 1; step >= 0; --step) {
      const int64_t time = this->time_of(step);
      this->set_mask(cell, operands, time);
      cell.gates = this->at_time(input<T>(operands, 0), this->units_, time);
      cell.incoming = this->incoming(operands, 3, time);
      cell.d_gates = this->at_time(output<T>(operands, 0), this->units_, time);
      this->template run_cell<SimpleCellGrad<T>>(cell);
      this->backward_product(operands, 0, 1, cell.d_sums, cell.d_state, true);
    }
    return {};
  }
};

// --- LSTM: x, weights, h, c [, mask] -> all h, all c, gates, last h, last c ---

template <class T>
class LstmSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  static constexpr const char* name = "lstm_sequence";

  explicit LstmSequence(Binding& binding)
      : Base(binding, name, binding.inputs()[0], 4, 1, find_mask(binding, name, 4)) {
    require_outputs(binding, name, 5);
    this->require_states(binding.inputs()[2]);
    this->require_states(binding.inputs()[3]);
    this->require_sequences(binding.outputs()[0], 1);
    this->require_sequences(binding.outputs()[1], 1);
    this->require_sequences(binding.outputs()[2], 4);
    this->require_states(binding.outputs()[3]);
    this->require_states(binding.outputs()[4]);
    this->reserve(binding, 1 + 4);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const int64_t n = this->units_;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellStep<T>>();
    cell.running = this->take(scratch, 1);
    const Rows<T> sums = this->take(scratch, 4);
    cell.sums = this->read(sums);
    const T *c = output<T>(operands, 1), *first_c = input<T>(operands, 3);
    this->copy(this->states(input<T>(operands, 2)), cell.running);
    for (int64_t step = 0; step < this->time_; ++step) {
      const int64_t time = this->time_of(step);
      this->set_mask(cell, operands, time);
      cell.x = this->at_time(input<T>(operands, 0), 4 * n, time);
      cell.state = this->at_time(output<T>(operands, 0), n, time);
      cell.carry_before = this->before(c, first_c, time);
      cell.carry = this->at_time(output<T>(operands, 1), n, time);
      cell.gates = this->at_time(output<T>(operands, 2), 4 * n, time);
      this->forward_product(operands, 0, 4, cell.running, sums);
      this->template run_cell<LstmCell<T>>(cell);
    }
    this->copy(this->read(cell.running), this->states(output<T>(operands, 3)));
    const Rows<const T> last_c = this->time_ > 0
                                     ? this->at_time(c, n, this->time_of(this->time_ - 1))
                                     : this->states(first_c);
    this->copy(last_c, this->states(output<T>(operands, 4)));
    return {};
  }
};

/// gates, all c, c, weights, gradients of the last h and c [, that of all h] [, mask]
/// -> dx, dh, dc
template <class T>
class LstmSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  static constexpr const char* name = "lstm_sequence_grad";

  explicit LstmSequenceGrad(Binding& binding)
      : Base(binding, name, binding.inputs()[0], 4, 3,
             find_mask(binding, name, 6 + counts_sequences(binding))) {
    require_outputs(binding, name, 3);
    this->require_sequences(binding.inputs()[1], 1);
    this->require_states(binding.inputs()[2]);
    this->require_states(binding.inputs()[4]);
    this->require_states(binding.inputs()[5]);
    if (this->sequences_) this->require_sequences(binding.inputs()[6], 1);
    this->require_sequences(binding.outputs()[0], 4);
    this->require_states(binding.outputs()[1]);
    this->require_states(binding.outputs()[2]);
    this->reserve(binding, 4);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const int64_t n = this->units_;
    T* scratch = static_cast<T*>(operands.scratch);
    const T* const c = input<T>(operands, 1);
    auto cell = this->template begin<CellGradStep<T>>();
    cell.d_sums = this->take(scratch, 4);
    cell.d_state = this->states(output<T>(operands, 1));
    cell.d_carry = this->states(output<T>(operands, 2));
    this->copy(this->states(input<T>(operands, 4)), cell.d_state);
    this->copy(this->states(input<T>(operands, 5)), cell.d_carry);
    for (int64_t step = this->time_ - 1; step >= 0; --step) {
      const int64_t time = this->time_of(step);
      this->set_mask(cell, operands, time);
      cell.gates = this->at_time(input<T>(operands, 0), 4 * n, time);
      cell.carry = this->at_time(c, n, time);
      cell.carry_before = this->before(c, input<T>(operands, 2), time);
      cell.incoming = this->incoming(operands, 6, time);
      cell.d_gates = this->at_time(output<T>(operands, 0), 4 * n, time);
      this->template run_cell<LstmCellGrad<T>>(cell);
      this->backward_product(operands, 0, 4, cell.d_sums, cell.d_state, true);
    }
    return {};
  }
};

// --- GRU: x, weights, h [, bias of the products with the state] [, mask]
// -> all h, gates, inner, last h ---

bool resets_after(const Binding& binding) { return binding.integer("reset_after") != 0; }

template <class T>
class GruSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  static constexpr const char* name = "gru_sequence";

  explicit GruSequence(Binding& binding)
      : Base(binding, name, binding.inputs()[0], 3, 1,
             find_mask(binding, name, resets_after(binding) ? 4 : 3)),
        after_(resets_after(binding)) {
    require_outputs(binding, name, 4);
    this->require_states(binding.inputs()[2]);
    if (after_) this->require_type(binding.inputs()[3], {3 * this->units_});
    this->require_sequences(binding.outputs()[0], 1);
    this->require_sequences(binding.outputs()[1], 3);
    this->require_sequences(binding.outputs()[2], 1);
    this->require_states(binding.outputs()[3]);
    this->reserve(binding, 2 + 3);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const int64_t n = this->units_;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellStep<T>>();
    cell.running = this->take(scratch, 1);
    cell.reset = this->take(scratch, 1);
    const Rows<T> sums = this->take(scratch, 3);
    cell.sums = this->read(sums);
    this->copy(this->states(input<T>(operands, 2)), cell.running);
    for (int64_t step = 0; step < this->time_; ++step) {
      const int64_t time = this->time_of(step);
      this->set_mask(cell, operands, time);
      cell.x = this->at_time(input<T>(operands, 0), 3 * n, time);
      cell.state = this->at_time(output<T>(operands, 0), n, time);
      cell.gates = this->at_time(output<T>(operands, 1), 3 * n, time);
      cell.inner = this->at_time(output<T>(operands, 2), n, time);
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
    this->copy(this->read(cell.running), this->states(output<T>(operands, 3)));
    return {};
  }

 private:
  const bool after_;
};

/// gates, inner, all h, h, weights, gradient of the last h [, that of all h] [, mask]
/// -> dx, dh [, gradient of the products with the state]
template <class T>
class GruSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  static constexpr const char* name = "gru_sequence_grad";

  explicit GruSequenceGrad(Binding& binding)
      : Base(binding, name, binding.inputs()[0], 3, 4,
             find_mask(binding, name, 6 + counts_sequences(binding))),
        after_(resets_after(binding)) {
    require_outputs(binding, name, after_ ? 3 : 2);
    this->require_sequences(binding.inputs()[1], 1);
    this->require_sequences(binding.inputs()[2], 1);
    this->require_states(binding.inputs()[3]);
    this->require_states(binding.inputs()[5]);
    if (this->sequences_) this->require_sequences(binding.inputs()[6], 1);
    this->require_sequences(binding.outputs()[0], 3);
    this->require_states(binding.outputs()[1]);
    if (after_) this->require_sequences(binding.outputs()[2], 3);
    this->reserve(binding, 1 + 3);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const int64_t n = this->units_;
    T* scratch = static_cast<T*>(operands.scratch);
    auto cell = this->template begin<CellGradStep<T>>();
    cell.d_inner = this->take(scratch, 1);
    cell.d_sums = this->take(scratch, 3);
    cell.d_state = this->states(output<T>(operands, 1));
    this->copy(this->states(input<T>(operands, 5)), cell.d_state);
    for (int64_t step = this->time_ - 1; step >= 0; --step) {
      const int64_t time = this->time_of(step);
      this->set_mask(cell, operands, time);
      cell.gates = this->at_time(input<T>(operands, 0), 3 * n, time);
      cell.inner = this->at_time(input<T>(operands, 1), n, time);
      cell.before = this->before(input<T>(operands, 2), input<T>(operands, 3), time);
      cell.incoming = this->incoming(operands, 6, time);
      cell.d_gates = this->at_time(output<T>(operands, 0), 3 * n, time);
      if (after_) {
        cell.d_products = this->at_time(output<T>(operands, 2), 3 * n, time);
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

template <template <class> class Sequence>
std::unique_ptr<Step> bind(Binding& binding) {
  // The least that a constructor looks at before it has counted.
  cpu::require(binding.inputs().size() >= 3 && !binding.outputs().empty(), Sequence<float>::name,
               "the number of inputs and outputs must be the kernel's");
  if (cpu::float_place(Sequence<float>::name, binding.inputs()[0].dtype) == 1)
    return std::make_unique<Sequence<double>>(binding);
  return std::make_unique<Sequence<float>>(binding);
}

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
    {"rnn_sequence", bind<SimpleSequence>},
    {"rnn_sequence_grad", bind<SimpleSequenceGrad>},
    {"lstm_sequence", bind<LstmSequence>},
    {"lstm_sequence_grad", bind<LstmSequenceGrad>},
    {"gru_sequence", bind<GruSequence>},
    {"gru_sequence_grad", bind<GruSequenceGrad>},
    {"lstm_cell", bind_cell},
    {"lstm_cell_grad", bind_cell_grad},
};

}  // namespace
}  // namespace symk::cuda
