// Loops of an op over vectors, for floating numbers. `Op` is a functor of csrc/math, or made of
// such. Everything is in the namespace of the instruction set.
#pragma once

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {

/// Elements first..n-1, fewer than a vector holds: as a whole vector, on copies.
template <class T, int operands>
[[gnu::noinline]] void run_rest(void (*loop)(const void* const* in, void* out, int64_t n),
                                const void* const* in, void* out, int64_t first, int64_t n) {
  using V = Vec<T>;
  const int lanes = static_cast<int>(n - first);
  T x[operands][V::width], y[V::width];
  const void* copies[operands];
#pragma GCC unroll 4
  for (int k = 0; k < operands; ++k) {
    V::load_partial(static_cast<const T*>(in[k]) + first, lanes).store(x[k]);
    copies[k] = x[k];
  }
  loop(copies, y, V::width);
  V::load(y).store_partial(static_cast<T*>(out) + first, lanes);
}

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
    if (i < n) run_rest<T, sizeof...(operand)>(&run, in, out, i, n);
  }
};

template <class Op, class T>
constexpr auto unary_vector = &VectorLoop<Op, T, 0>::run;
template <class Op, class T>
constexpr auto binary_vector = &VectorLoop<Op, T, 0, 1>::run;
template <class Op, class T>
constexpr auto ternary_vector = &VectorLoop<Op, T, 0, 1, 2>::run;
template <class Op, class T>
constexpr auto quaternary_vector = &VectorLoop<Op, T, 0, 1, 2, 3>::run;

}  // namespace symk::cpu::SYMK_ISA
