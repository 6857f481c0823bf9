// Weights that a Plan stores in less than the float32 they stand for: float16, or int8 with a scale
// for each column, which then is the step's last operand. Kernels read them as float32.
#pragma once

#include "cpu/form_step.h"

namespace symk::cpu {

/// Whether input `weights` of a step with a float32 result is stored in less.
bool has_stored_weights(const Binding& binding, int weights);

/// The weights as float32. Throws Error unless they, and a scale of (columns) or (rows, 1) for
/// int8, are what the step has.
Conversion widened_weights(const Binding& binding, const char* kernel, int weights);

/// Binds a kernel to float32 weights by bind(binding that tells of them).
std::unique_ptr<Step> bind_stored(Binding& binding, const char* kernel, int weights,
                                  const BindFunction& bind);

/// As that for matmul; a vector times stored weights reads them as they are.
std::unique_ptr<Step> bind_stored_matmul(Binding& binding, const BindFunction& bind);

}  // namespace symk::cpu
