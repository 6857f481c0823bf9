// Elementwise loops by name and dtype, for the active instruction set.
#pragma once

#include "cpu/elementwise.h"

namespace symk::cpu {

/// The name of the op of a loop.
const char* loop_name(const LoopEntry& entry);
/// The loop of an op, or null if there is none.
const LoopEntry* find_loop(const char* name, int arity, DType operand, DType result);
Loop find_cast(DType from, DType to);

/// y += x and y *= x, of float and double.
template <class T>
void add_to(T* y, const T* x, int64_t count);
template <class T>
void multiply_by(T* y, const T* x, int64_t count);

}  // namespace symk::cpu
