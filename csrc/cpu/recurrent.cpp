// The cells of SimpleRNN, LSTM and GRU, forward and backward, over vectors of units. Slopes are
// written in the results of the curves, so that nothing but the gates need be kept.
#include "cpu/recurrent.h"

#include "cpu/vec/vec.h"
#include "math/unary.h"

namespace symk::cpu::SYMK_ISA {
namespace {

/// Some neighbouring units: a whole vector, or the last ones of a row.
template <class T, bool whole>
struct Units {
  int64_t first;
  int lanes;

  [[gnu::always_inline]] Vec<T> load(const T* row) const {
    if constexpr (whole) return Vec<T>::load(row + first);
    return Vec<T>::load_partial(row + first, lanes);
  }
  [[gnu::always_inline]] void store(T* row, Vec<T> value) const {
    if constexpr (whole) {
      value.store(row + first);
    } else {
      value.store_partial(row + first, lanes);
    }
  }
};

template <class T, class F>
[[gnu::always_inline]] inline void for_units(int64_t units, F&& f) {
  constexpr int width = Vec<T>::width;
  int64_t first = 0;
  for (; first + width <= units; first += width) f(Units<T, true>{first, width});
  if (first < units) f(Units<T, false>{first, static_cast<int>(units - first)});
}

template <class T>
[[gnu::always_inline]] inline T* at(const Rows<T>& rows, int64_t row) {
  return rows.data ? rows.data + row * rows.step : nullptr;
}

[[gnu::always_inline]] inline bool is_hidden(const CellRows& cell, int64_t row) {
  const unsigned char* mask = at(cell.mask, row);
  return mask && *mask == 0;
}

template <class T>
[[gnu::always_inline]] inline Vec<T> apply(Curve curve, Vec<T> x) {
  using V = Vec<T>;
  switch (curve) {
    case Curve::kLinear: return x;
    case Curve::kRelu: return math::Relu()(x);
    case Curve::kTanh: return math::Tanh()(x);
    case Curve::kSigmoid: return math::Sigmoid()(x);
    // NaN is the second operand, and so stays.
    default: return min(V(T(1)), max(V(T(0)), x * V(T(0.2)) + V(T(0.5))));
  }
}

/// The slope of a curve where its result is y.
template <class T>
[[gnu::always_inline]] inline Vec<T> slope(Curve curve, Vec<T> y) {
  using V = Vec<T>;
  const V one(T(1)), zero(T(0));
  switch (curve) {
    case Curve::kLinear: return one;
    case Curve::kRelu: return select(y > zero, one, zero);
    case Curve::kTanh: return one - y * y;
    case Curve::kSigmoid: return y * (one - y);
    default: return select((y > zero) & (y < one), V(T(0.2)), zero);
  }
}

template <class T>
[[gnu::always_inline]] inline void copy_row(T* to, const T* from, int64_t count) {
  for_units<T>(count, [&](auto units) { units.store(to, units.load(from)); });
}

template <class T>
[[gnu::always_inline]] inline void clear_row(T* to, int64_t count) {
  for_units<T>(count, [&](auto units) { units.store(to, Vec<T>::zero()); });
}

// --- forward ---

/// h = activation(sums)
template <class T>
void simple(const CellStep<T>& cell) {
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* state = at(cell.state, row);
    const T* sums = is_hidden(cell, row) ? at(cell.before, row) : at(cell.gates, row);
    const Curve curve = is_hidden(cell, row) ? Curve::kLinear : cell.activation;
    for_units<T>(cell.units, [&](auto units) {
      units.store(state, apply<T>(curve, units.load(sums)));
    });
  }
}

/// c = f * c + i * activation(c sum), h = o * activation(c)
template <class T>
void lstm(const CellStep<T>& cell) {
  const int64_t n = cell.units;
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* gates = at(cell.gates, row);
    T* state = at(cell.state, row);
    T* carry = at(cell.carry, row);
    const T* carry_before = at(cell.carry_before, row);
    if (is_hidden(cell, row)) {
      copy_row(state, at(cell.before, row), n);
      copy_row(carry, carry_before, n);
      clear_row(gates, 4 * n);
      continue;
    }
    for_units<T>(n, [&](auto units) {
      const Vec<T> i = apply<T>(cell.recurrent, units.load(gates));
      const Vec<T> f = apply<T>(cell.recurrent, units.load(gates + n));
      const Vec<T> g = apply<T>(cell.activation, units.load(gates + 2 * n));
      const Vec<T> o = apply<T>(cell.recurrent, units.load(gates + 3 * n));
      const Vec<T> c = f * units.load(carry_before) + i * g;
      units.store(gates, i);
      units.store(gates + n, f);
      units.store(gates + 2 * n, g);
      units.store(gates + 3 * n, o);
      units.store(carry, c);
      units.store(state, o * apply<T>(cell.activation, c));
    });
  }
}

/// h = z * h + (1 - z) * g
template <class T>
[[gnu::always_inline]] inline Vec<T> mixed(Vec<T> z, Vec<T> before, Vec<T> g) {
  return z * before + (Vec<T>(T(1)) - z) * g;
}

/// g = activation(h sum + r * product)
template <class T>
void gru_after(const CellStep<T>& cell) {
  const int64_t n = cell.units;
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* gates = at(cell.gates, row);
    T* state = at(cell.state, row);
    T* inner = at(cell.inner, row);
    const T* sums = at(cell.sums, row);
    const T* before = at(cell.before, row);
    if (is_hidden(cell, row)) {
      copy_row(state, before, n);
      clear_row(gates, 3 * n);
      clear_row(inner, n);
      continue;
    }
    for_units<T>(n, [&](auto units) {
      const Vec<T> z = apply<T>(cell.recurrent, units.load(gates) + units.load(sums));
      const Vec<T> r = apply<T>(cell.recurrent, units.load(gates + n) + units.load(sums + n));
      const Vec<T> product = units.load(sums + 2 * n);
      const Vec<T> g = apply<T>(cell.activation, units.load(gates + 2 * n) + r * product);
      units.store(gates, z);
      units.store(gates + n, r);
      units.store(gates + 2 * n, g);
      units.store(inner, product);
      units.store(state, mixed<T>(z, units.load(before), g));
    });
  }
}

template <class T>
void gru_gates(const CellStep<T>& cell) {
  const int64_t n = cell.units;
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* gates = at(cell.gates, row);
    T* inner = at(cell.inner, row);
    const T* before = at(cell.before, row);
    if (is_hidden(cell, row)) {
      clear_row(gates, 2 * n);
      clear_row(inner, n);
      continue;
    }
    for_units<T>(n, [&](auto units) {
      const Vec<T> r = apply<T>(cell.recurrent, units.load(gates + n));
      units.store(gates, apply<T>(cell.recurrent, units.load(gates)));
      units.store(gates + n, r);
      units.store(inner, r * units.load(before));
    });
  }
}

template <class T>
void gru_state(const CellStep<T>& cell) {
  const int64_t n = cell.units;
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* gates = at(cell.gates, row);
    T* state = at(cell.state, row);
    const T* before = at(cell.before, row);
    if (is_hidden(cell, row)) {
      copy_row(state, before, n);
      clear_row(gates + 2 * n, n);
      continue;
    }
    for_units<T>(n, [&](auto units) {
      const Vec<T> g = apply<T>(cell.activation, units.load(gates + 2 * n));
      units.store(gates + 2 * n, g);
      units.store(state, mixed<T>(units.load(gates), units.load(before), g));
    });
  }
}

// --- backward ---

/// The gradient of a state: what later steps and what comes from outside add up to.
template <class T, bool whole>
[[gnu::always_inline]] inline Vec<T> total(Units<T, whole> units, const T* d_state,
                                           const T* incoming) {
  const Vec<T> later = units.load(d_state);
  return incoming ? later + units.load(incoming) : later;
}

/// A hidden step hands the gradient of the state on as it is, and its gates have none.
template <class T>
[[gnu::always_inline]] inline void pass_on(const CellGradStep<T>& cell, int64_t row,
                                           int64_t gates) {
  T* d_state = at(cell.d_state, row);
  const T* incoming = at(cell.incoming, row);
  for_units<T>(cell.units, [&](auto units) {
    units.store(d_state, total<T>(units, d_state, incoming));
  });
  clear_row(at(cell.d_gates, row), gates * cell.units);
}

template <class T>
void simple_grad(const CellGradStep<T>& cell) {
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 1);
      continue;
    }
    const T* state = at(cell.gates, row);
    const T* incoming = at(cell.incoming, row);
    T* d_gates = at(cell.d_gates, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(cell.units, [&](auto units) {
      const Vec<T> d = total<T>(units, d_state, incoming);
      units.store(d_gates, d * slope<T>(cell.activation, units.load(state)));
      units.store(d_state, Vec<T>::zero());
    });
  }
}

template <class T>
void lstm_grad(const CellGradStep<T>& cell) {
  const int64_t n = cell.units;
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 4);
      continue;
    }
    const T* gates = at(cell.gates, row);
    const T* carry = at(cell.carry, row);
    const T* carry_before = at(cell.carry_before, row);
    const T* incoming = at(cell.incoming, row);
    T* d_gates = at(cell.d_gates, row);
    T* d_state = at(cell.d_state, row);
    T* d_carry = at(cell.d_carry, row);
    for_units<T>(n, [&](auto units) {
      const Vec<T> i = units.load(gates), f = units.load(gates + n);
      const Vec<T> g = units.load(gates + 2 * n), o = units.load(gates + 3 * n);
      const Vec<T> shown = apply<T>(cell.activation, units.load(carry));
      const Vec<T> dh = total<T>(units, d_state, incoming);
      const Vec<T> dc = units.load(d_carry) + dh * o * slope<T>(cell.activation, shown);
      units.store(d_gates, dc * g * slope<T>(cell.recurrent, i));
      units.store(d_gates + n, dc * units.load(carry_before) * slope<T>(cell.recurrent, f));
      units.store(d_gates + 2 * n, dc * i * slope<T>(cell.activation, g));
      units.store(d_gates + 3 * n, dh * shown * slope<T>(cell.recurrent, o));
      units.store(d_carry, dc * f);
      units.store(d_state, Vec<T>::zero());
    });
  }
}

template <class T>
void gru_after_grad(const CellGradStep<T>& cell) {
  const int64_t n = cell.units;
  const Vec<T> one(T(1));
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* d_sums = at(cell.d_sums, row);
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 3);
      clear_row(d_sums, 3 * n);
      continue;
    }
    const T* gates = at(cell.gates, row);
    const T* inner = at(cell.inner, row);
    const T* before = at(cell.before, row);
    const T* incoming = at(cell.incoming, row);
    T* d_gates = at(cell.d_gates, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(n, [&](auto units) {
      const Vec<T> z = units.load(gates), r = units.load(gates + n), g = units.load(gates + 2 * n);
      const Vec<T> dh = total<T>(units, d_state, incoming);
      const Vec<T> dg = dh * (one - z) * slope<T>(cell.activation, g);
      const Vec<T> dz = dh * (units.load(before) - g) * slope<T>(cell.recurrent, z);
      const Vec<T> dr = dg * units.load(inner) * slope<T>(cell.recurrent, r);
      units.store(d_gates, dz);
      units.store(d_gates + n, dr);
      units.store(d_gates + 2 * n, dg);
      units.store(d_sums, dz);
      units.store(d_sums + n, dr);
      units.store(d_sums + 2 * n, dg * r);
      units.store(d_state, dh * z);
    });
  }
}

/// The first half: up to the gradient that goes through the product with r * h.
template <class T>
void gru_state_grad(const CellGradStep<T>& cell) {
  const int64_t n = cell.units;
  const Vec<T> one(T(1));
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 3);
      continue;
    }
    const T* gates = at(cell.gates, row);
    const T* before = at(cell.before, row);
    const T* incoming = at(cell.incoming, row);
    T* d_gates = at(cell.d_gates, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(n, [&](auto units) {
      const Vec<T> z = units.load(gates), g = units.load(gates + 2 * n);
      const Vec<T> dh = total<T>(units, d_state, incoming);
      units.store(d_gates, dh * (units.load(before) - g) * slope<T>(cell.recurrent, z));
      units.store(d_gates + 2 * n, dh * (one - z) * slope<T>(cell.activation, g));
      units.store(d_state, dh * z);
    });
  }
}

/// The second half: through r * h to r and to the state.
template <class T>
void gru_gates_grad(const CellGradStep<T>& cell) {
  const int64_t n = cell.units;
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) continue;
    const T* gates = at(cell.gates, row);
    const T* before = at(cell.before, row);
    const T* d_inner = at(cell.d_inner, row);
    T* d_gates = at(cell.d_gates, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(n, [&](auto units) {
      const Vec<T> r = units.load(gates + n), d = units.load(d_inner);
      units.store(d_gates + n, d * units.load(before) * slope<T>(cell.recurrent, r));
      units.store(d_state, units.load(d_state) + d * r);
    });
  }
}

template <class T>
constexpr RecurrentFunctions<T> functions() {
  RecurrentFunctions<T> functions{};
  functions.simple = &simple<T>;
  functions.lstm = &lstm<T>;
  functions.gru_after = &gru_after<T>;
  functions.gru_gates = &gru_gates<T>;
  functions.gru_state = &gru_state<T>;
  functions.simple_grad = &simple_grad<T>;
  functions.lstm_grad = &lstm_grad<T>;
  functions.gru_after_grad = &gru_after_grad<T>;
  functions.gru_state_grad = &gru_state_grad<T>;
  functions.gru_gates_grad = &gru_gates_grad<T>;
  return functions;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const RecurrentKernels& RecurrentKernels::of<Isa::SYMK_ISA>() {
  static constexpr RecurrentKernels table = {SYMK_ISA::functions<float>(),
                                             SYMK_ISA::functions<double>()};
  return table;
}

}  // namespace symk::cpu
