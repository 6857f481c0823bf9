// Binds max_pool2d, average_pool2d, their gradients and max_pool2d_pick. Work is split by image and
// by rows of the result.
#include "cpu/pool.h"

#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

/// What hangs over the near border by TensorFlow's rule for "same".
int64_t leading_pad(int64_t size, int64_t results, int64_t window, int64_t stride) {
  return std::max<int64_t>(0, (results - 1) * stride + window - size) / 2;
}

/// The number of windows along one axis by TensorFlow's rules.
int64_t window_count(int64_t size, int64_t window, int64_t stride, bool same) {
  if (same) return ceil_div(size, stride);
  return size < window ? 0 : (size - window) / stride + 1;
}

PoolPlan plan_pool(const Binding& binding, const char* kernel, const Type& x, const Type& y) {
  const std::vector<int64_t> window = binding.integers("window");
  const std::vector<int64_t> strides = binding.integers("strides");
  const std::string padding = binding.text("padding");
  const bool same = padding == "same";
  require(same || padding == "valid", kernel, "padding must be \"same\" or \"valid\"");
  require(x.rank == 4 && y.rank == 4 && window.size() == 2 && strides.size() == 2, kernel,
          "images must have 4 axes, window and strides 2");
  require_dtype(y, x.dtype, kernel);
  require(x.shape[0] == y.shape[0] && x.shape[3] == y.shape[3], kernel,
          "images and channels must be as many in the result");
  for (int i = 0; i < 2; ++i) {
    // So large a window has no use, and sums of sizes cannot overflow below it.
    constexpr int64_t limit = int64_t{1} << 31;
    require(window[i] > 0 && window[i] < limit && strides[i] > 0 && strides[i] < limit, kernel,
            "window and strides must be between 1 and 2^31");
    require(y.shape[i + 1] == window_count(x.shape[i + 1], window[i], strides[i], same), kernel,
            "the result must have one element per window");
  }
  PoolPlan plan;
  plan.batch = x.shape[0];
  plan.height = x.shape[1];
  plan.width = x.shape[2];
  plan.channels = x.shape[3];
  plan.out_height = y.shape[1];
  plan.out_width = y.shape[2];
  plan.window_height = window[0];
  plan.window_width = window[1];
  plan.stride_height = strides[0];
  plan.stride_width = strides[1];
  if (same) {
    plan.pad_top = leading_pad(plan.height, plan.out_height, window[0], strides[0]);
    plan.pad_left = leading_pad(plan.width, plan.out_width, window[1], strides[1]);
  }
  return plan;
}

/// A pool's rows in parts: each part is some rows of the result of one image.
struct Parts {
  int64_t rows_per_part = 1, parts_per_image = 1, parts = 0;

  Parts(const PoolPlan& plan, int64_t item) {
    const int64_t row_bytes = plan.stride_height * plan.width * plan.channels * item;
    // An image without results still has a gradient, which is zero: one part.
    rows_per_part = std::min(units_per_part(row_bytes), std::max<int64_t>(1, plan.out_height));
    parts_per_image = std::max<int64_t>(1, ceil_div(plan.out_height, rows_per_part));
    parts = plan.batch * parts_per_image;
  }

  /// Calls f(image, first_row, last_row) for all parts.
  template <class F>
  void run(const PoolPlan& plan, int64_t item, ThreadPool& pool, F&& f) const {
    const int64_t part_bytes =
        rows_per_part * plan.stride_height * plan.width * plan.channels * item;
    run_parts(pool, parts, units_per_part(part_bytes), [&](int64_t part, int64_t end) {
      for (; part < end; ++part) {
        const int64_t first = part % parts_per_image * rows_per_part;
        f(part / parts_per_image, first, std::min(plan.out_height, first + rows_per_part));
      }
    });
  }
};

template <class Kernel, class Call>
std::unique_ptr<Step> pool_step(const PoolPlan& plan, int64_t item, Kernel kernel, Call call) {
  const Parts parts(plan, item);
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    parts.run(plan, item, pool, [&](int64_t image, int64_t first, int64_t last) {
      call(kernel, plan, operands, image, first, last);
    });
  });
}

std::unique_ptr<Step> bind_forward(Binding& binding, const char* name,
                                   const PoolKernels::Forward (&kernel)[2]) {
  require_operands(binding, name, 1, 1);
  const Type& x = binding.inputs()[0];
  return pool_step(
      plan_pool(binding, name, x, binding.outputs()[0]), item_bytes(x.dtype),
      kernel[float_place(name, x.dtype)],
      [](auto run, const PoolPlan& plan, const Operands& operands, int64_t image, int64_t first,
         int64_t last) { run(plan, operands.in[0], image, first, last, operands.out[0]); });
}

std::unique_ptr<Step> bind_max(Binding& binding) {
  return bind_forward(binding, "max_pool2d", kernels<PoolKernels>().max);
}

std::unique_ptr<Step> bind_average(Binding& binding) {
  return bind_forward(binding, "average_pool2d", kernels<PoolKernels>().average);
}

/// max_pool2d_grad and max_pool2d_pick take x, y and a third; of the third and the result, one is
/// like x and one like y.
std::unique_ptr<Step> bind_at_maximum(Binding& binding, const char* name, const Type& like_x,
                                      const Type& like_y, const PoolKernels::MaxGrad (&kernel)[2]) {
  const Type& x = binding.inputs()[0];
  const Type& y = binding.inputs()[1];
  require_dtype(like_x, x.dtype, name);
  require_dtype(like_y, x.dtype, name);
  require(same_shape(like_x, x) && same_shape(like_y, y), name,
          "gradients must have the shapes of what they belong to");
  return pool_step(plan_pool(binding, name, x, y), item_bytes(x.dtype),
                   kernel[float_place(name, x.dtype)],
                   [](auto run, const PoolPlan& plan, const Operands& operands, int64_t image,
                      int64_t first, int64_t last) {
                     run(plan, operands.in[0], operands.in[1], operands.in[2], image, first, last,
                         operands.out[0]);
                   });
}

std::unique_ptr<Step> bind_max_grad(Binding& binding) {
  require_operands(binding, "max_pool2d_grad", 3, 1);
  return bind_at_maximum(binding, "max_pool2d_grad", binding.outputs()[0], binding.inputs()[2],
                         kernels<PoolKernels>().max_grad);
}

std::unique_ptr<Step> bind_max_pick(Binding& binding) {
  require_operands(binding, "max_pool2d_pick", 3, 1);
  return bind_at_maximum(binding, "max_pool2d_pick", binding.inputs()[2], binding.outputs()[0],
                         kernels<PoolKernels>().max_pick);
}

std::unique_ptr<Step> bind_average_grad(Binding& binding) {
  require_operands(binding, "average_pool2d_grad", 1, 1);
  const Type& g = binding.inputs()[0];
  const auto& kernel = kernels<PoolKernels>().average_grad;
  return pool_step(
      plan_pool(binding, "average_pool2d_grad", binding.outputs()[0], g), item_bytes(g.dtype),
      kernel[float_place("average_pool2d_grad", g.dtype)],
      [](auto run, const PoolPlan& plan, const Operands& operands, int64_t image, int64_t first,
         int64_t last) { run(plan, operands.in[0], image, first, last, operands.out[0]); });
}

const KernelEntry entries[] = {
    {"max_pool2d", bind_max},
    {"max_pool2d_grad", bind_max_grad},
    {"max_pool2d_pick", bind_max_pick},
    {"average_pool2d", bind_average},
    {"average_pool2d_grad", bind_average_grad},
};

}  // namespace
}  // namespace symk::cpu
