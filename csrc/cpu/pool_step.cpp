// Binds max_pool, average_pool, their gradients and max_pool_pick. Work is split by volume
// and by planes of the result.
#include "cpu/pool.h"

#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/pool_plan.h"

namespace symk::cpu {
namespace {

/// A pool's planes in parts: each part is some planes of the result of one volume.
struct Parts {
  int64_t planes_per_part = 1, parts_per_volume = 1, parts = 0;

  Parts(const PoolPlan& plan, int64_t item) {
    // A volume without results still has a gradient, which is zero: one part.
    planes_per_part = std::min(units_per_part(plane_bytes(plan, item)),
                               std::max<int64_t>(1, plan.planes.results));
    parts_per_volume = std::max<int64_t>(1, ceil_div(plan.planes.results, planes_per_part));
    parts = plan.batch * parts_per_volume;
  }

  static int64_t plane_bytes(const PoolPlan& plan, int64_t item) {
    return std::min(plan.planes.stride, plan.planes.size) * plan.plane() * item;
  }

  /// Calls f(volume, first plane, last plane) for all parts.
  template <class F>
  void run(const PoolPlan& plan, int64_t item, ThreadPool& pool, F&& f) const {
    const int64_t part_bytes = planes_per_part * plane_bytes(plan, item);
    run_parts(pool, parts, units_per_part(part_bytes), [&](int64_t part, int64_t end) {
      for (; part < end; ++part) {
        const int64_t first = part % parts_per_volume * planes_per_part;
        f(part / parts_per_volume, first, std::min(plan.planes.results, first + planes_per_part));
      }
    });
  }
};

template <class Kernel, class Call>
std::unique_ptr<Step> pool_step(const PoolPlan& plan, int64_t item, Kernel kernel, Call call) {
  const Parts parts(plan, item);
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    parts.run(plan, item, pool, [&](int64_t volume, int64_t first, int64_t last) {
      call(kernel, plan, operands, volume, first, last);
    });
  });
}

/// The kernel of a table for a float dtype.
template <class Kernel>
Kernel kernel_for(Kernel (PoolKernels::*table)[2], const char* name, DType dtype) {
  return (float_kernels<PoolKernels>(dtype).*table)[float_place(name, dtype)];
}

std::unique_ptr<Step> bind_forward(Binding& binding, const char* name,
                                   PoolKernels::Forward (PoolKernels::*table)[2]) {
  require_operands(binding, name, 1, 1);
  const Type& x = binding.inputs()[0];
  return pool_step(
      plan_pool(binding, name, x, binding.outputs()[0]), item_bytes(x.dtype),
      kernel_for(table, name, x.dtype),
      [](auto run, const PoolPlan& plan, const Operands& operands, int64_t volume, int64_t first,
         int64_t last) { run(plan, operands.in[0], volume, first, last, operands.out[0]); });
}

std::unique_ptr<Step> bind_max(Binding& binding) {
  return bind_forward(binding, "max_pool", &PoolKernels::max);
}

std::unique_ptr<Step> bind_average(Binding& binding) {
  return bind_forward(binding, "average_pool", &PoolKernels::average);
}

/// max_pool_grad and max_pool_pick take x, y and a third; of the third and the result, one is
/// like x and one like y.
std::unique_ptr<Step> bind_at_maximum(Binding& binding, const char* name, const Type& like_x,
                                      const Type& like_y,
                                      PoolKernels::MaxGrad (PoolKernels::*table)[2]) {
  const Type& x = binding.inputs()[0];
  const Type& y = binding.inputs()[1];
  require_dtype(like_x, x.dtype, name);
  require_dtype(like_y, x.dtype, name);
  require(same_shape(like_x, x) && same_shape(like_y, y), name,
          "gradients must have the shapes of what they belong to");
  return pool_step(plan_pool(binding, name, x, y), item_bytes(x.dtype),
                   kernel_for(table, name, x.dtype),
                   [](auto run, const PoolPlan& plan, const Operands& operands, int64_t volume,
                      int64_t first, int64_t last) {
                     run(plan, operands.in[0], operands.in[1], operands.in[2], volume, first, last,
                         operands.out[0]);
                   });
}

std::unique_ptr<Step> bind_max_grad(Binding& binding) {
  require_operands(binding, "max_pool_grad", 3, 1);
  return bind_at_maximum(binding, "max_pool_grad", binding.outputs()[0], binding.inputs()[2],
                         &PoolKernels::max_grad);
}

std::unique_ptr<Step> bind_max_pick(Binding& binding) {
  require_operands(binding, "max_pool_pick", 3, 1);
  return bind_at_maximum(binding, "max_pool_pick", binding.inputs()[2], binding.outputs()[0],
                         &PoolKernels::max_pick);
}

std::unique_ptr<Step> bind_average_grad(Binding& binding) {
  require_operands(binding, "average_pool_grad", 1, 1);
  const Type& g = binding.inputs()[0];
  return pool_step(
      plan_pool(binding, "average_pool_grad", binding.outputs()[0], g), item_bytes(g.dtype),
      kernel_for(&PoolKernels::average_grad, "average_pool_grad", g.dtype),
      [](auto run, const PoolPlan& plan, const Operands& operands, int64_t volume, int64_t first,
         int64_t last) { run(plan, operands.in[0], volume, first, last, operands.out[0]); });
}

const KernelEntry entries[] = {
    {"max_pool", bind_max},
    {"max_pool_grad", bind_max_grad},
    {"max_pool_pick", bind_max_pick},
    {"average_pool", bind_average},
    {"average_pool_grad", bind_average_grad},
};

}  // namespace
}  // namespace symk::cpu
