// Which operands of a product are those of its epilogue. For *_step.cpp files, and for the bindings
// of other devices.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "cpu/require.h"

namespace symk::cpu {

/// What the attributes `epilogue`, which names the operands from the third on, `activation` and
/// `limit` say: min(activation(product * scale + bias + addend), limit) * factor.
struct EpiloguePlan {
  enum Part { kScale, kBias, kAddend, kFactor, kParts };
  size_t places[kParts] = {};  // of the operands; 0: there is none
  std::string activation;      // empty: none
  double limit = INFINITY;     // of relu; not negative

  bool is_relu() const { return activation == "relu"; }
};

inline EpiloguePlan::Part epilogue_part(const std::string& name, const char* kernel) {
  const char* const names[EpiloguePlan::kParts] = {"scale", "bias", "addend", "factor"};
  int part = 0;
  while (part < EpiloguePlan::kParts && name != names[part]) ++part;
  require(part < EpiloguePlan::kParts, kernel, "an epilogue has scale, bias, addend and factor");
  return static_cast<EpiloguePlan::Part>(part);
}

inline void check_epilogue_operand(const Type& type, const Type& result, bool per_column,
                                   const char* kernel) {
  require_dtype(type, result.dtype, kernel);
  if (per_column) {
    require(result.rank > 0 && type.rank == 1 && type.shape[0] == result.shape[result.rank - 1],
            kernel, "scale and bias must have one element per column");
  } else {
    require(same_shape(type, result), kernel, "addend and factor must have the result's shape");
  }
}

/// Throws Error unless the operands fit the result.
inline EpiloguePlan plan_epilogue(const Binding& binding, const char* kernel) {
  EpiloguePlan plan;
  plan.activation = binding.text("activation", "");
  if (binding.has("limit")) {
    plan.limit = binding.real("limit");
    require(plan.is_relu() && plan.limit >= 0, kernel,
            "`limit` must be that of relu, and not negative");
  }
  std::vector<std::string> names;
  if (binding.has("epilogue")) names = binding.texts("epilogue");
  require(binding.inputs().size() == 2 + names.size(), kernel,
          "`epilogue` must name all operands from the third on");
  for (size_t i = 0; i < names.size(); ++i) {
    const EpiloguePlan::Part part = epilogue_part(names[i], kernel);
    require(plan.places[part] == 0, kernel, "an operand of the epilogue may be named once");
    plan.places[part] = 2 + i;
    check_epilogue_operand(binding.inputs()[2 + i], binding.outputs()[0],
                           part <= EpiloguePlan::kBias, kernel);
  }
  return plan;
}

}  // namespace symk::cpu
