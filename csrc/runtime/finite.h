// Looks for NaN and infinities in the results of a step, and says where the first one came from.
// symk/compile/finite.py says the same for reference mode.
#pragma once

#include <vector>

#include "runtime/plan.h"

namespace symk {

/// Throws Error(kNotFinite) unless all results of a step are finite. `types` are those of the
/// Plan's buffers, `in` and `out` the addresses of the step's operands, which it may not have
/// overwritten.
void require_finite(const Plan& plan, const PlanStep& step, const std::vector<Type>& types,
                    const void* const* in, void* const* out);

}  // namespace symk
