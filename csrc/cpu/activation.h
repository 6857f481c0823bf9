// Unary elementwise ops in place, by name: what a matrix product or a convolution does to its
// finished values. Kernel files include this: nothing in it is shared between instruction sets.
#pragma once

#include "cpu/loops.h"

namespace symk::cpu {

/// A loop of elementwise.h over one array of T, or nothing.
template <class T>
class Activation {
 public:
  Activation() = default;
  explicit Activation(Loop loop) : loop_(loop) {}
  [[gnu::always_inline]] explicit operator bool() const { return loop_ != nullptr; }
  [[gnu::always_inline]] void operator()(T* x, int64_t count) const {
    const void* const in = x;
    loop_(&in, x, count);
  }

 private:
  Loop loop_ = nullptr;
};

/// The activation of that name for the active set; nothing for "". Throws Error when there is none.
template <class T>
Activation<T> find_activation(const char* name);
template <>
Activation<float> find_activation<float>(const char* name);
template <>
Activation<double> find_activation<double>(const char* name);

}  // namespace symk::cpu
