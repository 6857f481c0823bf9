// A step whose kernel wants some operands in another form than the Plan has them: pairs of bfloat16
// for float32, float32 for weights that are stored in less. The operands are converted, then the
// kernel's own step runs as if the Plan had them so. Those that keep their value are converted once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/kernel.h"

namespace symk::cpu {

/// An operand in another form.
struct Conversion {
  int input;
  Type type;         // in which the kernel sees it
  int64_t bytes;     // of the form
  std::string form;  // its name, as in Binding::packed
  std::function<void(const void* from, void* to, ThreadPool& pool)> convert;
};

/// Binds the inner step by bind(binding that tells the converted types).
std::unique_ptr<Step> bind_converted(Binding& binding, std::vector<Conversion> conversions,
                                     const BindFunction& bind);

}  // namespace symk::cpu
