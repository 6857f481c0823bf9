// Rows of bytes and of float16 as vectors of float32, added up with a factor each.
#include "cpu/stored.h"

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {
namespace {

using V = Vec<float>;
constexpr int kRowsAtOnce = 8;  // so that y is loaded and stored once for several rows

/// One vector of columns of some rows, added to y.
template <int rows, class S>
[[gnu::always_inline]] inline void add(const S* x, int64_t row, const V* factor, float* y) {
  V sum = V::load(y);
#pragma GCC unroll 8
  for (int q = 0; q < rows; ++q) sum = fma(factor[q], widened(x + q * row), sum);
  sum.store(y);
}

/// The last columns of a row, fewer than a vector has.
template <class S>
[[gnu::always_inline]] inline void add_last(const S* x, V factor, float* y, int lanes) {
  S last[V::width] = {};
  for (int j = 0; j < lanes; ++j) last[j] = x[j];
  fma(factor, widened(last), V::load_partial(y, lanes)).store_partial(y, lanes);
}

template <class S>
void add_rows(const S* x, const float* v, float* y, int64_t rows, int64_t columns) {
  constexpr int64_t width = V::width;
  const int64_t whole = columns / width * width;
  for (int64_t j = 0; j < columns; ++j) y[j] = 0;
  for (int64_t i = 0; i < rows;) {
    const int count = rows - i >= kRowsAtOnce ? kRowsAtOnce : 1;
    V factor[kRowsAtOnce];
    for (int q = 0; q < count; ++q) factor[q] = V(v[i + q]);
    if (count == kRowsAtOnce) {
      for (int64_t j = 0; j < whole; j += width) add<kRowsAtOnce>(x + j, columns, factor, y + j);
    } else {
      for (int64_t j = 0; j < whole; j += width) add<1>(x + j, columns, factor, y + j);
    }
    for (int q = 0; q < count && whole < columns; ++q)
      add_last(x + q * columns + whole, factor[q], y + whole, static_cast<int>(columns - whole));
    i += count;
    x += count * columns;
  }
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const StoredKernels& StoredKernels::of<Isa::SYMK_ISA>() {
  static constexpr StoredKernels table = {&SYMK_ISA::add_rows<int8_t>,
                                          &SYMK_ISA::add_rows<uint16_t>};
  return table;
}

}  // namespace symk::cpu
