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
    int64_t i = 0;
    for (; i + V::width <= n; i += V::width) Op()(V::load(from[operand] + i)...).store(y + i);
    const int rest = static_cast<int>(n - i);
    if (rest > 0) Op()(V::load_partial(from[operand] + i, rest)...).store_partial(y + i, rest);
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
