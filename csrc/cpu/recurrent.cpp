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

/// Whole vectors, and the rest. With masks for all of them cells took a third longer.
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
[[gnu::always_inline]] inline Vec<T> value_of(Curve curve, Vec<T> x) {
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

template <class T>
[[gnu::always_inline]] inline Vec<T> slope_of(Curve curve, Vec<T> y) {
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
[[gnu::noinline]] Vec<T> called_value_of(Curve curve, Vec<T> x) {
  return value_of<T>(curve, x);
}
template <class T>
[[gnu::noinline]] Vec<T> called_slope_of(Curve curve, Vec<T> y) {
  return slope_of<T>(curve, y);
}

/// The curves that gates and values mostly have; they are done in place for whole vectors of float,
/// where a call costs 6 %. Copies of all of them at all places would be most of this file.
struct Gate {
  static constexpr Curve usual = Curve::kSigmoid, cheap = Curve::kHardSigmoid;
};
struct Value {
  static constexpr Curve usual = Curve::kTanh, cheap = Curve::kRelu;
};
template <class T, bool whole>
inline constexpr bool kInPlace = whole && sizeof(T) == 4 && Isa::SYMK_ISA != Isa::portable;

template <class Use, class T, bool whole>
[[gnu::always_inline]] inline Vec<T> apply(Units<T, whole>, Curve curve, Vec<T> x) {
  if constexpr (kInPlace<T, whole>) {
    if (curve == Use::usual) return value_of<T>(Use::usual, x);
    if (curve == Use::cheap) return value_of<T>(Use::cheap, x);
  }
  return called_value_of<T>(curve, x);
}

/// The slope of a curve where its result is y.
template <class Use, class T, bool whole>
[[gnu::always_inline]] inline Vec<T> slope(Units<T, whole>, Curve curve, Vec<T> y) {
  if constexpr (kInPlace<T, whole>) {
    if (curve == Use::usual) return slope_of<T>(Use::usual, y);
    if (curve == Use::cheap) return slope_of<T>(Use::cheap, y);
  }
  return called_slope_of<T>(curve, y);
}

/// Brings closer what the next step finds at the same units of a row, in an array whose rows are
/// `width` long at each time. An address may lie outside of the array: then it is of no use.
template <class T>
struct Ahead {
  int64_t bytes;  // from a time to the next, for each element of a row

  explicit Ahead(const CellRows& cell) : bytes(cell.ahead * static_cast<int64_t>(sizeof(T))) {}

  template <bool whole>
  [[gnu::always_inline]] void read(Units<T, whole> units, const T* row, int64_t width) const {
    prefetch(address(row, units.first, width));
  }
  template <bool whole>
  [[gnu::always_inline]] void write(Units<T, whole> units, const T* row, int64_t width) const {
    prefetch_to_write(address(row, units.first, width));
  }

 private:
  [[gnu::always_inline]] const void* address(const T* row, int64_t first, int64_t width) const {
    return reinterpret_cast<const void*>(reinterpret_cast<intptr_t>(row + first) + bytes * width);
  }
};

template <class T>
[[gnu::noinline]] void copy_row(T* to, const T* from, int64_t count) {
  for_units<T>(count, [&](auto units) { units.store(to, units.load(from)); });
}

template <class T>
[[gnu::noinline]] void clear_row(T* to, int64_t count) {
  for_units<T>(count, [&](auto units) { units.store(to, Vec<T>::zero()); });
}

// --- forward ---

/// The state stays what it is.
template <class T>
[[gnu::always_inline]] inline void keep_state(const CellStep<T>& cell, int64_t row) {
  copy_row(at(cell.state, row), at(cell.running, row), cell.units);
}

template <class T, bool whole>
[[gnu::always_inline]] inline void set_state(Units<T, whole> units, T* state, T* running,
                                             Vec<T> value) {
  units.store(state, value);
  units.store(running, value);
}

/// h = activation(sums)
template <class T>
void simple(const CellStep<T>& cell) {
  const Ahead<T> ahead(cell);
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) {
      keep_state(cell, row);
      continue;
    }
    const T *x = at(cell.x, row), *sums = at(cell.sums, row);
    T *state = at(cell.state, row), *running = at(cell.running, row);
    for_units<T>(cell.units, [&](auto units) {
      ahead.read(units, x, cell.units);
      ahead.write(units, state, cell.units);
      const Vec<T> sum = units.load(x) + units.load(sums);
      set_state<T>(units, state, running, apply<Value>(units, cell.activation, sum));
    });
  }
}

/// c = f * c + i * activation(c sum), h = o * activation(c)
template <class T>
void lstm(const CellStep<T>& cell) {
  const int64_t n = cell.units;
  const Ahead<T> ahead(cell);
  for (int64_t row = 0; row < cell.rows; ++row) {
    T *gates = at(cell.gates, row), *carry = at(cell.carry, row);
    const T* before = at(cell.carry_before, row);
    if (is_hidden(cell, row)) {
      keep_state(cell, row);
      copy_row(carry, before, n);
      clear_row(gates, 4 * n);
      continue;
    }
    const T *x = at(cell.x, row), *sums = at(cell.sums, row);
    T *state = at(cell.state, row), *running = at(cell.running, row);
    for_units<T>(n, [&](auto units) {
      const auto sum = [&](int64_t gate) __attribute__((always_inline)) {
        ahead.read(units, x + gate * n, 4 * n);
        ahead.write(units, gates + gate * n, 4 * n);
        return units.load(x + gate * n) + units.load(sums + gate * n);
      };
      ahead.write(units, carry, n);
      ahead.write(units, state, n);
      const Vec<T> i = apply<Gate>(units, cell.recurrent, sum(0)),
                   f = apply<Gate>(units, cell.recurrent, sum(1));
      const Vec<T> g = apply<Value>(units, cell.activation, sum(2)),
                   o = apply<Gate>(units, cell.recurrent, sum(3));
      const Vec<T> c = f * units.load(before) + i * g;
      units.store(gates, i);
      units.store(gates + n, f);
      units.store(gates + 2 * n, g);
      units.store(gates + 3 * n, o);
      units.store(carry, c);
      set_state<T>(units, state, running, o * apply<Value>(units, cell.activation, c));
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
  const Ahead<T> ahead(cell);
  for (int64_t row = 0; row < cell.rows; ++row) {
    T *gates = at(cell.gates, row), *inner = at(cell.inner, row);
    if (is_hidden(cell, row)) {
      keep_state(cell, row);
      clear_row(gates, 3 * n);
      clear_row(inner, n);
      continue;
    }
    const T *x = at(cell.x, row), *sums = at(cell.sums, row);
    T *state = at(cell.state, row), *running = at(cell.running, row);
    for_units<T>(n, [&](auto units) {
      for (int64_t gate = 0; gate < 3; ++gate) {
        ahead.read(units, x + gate * n, 3 * n);
        ahead.write(units, gates + gate * n, 3 * n);
      }
      ahead.write(units, inner, n);
      ahead.write(units, state, n);
      const Vec<T> z = apply<Gate>(units, cell.recurrent, units.load(x) + units.load(sums));
      const Vec<T> r = apply<Gate>(units, cell.recurrent, units.load(x + n) + units.load(sums + n));
      const Vec<T> product = units.load(sums + 2 * n);
      const Vec<T> g = apply<Value>(units, cell.activation, units.load(x + 2 * n) + r * product);
      units.store(gates, z);
      units.store(gates + n, r);
      units.store(gates + 2 * n, g);
      units.store(inner, product);
      set_state<T>(units, state, running, mixed<T>(z, units.load(running), g));
    });
  }
}

template <class T>
void gru_gates(const CellStep<T>& cell) {
  const int64_t n = cell.units;
  const Ahead<T> ahead(cell);
  for (int64_t row = 0; row < cell.rows; ++row) {
    T *gates = at(cell.gates, row), *inner = at(cell.inner, row), *reset = at(cell.reset, row);
    if (is_hidden(cell, row)) {
      clear_row(gates, 2 * n);
      clear_row(inner, n);
      clear_row(reset, n);
      continue;
    }
    const T *x = at(cell.x, row), *sums = at(cell.sums, row), *running = at(cell.running, row);
    for_units<T>(n, [&](auto units) {
      for (int64_t gate = 0; gate < 2; ++gate) {
        ahead.read(units, x + gate * n, 3 * n);
        ahead.write(units, gates + gate * n, 3 * n);
      }
      ahead.write(units, inner, n);
      const Vec<T> z = apply<Gate>(units, cell.recurrent, units.load(x) + units.load(sums));
      const Vec<T> r = apply<Gate>(units, cell.recurrent, units.load(x + n) + units.load(sums + n));
      const Vec<T> product = r * units.load(running);
      units.store(gates, z);
      units.store(gates + n, r);
      units.store(inner, product);
      units.store(reset, product);
    });
  }
}

template <class T>
void gru_state(const CellStep<T>& cell) {
  const int64_t n = cell.units;
  const Ahead<T> ahead(cell);
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* gates = at(cell.gates, row);
    if (is_hidden(cell, row)) {
      keep_state(cell, row);
      clear_row(gates + 2 * n, n);
      continue;
    }
    const T *x = at(cell.x, row), *sums = at(cell.sums, row);
    T *state = at(cell.state, row), *running = at(cell.running, row);
    for_units<T>(n, [&](auto units) {
      ahead.read(units, x + 2 * n, 3 * n);
      ahead.write(units, gates + 2 * n, 3 * n);
      ahead.write(units, state, n);
      const Vec<T> sum = units.load(x + 2 * n) + units.load(sums + 2 * n);
      const Vec<T> g = apply<Value>(units, cell.activation, sum);
      units.store(gates + 2 * n, g);
      const Vec<T> before = units.load(running);
      set_state<T>(units, state, running, mixed<T>(units.load(gates), before, g));
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
[[gnu::noinline]] void pass_on(const CellGradStep<T>& cell, int64_t row, int64_t gates) {
  T* d_state = at(cell.d_state, row);
  const T* incoming = at(cell.incoming, row);
  for_units<T>(cell.units,
               [&](auto units) { units.store(d_state, total<T>(units, d_state, incoming)); });
  clear_row(at(cell.d_gates, row), gates * cell.units);
  clear_row(at(cell.d_sums, row), gates * cell.units);
}

template <class T>
void simple_grad(const CellGradStep<T>& cell) {
  const Ahead<T> ahead(cell);
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 1);
      continue;
    }
    const T *state = at(cell.gates, row), *incoming = at(cell.incoming, row);
    T *d_gates = at(cell.d_gates, row), *d_sums = at(cell.d_sums, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(cell.units, [&](auto units) {
      ahead.read(units, state, cell.units);
      if (incoming) ahead.read(units, incoming, cell.units);
      ahead.write(units, d_gates, cell.units);
      const Vec<T> d = total<T>(units, d_state, incoming);
      const Vec<T> dx = d * slope<Value>(units, cell.activation, units.load(state));
      units.store(d_gates, dx);
      units.store(d_sums, dx);
      units.store(d_state, Vec<T>::zero());
    });
  }
}

template <class T>
void lstm_grad(const CellGradStep<T>& cell) {
  const int64_t n = cell.units;
  const Ahead<T> ahead(cell);
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 4);
      continue;
    }
    const T *gates = at(cell.gates, row), *carry = at(cell.carry, row);
    const T *carry_before = at(cell.carry_before, row), *incoming = at(cell.incoming, row);
    T *d_gates = at(cell.d_gates, row), *d_sums = at(cell.d_sums, row);
    T *d_state = at(cell.d_state, row), *d_carry = at(cell.d_carry, row);
    for_units<T>(n, [&](auto units) {
      const auto set = [&](int64_t gate, Vec<T> value) __attribute__((always_inline)) {
        ahead.read(units, gates + gate * n, 4 * n);
        ahead.write(units, d_gates + gate * n, 4 * n);
        units.store(d_gates + gate * n, value);
        units.store(d_sums + gate * n, value);
      };
      const Vec<T> i = units.load(gates), f = units.load(gates + n);
      const Vec<T> g = units.load(gates + 2 * n), o = units.load(gates + 3 * n);
      ahead.read(units, carry_before, n);
      if (incoming) ahead.read(units, incoming, n);
      const Vec<T> shown = apply<Value>(units, cell.activation, units.load(carry));
      const Vec<T> dh = total<T>(units, d_state, incoming);
      const Vec<T> dc = units.load(d_carry) + dh * o * slope<Value>(units, cell.activation, shown);
      set(0, dc * g * slope<Gate>(units, cell.recurrent, i));
      set(1, dc * units.load(carry_before) * slope<Gate>(units, cell.recurrent, f));
      set(2, dc * i * slope<Value>(units, cell.activation, g));
      set(3, dh * shown * slope<Gate>(units, cell.recurrent, o));
      units.store(d_carry, dc * f);
      units.store(d_state, Vec<T>::zero());
    });
  }
}

template <class T>
void gru_after_grad(const CellGradStep<T>& cell) {
  const Ahead<T> ahead(cell);
  const int64_t n = cell.units;
  const Vec<T> one(T(1));
  for (int64_t row = 0; row < cell.rows; ++row) {
    T* d_products = at(cell.d_products, row);
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 3);
      clear_row(d_products, 3 * n);
      continue;
    }
    const T *gates = at(cell.gates, row), *inner = at(cell.inner, row);
    const T *before = at(cell.before, row), *incoming = at(cell.incoming, row);
    T *d_gates = at(cell.d_gates, row), *d_sums = at(cell.d_sums, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(n, [&](auto units) {
      const auto set = [&](int64_t gate, Vec<T> value, Vec<T> product)
          __attribute__((always_inline)) {
        ahead.read(units, gates + gate * n, 3 * n);
        ahead.write(units, d_gates + gate * n, 3 * n);
        ahead.write(units, d_products + gate * n, 3 * n);
        units.store(d_gates + gate * n, value);
        units.store(d_products + gate * n, product);
        units.store(d_sums + gate * n, product);
      };
      ahead.read(units, inner, n);
      ahead.read(units, before, n);
      if (incoming) ahead.read(units, incoming, n);
      const Vec<T> z = units.load(gates), r = units.load(gates + n), g = units.load(gates + 2 * n);
      const Vec<T> dh = total<T>(units, d_state, incoming);
      const Vec<T> dg = dh * (one - z) * slope<Value>(units, cell.activation, g);
      const Vec<T> dz = dh * (units.load(before) - g) * slope<Gate>(units, cell.recurrent, z);
      const Vec<T> dr = dg * units.load(inner) * slope<Gate>(units, cell.recurrent, r);
      set(0, dz, dz);
      set(1, dr, dr);
      set(2, dg, dg * r);
      units.store(d_state, dh * z);
    });
  }
}

/// The first half: up to the gradient that goes through the product with r * h.
template <class T>
void gru_state_grad(const CellGradStep<T>& cell) {
  const Ahead<T> ahead(cell);
  const int64_t n = cell.units;
  const Vec<T> one(T(1));
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (is_hidden(cell, row)) {
      pass_on(cell, row, 3);
      continue;
    }
    const T *gates = at(cell.gates, row), *before = at(cell.before, row);
    const T* incoming = at(cell.incoming, row);
    T *d_gates = at(cell.d_gates, row), *d_sums = at(cell.d_sums, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(n, [&](auto units) {
      for (int64_t gate = 0; gate < 3; ++gate) {
        ahead.read(units, gates + gate * n, 3 * n);
        ahead.write(units, d_gates + gate * n, 3 * n);
      }
      ahead.read(units, before, n);
      if (incoming) ahead.read(units, incoming, n);
      const Vec<T> z = units.load(gates), g = units.load(gates + 2 * n);
      const Vec<T> dh = total<T>(units, d_state, incoming);
      const Vec<T> dz = dh * (units.load(before) - g) * slope<Gate>(units, cell.recurrent, z);
      const Vec<T> dg = dh * (one - z) * slope<Value>(units, cell.activation, g);
      units.store(d_gates, dz);
      units.store(d_sums, dz);
      units.store(d_gates + 2 * n, dg);
      units.store(d_sums + 2 * n, dg);
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
    const T *gates = at(cell.gates, row), *before = at(cell.before, row);
    const T* d_inner = at(cell.d_inner, row);
    T *d_gates = at(cell.d_gates, row), *d_sums = at(cell.d_sums, row);
    T* d_state = at(cell.d_state, row);
    for_units<T>(n, [&](auto units) {
      const Vec<T> r = units.load(gates + n), d = units.load(d_inner);
      const Vec<T> dr = d * units.load(before) * slope<Gate>(units, cell.recurrent, r);
      units.store(d_gates + n, dr);
      units.store(d_sums + n, dr);
      units.store(d_state, units.load(d_state) + d * r);
    });
  }
}

template <class T>
constexpr RecurrentFunctions<T> functions() {
  RecurrentFunctions<T> functions{};
  if constexpr (sizeof(T) == 8 && !has_float64(Isa::SYMK_ISA)) return functions;
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
