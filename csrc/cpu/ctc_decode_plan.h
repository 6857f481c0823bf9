// The plans of ctc_greedy_decode and ctc_beam_search. For *_step.cpp files, and for the bindings of
// other devices.
#pragma once

#include "cpu/integers.h"
#include "cpu/require.h"
#include "runtime/memory.h"

namespace symk::cpu {

constexpr const char* kStepsNeed = "a number of steps must be from 0 to";

/// Logits (batch, steps, classes), of which the last class is the blank, and the steps of each row.
struct DecodePlan {
  int64_t batch = 0, steps = 0, classes = 0;
  DType logits_dtype = DType::kFloat32, steps_dtype = DType::kInt64;
  bool merge = false;  // whether labels that follow their equals are left out
};

/// What both kernels take; the results are labels, and a number for each line of them.
inline DecodePlan plan_decode(const Binding& binding, const char* kernel) {
  require_operands(binding, kernel, 2, 2);
  const Type& logits = binding.inputs()[0];
  const Type& steps = binding.inputs()[1];
  require(logits.rank == 3 && logits.shape[2] >= 1 && steps.rank == 1 &&
              steps.shape[0] == logits.shape[0],
          kernel, "logits must be (batch, steps, classes), with a number of steps for each row");
  require_dtype(binding.outputs()[0], DType::kInt64, kernel);
  require_dtype(binding.outputs()[1], logits.dtype, kernel);
  float_place(kernel, logits.dtype);
  if (!is_integer(steps.dtype)) throw no_dtype(kernel, steps.dtype);
  return {logits.shape[0], logits.shape[1], logits.shape[2], logits.dtype, steps.dtype,
          binding.integer("merge_repeated") != 0};
}

inline DecodePlan plan_greedy_decode(const Binding& binding) {
  constexpr const char* name = "ctc_greedy_decode";
  const DecodePlan plan = plan_decode(binding, name);
  const Type& labels = binding.outputs()[0];
  require(labels.rank == 2 && labels.shape[0] == plan.batch && labels.shape[1] == plan.steps &&
              binding.outputs()[1].count() == plan.batch,
          name, "the results must be (batch, steps) and (batch)");
  return plan;
}

/// Beginnings of the labels are nodes of a tree: the root, and at most `width` more for each step.
struct BeamPlan : DecodePlan {
  int64_t width = 0, paths = 0, nodes = 0;
};

inline BeamPlan plan_beam_search(const Binding& binding) {
  constexpr const char* name = "ctc_beam_search";
  BeamPlan plan;
  static_cast<DecodePlan&>(plan) = plan_decode(binding, name);
  plan.width = binding.integer("beam_width");
  plan.paths = binding.integer("top_paths");
  require(plan.paths >= 1 && plan.width >= plan.paths && plan.width <= INT32_MAX, name,
          "top_paths must be from 1 to beam_width");
  const Type& labels = binding.outputs()[0];
  const Type& found = binding.outputs()[1];
  require(labels.rank == 3 && labels.shape[0] == plan.batch && labels.shape[1] == plan.paths &&
              labels.shape[2] == plan.steps && found.rank == 2 && found.shape[0] == plan.batch &&
              found.shape[1] == plan.paths,
          name, "the results must be (batch, top_paths, steps), (batch, top_paths)");
  plan.nodes = checked_add(checked_multiply(plan.width, plan.steps), 1);
  require(plan.nodes <= INT32_MAX, name, "beam_width times the steps must fit into 31 bits");
  return plan;
}

}  // namespace symk::cpu
