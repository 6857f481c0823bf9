// Binds copy, broadcast_to, transpose, concat, slice, slice_grad, pad, arange and size. All but the
// last two become strided walks over collapsed axes.
#include <cstring>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/element_bits.h"
#include "cpu/lambda_step.h"
#include "cpu/shape.h"
#include "cpu/walk.h"

namespace symk::cpu {
namespace {

/// Two, four or eight bytes that move together become one item.
void widen_item(CopyPlan& plan, std::vector<Axis>& axes) {
  if (axes.empty() || axes.back().from != 1 || axes.back().to != 1) return;
  const int64_t factor = axes.back().size;
  if (factor * plan.item > 8 || (factor & (factor - 1)) != 0) return;
  if (plan.from_base % factor != 0 || plan.to_base % factor != 0) return;
  for (size_t i = 0; i + 1 < axes.size(); ++i) {
    if (axes[i].from % factor != 0 || axes[i].to % factor != 0) return;
  }
  axes.pop_back();
  for (Axis& axis : axes) axis = {axis.size, axis.from / factor, axis.to / factor};
  plan.from_base /= factor;
  plan.to_base /= factor;
  plan.item *= static_cast<int>(factor);
}

// Side of a transposed tile: its runs are long enough for the prefetcher, and what one strip of
// blocks touches fits L1.
constexpr int64_t kTile = 128;
constexpr int64_t kLeastPlaneSide = 4;  // narrower planes are walked as strided runs

/// The position of the axis that, with the last one, makes a plane to transpose; or -1.
int plane_axis(const std::vector<Axis>& axes) {
  if (axes.size() < 2 || axes.back().to != 1 || axes.back().from == 1 || axes.back().from == 0) {
    return -1;
  }
  for (size_t i = 0; i + 1 < axes.size(); ++i) {
    if (axes[i].from == 1 && axes[i].size >= kLeastPlaneSide) return static_cast<int>(i);
  }
  return -1;
}

/// Chooses the inner loop and the units of work for a walk over `axes`.
CopyPlan plan_copy(std::vector<Axis> axes, int64_t item, int64_t from_base = 0,
                   int64_t to_base = 0) {
  CopyPlan plan;
  plan.item = static_cast<int>(item);
  plan.from_base = from_base;
  plan.to_base = to_base;
  for (const Axis& axis : axes) {
    if (axis.size == 0) return plan;
  }
  axes = collapse(axes);
  widen_item(plan, axes);

  const int plane = plane_axis(axes);
  if (plane >= 0) {
    plan.kind = CopyPlan::kTranspose;
    plan.width = axes[plane].size;
    plan.width_to = axes[plane].to;
    axes.erase(axes.begin() + plane);
  }
  if (!axes.empty()) {
    plan.length = axes.back().size;
    plan.length_from = axes.back().from;
    plan.length_to = axes.back().to;
    axes.pop_back();
    if (plane < 0 && plan.length_to == 1) {
      plan.kind = plan.length_from == 1   ? CopyPlan::kRun
                  : plan.length_from == 0 ? CopyPlan::kFill
                                          : CopyPlan::kStrided;
    } else if (plane < 0) {
      plan.kind = CopyPlan::kStrided;
    }
  }
  plan.chunk = plane >= 0 ? kTile : std::min(plan.length, kPartBytes / plan.item);
  plan.units = ceil_div(plan.length, plan.chunk) * (plane >= 0 ? ceil_div(plan.width, kTile) : 1);
  for (const Axis& axis : axes) {
    plan.outer_size[plan.outer_rank] = axis.size;
    plan.outer_from[plan.outer_rank] = axis.from;
    plan.outer_to[plan.outer_rank] = axis.to;
    ++plan.outer_rank;
    plan.units *= axis.size;
  }
  const int64_t side = std::min(plan.width, kTile);
  plan.units_per_part = units_per_part(std::min(plan.chunk, plan.length) * side * plan.item);
  return plan;
}

void run_copy(const CopyPlan& plan, const void* x, void* y, ThreadPool& pool) {
  const auto& table = kernels<ShapeKernels>();
  run_parts(pool, plan.units, plan.units_per_part,
            [&](int64_t first, int64_t last) { table.copy(plan, x, y, first, last); });
}

std::unique_ptr<Step> copy_step(const CopyPlan& plan) {
  return make_step([plan](const Operands& operands, ThreadPool& pool) {
    if (operands.in[0] == operands.out[0]) return;  // in place: the plan moves nothing then
    run_copy(plan, operands.in[0], operands.out[0], pool);
  });
}

std::unique_ptr<Step> bind_copy(Binding& binding) {
  const std::vector<Axis> axes = copy_axes(binding);
  return copy_step(plan_copy(axes, item_bytes(binding.outputs()[0].dtype)));
}

std::unique_ptr<Step> bind_broadcast_to(Binding& binding) {
  const std::vector<Axis> axes = broadcast_axes(binding);
  return copy_step(plan_copy(axes, item_bytes(binding.outputs()[0].dtype)));
}

std::unique_ptr<Step> bind_transpose(Binding& binding) {
  const std::vector<Axis> axes = transpose_axes(binding);
  return copy_step(plan_copy(axes, item_bytes(binding.outputs()[0].dtype)));
}

std::unique_ptr<Step> bind_concat(Binding& binding) {
  std::vector<CopyPlan> plans;
  for (const PartialWalk& walk : concat_walks(binding)) {
    plans.push_back(
        plan_copy(walk.axes, item_bytes(binding.outputs()[0].dtype), 0, walk.to_base));
  }
  return make_step([plans](const Operands& operands, ThreadPool& pool) {
    for (size_t i = 0; i < plans.size(); ++i) {
      run_copy(plans[i], operands.in[i], operands.out[0], pool);
    }
  });
}

std::unique_ptr<Step> bind_slice(Binding& binding) {
  require_operands(binding, "slice", 1, 1);
  const Type& x = binding.inputs()[0];
  const PartialWalk walk = select_elements(binding, "slice", x, binding.outputs()[0]);
  return copy_step(plan_copy(walk.axes, item_bytes(x.dtype), walk.from_base));
}

/// Joins axes that are padded only at the outer one of two neighbours.
PadPlan plan_pad(const Type& x, const std::vector<int64_t>& before,
                 const std::vector<int64_t>& after, uint64_t fill) {
  PadPlan plan;
  plan.item = static_cast<int>(item_bytes(x.dtype));
  plan.fill = fill;
  plan.rank = 1;
  plan.size[0] = 1;
  for (int axis = 0; axis < x.rank; ++axis) {
    const int last = plan.rank - 1;
    if (before[axis] == 0 && after[axis] == 0) {
      plan.size[last] *= x.shape[axis];
      plan.before[last] *= x.shape[axis];
      plan.after[last] *= x.shape[axis];
      continue;
    }
    const bool fresh = plan.size[last] == 1 && plan.before[last] == 0 && plan.after[last] == 0;
    const int place = fresh ? last : plan.rank++;
    plan.size[place] = x.shape[axis];
    plan.before[place] = before[axis];
    plan.after[place] = after[axis];
  }
  plan.rows = 1;
  for (int axis = 0; axis + 1 < plan.rank; ++axis) {
    plan.rows *= plan.before[axis] + plan.size[axis] + plan.after[axis];
  }
  const int last = plan.rank - 1;
  const int64_t length = plan.before[last] + plan.size[last] + plan.after[last];
  if (length == 0) plan.rows = 0;
  plan.rows_per_part = units_per_part(length * plan.item);
  return plan;
}

std::unique_ptr<Step> pad_step(const PadPlan& plan) {
  return make_step([plan](const Operands& operands, ThreadPool& pool) {
    const auto& table = kernels<ShapeKernels>();
    run_parts(pool, plan.rows, plan.rows_per_part, [&](int64_t first, int64_t last) {
      table.pad(plan, operands.in[0], operands.out[0], first, last);
    });
  });
}

std::unique_ptr<Step> bind_pad(Binding& binding) {
  const std::vector<int64_t> before = padding_before(binding);
  const Type& x = binding.inputs()[0];
  return pad_step(plan_pad(x, before, binding.integers("after"),
                           element_bits(binding.real("value"), x.dtype)));
}

std::unique_ptr<Step> bind_slice_grad(Binding& binding) {
  require_operands(binding, "slice_grad", 1, 1);
  const Type& g = binding.inputs()[0];
  const Type& x = binding.outputs()[0];
  const PartialWalk walk = select_elements(binding, "slice_grad", x, g);
  const std::vector<int64_t> begin = binding.integers("begin"), step = binding.integers("step");
  bool dense = true;
  for (int axis = 0; axis < x.rank; ++axis)
    dense = dense && (step[axis] == 1 || g.shape[axis] == 1);
  if (dense && g.count() > 0) {
    std::vector<int64_t> after(x.rank);
    for (int axis = 0; axis < x.rank; ++axis) {
      after[axis] = x.shape[axis] - begin[axis] - g.shape[axis];
    }
    return pad_step(plan_pad(g, begin, after, 0));
  }
  const CopyPlan plan = plan_copy(reversed(walk).axes, item_bytes(x.dtype), 0, walk.from_base);
  const int64_t bytes = x.bytes();
  return make_step([plan, bytes](const Operands& operands, ThreadPool& pool) {
    char* y = static_cast<char*>(operands.out[0]);
    run_parts(pool, bytes, kPartBytes, [&](int64_t first, int64_t last) {
      std::memset(y + first, 0, static_cast<size_t>(last - first));
    });
    run_copy(plan, operands.in[0], y, pool);
  });
}

/// start + i * step for each element, computed in T: exactly where T is an integer, so there each
/// is made of the one four before it.
template <class T, class Element>
std::unique_ptr<Step> arange_step(int64_t count, T start, T step) {
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    Element* y = static_cast<Element*>(operands.out[0]);
    const auto value = [=](int64_t i) { return start + static_cast<T>(i) * step; };
    run_parts(pool, count, units_per_part(sizeof(Element)), [&](int64_t first, int64_t last) {
      int64_t i = first;
      if constexpr (std::is_integral_v<T>) {
        T next[4] = {value(i), value(i + 1), value(i + 2), value(i + 3)};
        for (; i + 4 <= last; i += 4) {
#pragma GCC unroll 4
          for (int k = 0; k < 4; ++k) {
            y[i + k] = static_cast<Element>(next[k]);
            next[k] += 4 * step;
          }
        }
      }
      for (; i < last; ++i) y[i] = static_cast<Element>(value(i));
    });
  });
}

std::unique_ptr<Step> bind_arange(Binding& binding) {
  require_operands(binding, "arange", 0, 1);
  const Type& y = binding.outputs()[0];
  const double start = binding.real("start"), step = binding.real("step");
  const int64_t count = y.count();
  switch (y.dtype) {
    case DType::kFloat32: return arange_step<double, float>(count, start, step);
    case DType::kFloat64: return arange_step<double, double>(count, start, step);
    case DType::kFloat16:
    case DType::kBool: throw no_dtype("arange", y.dtype);
    default: break;
  }
  // Integers wrap, which unsigned numbers do without undefined behaviour.
  const uint64_t first = bits_of(saturated(start)), stride = bits_of(saturated(step));
  switch (item_bytes(y.dtype)) {
    case 1: return arange_step<uint64_t, int8_t>(count, first, stride);
    case 2: return arange_step<uint64_t, int16_t>(count, first, stride);
    case 4: return arange_step<uint64_t, int32_t>(count, first, stride);
    default: return arange_step<uint64_t, int64_t>(count, first, stride);
  }
}

std::unique_ptr<Step> bind_size(Binding& binding) {
  const uint64_t bits = size_bits(binding);
  const size_t bytes = static_cast<size_t>(binding.outputs()[0].bytes());
  return make_step(
      [=](const Operands& operands, ThreadPool&) { std::memcpy(operands.out[0], &bits, bytes); });
}

const KernelEntry entries[] = {
    {"copy", bind_copy},
    {"broadcast_to", bind_broadcast_to},
    {"transpose", bind_transpose},
    {"concat", bind_concat},
    {"slice", bind_slice},
    {"slice_grad", bind_slice_grad},
    {"pad", bind_pad},
    {"arange", bind_arange},
    {"size", bind_size},
};

}  // namespace
}  // namespace symk::cpu
