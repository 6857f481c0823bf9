// What happens in one step of a sequence to one unit of it, forward and backward: the arithmetic of
// the gates, for kernels that do a step each and for those that do them all.
#pragma once

#include "cpu/recurrent.h"
#include "cuda/launch.h"
#include "math/unary.h"

namespace symk::cuda {

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

// --- forward ---

/// The products with the state of one unit: a sum per gate.
template <class T>
struct GateSums {
  const T* first;
  int64_t apart;
  SYMK_HD T operator[](int gate) const { return first[gate * apart]; }
};

// Each `step` does unit u of a row, whose state was `last`, and returns what the state becomes.
// Gates stand n apart in their row.

struct SimpleCell {
  template <class T>
  SYMK_HD static T step(const CellStep<T>& cell, int64_t row, int64_t u, const T& last,
                        const GateSums<T>& sums) {
    const bool hidden = is_hidden(cell, row);
    return at(cell.state, row)[u] =
               hidden ? last : apply(cell.activation, at(cell.x, row)[u] + sums[0]);
  }
};

/// c = f * c + i * activation(c sum), h = o * activation(c)
struct LstmCell {
  template <class T>
  SYMK_HD static T step(const CellStep<T>& cell, int64_t row, int64_t u, const T& last,
                        const GateSums<T>& sums) {
    const int64_t n = cell.units;
    T* const gates = at(cell.gates, row) + u;
    T& state = at(cell.state, row)[u];
    const T before = at(cell.carry_before, row)[u];
    if (is_hidden(cell, row)) {
      at(cell.carry, row)[u] = before;
      clear(gates, 4, n);
      return state = last;
    }
    const T* const x = at(cell.x, row) + u;
    const T i = apply(cell.recurrent, x[0] + sums[0]);
    const T f = apply(cell.recurrent, x[n] + sums[1]);
    const T g = apply(cell.activation, x[2 * n] + sums[2]);
    const T o = apply(cell.recurrent, x[3 * n] + sums[3]);
    const T c = f * before + i * g;
    gates[0] = i;
    gates[n] = f;
    gates[2 * n] = g;
    gates[3 * n] = o;
    at(cell.carry, row)[u] = c;
    return state = o * apply(cell.activation, c);
  }
};

/// g = activation(h sum + r * product), h = z * h + (1 - z) * g
struct GruAfterCell {
  template <class T>
  SYMK_HD static T step(const CellStep<T>& cell, int64_t row, int64_t u, const T& last,
                        const GateSums<T>& sums) {
    const int64_t n = cell.units;
    T *gates = at(cell.gates, row) + u, *inner = at(cell.inner, row) + u;
    T& state = at(cell.state, row)[u];
    if (is_hidden(cell, row)) {
      clear(gates, 3, n);
      *inner = T(0);
      return state = last;
    }
    const T* const x = at(cell.x, row) + u;
    const T z = apply(cell.recurrent, x[0] + sums[0]);
    const T r = apply(cell.recurrent, x[n] + sums[1]);
    const T product = sums[2], g = apply(cell.activation, x[2 * n] + r * product);
    gates[0] = z;
    gates[n] = r;
    gates[2 * n] = g;
    *inner = product;
    return state = z * last + (T(1) - z) * g;
  }
};

/// A GRU that resets before the product has two halves: z, r and r * h, which leave the state as it
/// is; then the new state.
struct GruGatesCell {
  template <class T>
  SYMK_HD static T step(const CellStep<T>& cell, int64_t row, int64_t u, const T& last,
                        const GateSums<T>& sums) {
    const int64_t n = cell.units;
    T* const gates = at(cell.gates, row) + u;
    T &inner = at(cell.inner, row)[u], &reset = at(cell.reset, row)[u];
    if (is_hidden(cell, row)) {
      clear(gates, 2, n);
      inner = reset = T(0);
      return last;
    }
    const T* const x = at(cell.x, row) + u;
    const T z = apply(cell.recurrent, x[0] + sums[0]);
    const T r = apply(cell.recurrent, x[n] + sums[1]);
    gates[0] = z;
    gates[n] = r;
    inner = reset = r * last;
    return last;
  }
};
struct GruStateCell {
  template <class T>
  SYMK_HD static T step(const CellStep<T>& cell, int64_t row, int64_t u, const T& last,
                        const GateSums<T>& sums) {
    const int64_t n = cell.units;
    T* const gates = at(cell.gates, row) + u;
    T& state = at(cell.state, row)[u];
    if (is_hidden(cell, row)) {
      gates[2 * n] = T(0);
      return state = last;
    }
    const T z = gates[0];
    const T g = apply(cell.activation, at(cell.x, row)[2 * n + u] + sums[2]);
    gates[2 * n] = g;
    return state = z * last + (T(1) - z) * g;
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

struct SimpleCellGrad {
  template <class T>
  SYMK_HD static void step(const CellGradStep<T>& cell, int64_t row, int64_t u) {
    if (is_hidden(cell, row)) return pass_on(cell, row, u, 1);
    const T d = total(cell, row, u);
    set_gate(cell, row, u, d * slope(cell.activation, at(cell.gates, row)[u]));
    set_state(cell, row, u, T(0));
  }
};

struct LstmCellGrad {
  template <class T>
  SYMK_HD static void step(const CellGradStep<T>& cell, int64_t row, int64_t u) {
    const int64_t n = cell.units;
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

struct GruAfterCellGrad {
  template <class T>
  SYMK_HD static void step(const CellGradStep<T>& cell, int64_t row, int64_t u) {
    const int64_t n = cell.units;
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
struct GruStateCellGrad {
  template <class T>
  SYMK_HD static void step(const CellGradStep<T>& cell, int64_t row, int64_t u) {
    const int64_t n = cell.units;
    if (is_hidden(cell, row)) return pass_on(cell, row, u, 3);
    const T* const gates = at(cell.gates, row) + u;
    const T z = gates[0], g = gates[2 * n], dh = total(cell, row, u);
    const T dz = dh * (at(cell.before, row)[u] - g) * slope(cell.recurrent, z);
    set_gate(cell, row, u, dz);
    set_gate(cell, row, 2 * n + u, dh * (T(1) - z) * slope(cell.activation, g));
    set_state(cell, row, u, dh * z);
  }
};
struct GruGatesCellGrad {
  template <class T>
  SYMK_HD static void step(const CellGradStep<T>& cell, int64_t row, int64_t u) {
    const int64_t n = cell.units;
    if (is_hidden(cell, row)) return;
    const T r = at(cell.gates, row)[n + u], d = at(cell.d_inner, row)[u];
    set_gate(cell, row, n + u, d * at(cell.before, row)[u] * slope(cell.recurrent, r));
    T& d_state = at(cell.d_state, row)[u];
    d_state = d_state + d * r;
  }
};

}  // namespace symk::cuda
