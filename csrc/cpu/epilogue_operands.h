// Which operands of a product are those of its epilogue. For *_step.cpp files.
#pragma once

#include "cpu/epilogue.h"
#include "cpu/epilogue_plan.h"

namespace symk::cpu {

/// What `plan_epilogue` finds, for elements of type T.
template <class T>
class EpilogueOperands {
 public:
  EpilogueOperands() = default;  // nothing is done
  /// Throws Error unless the operands fit the result.
  EpilogueOperands(const Binding& binding, const char* kernel)
      : plan_(plan_epilogue(binding, kernel)),
        activation_(find_activation<T>(plan_.activation.c_str())) {}

  /// The epilogue of the whole result in one run.
  Epilogue<T> of(const Operands& operands) const {
    Epilogue<T> epilogue;
    epilogue.scale = operand(operands, EpiloguePlan::kScale);
    epilogue.bias = operand(operands, EpiloguePlan::kBias);
    epilogue.addend = operand(operands, EpiloguePlan::kAddend);
    epilogue.activation = activation_;
    epilogue.is_relu = plan_.is_relu();
    epilogue.limit = static_cast<T>(plan_.limit);
    epilogue.factor = operand(operands, EpiloguePlan::kFactor);
    return epilogue;
  }

 private:
  const T* operand(const Operands& operands, EpiloguePlan::Part part) const {
    const size_t place = plan_.places[part];
    return place == 0 ? nullptr : static_cast<const T*>(operands.in[place]);
  }

  EpiloguePlan plan_;
  Activation<T> activation_;
};

}  // namespace symk::cpu
