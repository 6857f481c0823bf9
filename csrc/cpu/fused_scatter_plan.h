// What the operands of `fused_scatter` must be, for its bindings on every device.
#pragma once

#include <vector>

#include "cpu/index_plan.h"

namespace symk::cpu {

/// Inputs are the operands of a program, one of them rows that are added into zeros, and indices.
struct FusedScatterPlan {
  static constexpr const char* name = "fused_scatter";

  size_t indices, place;       // the inputs that are the indices and the rows
  Type made;                   // of the sum
  std::vector<Type> operands;  // of the program: the sum is in the place of the rows
  IndexPlan rows;

  explicit FusedScatterPlan(const Binding& binding) {
    const size_t inputs = binding.inputs().size();
    require(inputs >= 2 && !binding.outputs().empty(), name,
            "there must be rows, indices and a result");
    const int64_t given = binding.integer("place");
    require(given >= 0 && given < static_cast<int64_t>(inputs) - 1, name,
            "`place` must be that of an operand");
    place = static_cast<size_t>(given);
    indices = inputs - 1;
    made = binding.outputs()[0];
    made.dtype = binding.inputs()[place].dtype;
    rows = plan_rows(binding, name, made, binding.inputs()[indices], binding.inputs()[place]);
    operands = binding.inputs();
    operands.pop_back();
    operands[place] = made;
  }
};

}  // namespace symk::cpu
