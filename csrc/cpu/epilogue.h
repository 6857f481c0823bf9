// What a product does to finished values while they are in registers:
//   min(activation(product * scale + bias + addend), limit) * factor
// Kernel files include this: nothing in it is shared between instruction sets.
#pragma once

#include "cpu/activation.h"

namespace symk::cpu {

/// Each part may be missing.
template <class T>
struct Epilogue {
  const T* scale = nullptr;            // one value per column
  const T* bias = nullptr;             // one value per column
  const T* addend = nullptr;           // one value per element, laid out as C
  Activation<T> activation;            // applied to each finished row
  bool is_relu = false;                // so that it may be done in registers
  T limit = T(__builtin_inf());        // of relu; not negative
  const T* factor = nullptr;           // one value per element, laid out as C

  [[gnu::always_inline]] bool is_limited() const { return limit < T(__builtin_inf()); }

  /// The epilogue of a block that begins `column` columns and `place` elements of C further on.
  [[gnu::always_inline]] Epilogue at(int64_t column, int64_t place) const {
    Epilogue moved = *this;
    if (scale) moved.scale += column;
    if (bias) moved.bias += column;
    if (addend) moved.addend += place;
    if (factor) moved.factor += place;
    return moved;
  }
};

}  // namespace symk::cpu
