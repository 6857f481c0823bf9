// Loops of an op over vectors, for floating numbers. `Op` is a functor of csrc/math, or made of
// such. Everything is in the namespace of the instruction set.
#pragma once

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {

/// The lanes of vectors beginning at element i of each operand, as a call of Op.
template <class Op, class T, int... operand>
struct VectorLoop {
  using V = Vec<T>;

  [[gnu::always_inline]] static const T* start(const void* const* in, int number) {
    return static_cast<const T*>(in[number]);
  }

  static void run(const void* const* in, void* out, int64_t n) {
    const T* const from[] = {start(in, operand)...};
    T* const y = static_cast<T*>(out);
    // One copy of the arithmetic: it is long where the op is a function such as tanh.
    for (int64_t i = 0; i < n; i += V::width) {
      const bool whole = n - i >= V::width;
      const int lanes = static_cast<int>(n - i);
      V x[sizeof...(operand)];
      if (__builtin_expect(whole, 1)) {
        ((x[operand] = V::load(from[operand] + i)), ...);
      } else {
        ((x[operand] = V::load_partial(from[operand] + i, lanes)), ...);
      }
      const V value = Op()(x[operand]...);
      if (__builtin_expect(whole, 1)) {
        value.store(y + i);
      } else {
        value.store_partial(y + i, lanes);
      }
    }
  }
};

template <class Op, class T>
void unary_vector(const void* const* in, void* out, int64_t n) {
  VectorLoop<Op, T, 0>::run(in, out, n);
}
template <class Op, class T>
void binary_vector(const void* const* in, void* out, int64_t n) {
  VectorLoop<Op, T, 0, 1>::run(in, out, n);
}
template <class Op, class T>
void ternary_vector(const void* const* in, void* out, int64_t n) {
  VectorLoop<Op, T, 0, 1, 2>::run(in, out, n);
}
template <class Op, class T>
void quaternary_vector(const void* const* in, void* out, int64_t n) {
  VectorLoop<Op, T, 0, 1, 2, 3>::run(in, out, n);
}

}  // namespace symk::cpu::SYMK_ISA
