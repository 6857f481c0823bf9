// Finds activations by name.
#include "cpu/activation.h"

#include <string>

#include "cpu/dispatch.h"
#include "runtime/error.h"

namespace symk::cpu {
namespace {

Loop find(const std::string& name, DType dtype) {
  const auto& table = kernels<ElementwiseKernels>();
  for (int i = 0; i < table.loop_count; ++i) {
    const LoopEntry& entry = table.loops[i];
    if (entry.arity == 1 && entry.operand == dtype && entry.result == dtype && name == entry.name) {
      return entry.loop;
    }
  }
  throw Error(ErrorCode::kArgument,
              "[activation] a unary elementwise op is required; \"" + name + "\" is none.");
}

}  // namespace

template <>
Activation<float> find_activation<float>(const char* name) {
  return Activation<float>(*name == '\0' ? nullptr : find(name, DType::kFloat32));
}
template <>
Activation<double> find_activation<double>(const char* name) {
  return Activation<double>(*name == '\0' ? nullptr : find(name, DType::kFloat64));
}

}  // namespace symk::cpu
