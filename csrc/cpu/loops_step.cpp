// Finds elementwise loops, casts and activations by name and dtype.
#include "cpu/loops.h"

#include <cstring>
#include <string>

#include "cpu/activation.h"
#include "cpu/dispatch.h"
#include "math/ops.h"
#include "runtime/error.h"

namespace symk::cpu {
namespace {

const LoopEntry* find_in(const ElementwiseKernels& table, const char* name, int arity,
                         DType operand, DType result) {
  for (int i = 0; i < table.loop_count; ++i) {
    const LoopEntry& entry = table.loops[i];
    if (entry.operand == operand && entry.result == result && entry.arity == arity &&
        std::strcmp(loop_name(entry), name) == 0) {
      return &entry;
    }
  }
  return nullptr;
}

Loop find_unary(const char* name, DType dtype) {
  if (*name == '\0') return nullptr;
  const LoopEntry* const entry = find_loop(name, 1, dtype, dtype);
  if (entry != nullptr) return entry->loop;
  throw Error(ErrorCode::kArgument, "[activation] a unary elementwise op is required; \"" +
                                        std::string(name) + "\" is none.");
}

/// y = op(y, x).
template <class T>
void change(const LoopEntry& op, T* y, const T* x, int64_t count) {
  const void* const operands[] = {y, x};
  op.loop(operands, y, count);
}

}  // namespace

const char* loop_name(const LoopEntry& entry) { return math::op_name(entry.op); }

const LoopEntry* find_loop(const char* name, int arity, DType operand, DType result) {
  const LoopEntry* const own =
      find_in(kernels<ElementwiseKernels>(), name, arity, operand, result);
  return own != nullptr
             ? own
             : find_in(ElementwiseKernels::of<Isa::integers>(), name, arity, operand, result);
}

Loop find_cast(DType from, DType to) {
  return kernel_of<ElementwiseKernels>([=](const ElementwiseKernels& table) {
    return table.casts[static_cast<int>(from)][static_cast<int>(to)];
  });
}

template <class T>
void add_to(T* y, const T* x, int64_t count) {
  static const LoopEntry& add = *find_loop("add", 2, dtype_of<T>(), dtype_of<T>());
  change(add, y, x, count);
}
template <class T>
void multiply_by(T* y, const T* x, int64_t count) {
  static const LoopEntry& multiply = *find_loop("mul", 2, dtype_of<T>(), dtype_of<T>());
  change(multiply, y, x, count);
}
template void add_to(float*, const float*, int64_t);
template void add_to(double*, const double*, int64_t);
template void multiply_by(float*, const float*, int64_t);
template void multiply_by(double*, const double*, int64_t);

template <>
Activation<float> find_activation<float>(const char* name) {
  return Activation<float>(find_unary(name, DType::kFloat32));
}
template <>
Activation<double> find_activation<double>(const char* name) {
  return Activation<double>(find_unary(name, DType::kFloat64));
}

}  // namespace symk::cpu
