// One step of recurrent cells for one instruction set: what happens to the sums of the gates. The
// sums are made by the matrix product of matmul.h; recurrent_step.cpp walks over time.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace symk::cpu {

/// The functions of gates and values: those whose slope follows from their result.
enum class Curve : int { kLinear, kRelu, kTanh, kSigmoid, kHardSigmoid };

/// A row for each sequence, `step` elements behind the one before; null if there is none.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t step = 0;
};

/// What steps in both directions share.
struct CellRows {
  int64_t rows = 0, units = 0;
  int64_t ahead = 0;  // how many times further on the next step is, whose rows are fetched
  Curve activation = Curve::kTanh, recurrent = Curve::kSigmoid;
  Rows<const unsigned char> mask;  // 0: the sequence keeps its states in this step; or null
};

/// One step forward. Gates stand one behind the other in a row, each `units` long: i, f, c, o of an
/// LSTM, z, r, h of a GRU. They are 0 where the step is hidden. Rows of sequences lie far apart;
/// what the products read and write is in rows of scratch, close together.
template <class T>
struct CellStep : CellRows {
  Rows<const T> x;             // the products with the inputs
  Rows<const T> sums;          // the products with the state: scratch
  Rows<T> running;             // the state before the step; becomes that after it: scratch
  Rows<const T> carry_before;  // c of an LSTM before the step
  Rows<T> reset;               // r * state, of a GRU that resets before the product: scratch
  Rows<T> gates, state, carry, inner;  // of sequences, may lie over x; inner: what r is multiplied
                                       // with, or gives
};

/// One step backward. `d_state` and `d_carry` have the gradients of the states after the step but
/// for what comes from outside, `incoming`; they become those of the states before it, but for the
/// part that goes through the products.
template <class T>
struct CellGradStep : CellRows {
  Rows<const T> before, carry_before, gates, carry, inner;  // as they were forward
  Rows<const T> incoming;                                   // or null
  Rows<T> d_gates;                                          // may lie over `gates`
  Rows<T> d_products;                                       // of a GRU that resets after
  Rows<T> d_sums;                                           // what the products read: scratch
  Rows<T> d_inner;                                          // of a GRU that resets before: scratch
  Rows<T> d_state, d_carry;
};

template <class T>
struct RecurrentFunctions {
  void (*simple)(const CellStep<T>&);
  void (*lstm)(const CellStep<T>&);
  void (*gru_after)(const CellStep<T>&);
  /// A GRU that resets before the product has two halves: z, r and r * h; then the new state.
  void (*gru_gates)(const CellStep<T>&);
  void (*gru_state)(const CellStep<T>&);

  void (*simple_grad)(const CellGradStep<T>&);
  void (*lstm_grad)(const CellGradStep<T>&);
  void (*gru_after_grad)(const CellGradStep<T>&);
  void (*gru_state_grad)(const CellGradStep<T>&);
  void (*gru_gates_grad)(const CellGradStep<T>&);
};

struct RecurrentKernels {
  RecurrentFunctions<float> float32;
  RecurrentFunctions<double> float64;
  template <Isa isa>
  static const RecurrentKernels& of();
};
template <>
const RecurrentKernels& RecurrentKernels::of<Isa::portable>();
template <>
const RecurrentKernels& RecurrentKernels::of<Isa::avx2>();
template <>
const RecurrentKernels& RecurrentKernels::of<Isa::avx512>();

}  // namespace symk::cpu
