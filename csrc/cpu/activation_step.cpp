// Finds activations by name.
#include <string>

#include "cpu/activation.h"
#include "cpu/dispatch.h"
#include "runtime/error.h"

namespace symk::cpu {
namespace {

const NamedActivation& find(const std::string& name) {
  const auto& table = kernels<ActivationKernels>();
  for (int i = 0; i < table.count; ++i) {
    if (name == table.all[i].name) return table.all[i];
  }
  throw Error(ErrorCode::kArgument,
              "[activation] a unary elementwise op is required; \"" + name + "\" is none.");
}

}  // namespace

template <>
Activation<float> find_activation<float>(const char* name) {
  return *name == '\0' ? nullptr : find(name).float32;
}
template <>
Activation<double> find_activation<double>(const char* name) {
  return *name == '\0' ? nullptr : find(name).float64;
}

}  // namespace symk::cpu
