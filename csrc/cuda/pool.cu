// Pooling over windows of one to three axes, channels last, and the gradients. A thread makes one
// result: gradients are gathered from the windows that see an element, in the order of the windows,
// so nothing is added by two threads.
#include "cpu/pool_plan.h"
#include "cuda/device.h"
#include "cuda/fold.h"

namespace symk::cuda {
namespace {

using cpu::PoolAxis;
using cpu::PoolPlan;

/// A stretch of positions along one axis.
struct Stretch {
  int64_t first, last;
  SYMK_HD int64_t count() const { return last - first; }
};

/// The positions that window o covers.
SYMK_HD Stretch window_of(const PoolAxis& axis, int64_t o) {
  const int64_t first = o * axis.stride - axis.before, last = first + axis.window;
  return {first < 0 ? 0 : first, last < axis.size ? last : axis.size};
}
/// The windows that cover position i.
SYMK_HD Stretch windows_over(const PoolAxis& axis, int64_t i) {
  const int64_t from = i + axis.before - axis.window + 1;
  const int64_t first = from <= 0 ? 0 : (from + axis.stride - 1) / axis.stride;
  const int64_t last = (i + axis.before) / axis.stride + 1;
  return {first, last < axis.results ? last : axis.results};
}

/// A position of an array of volumes, channels last.
struct Spot {
  int64_t image, plane, row, column, channel;
};
SYMK_HD Spot spot_of(int64_t i, int64_t planes, int64_t rows, int64_t columns, int64_t channels) {
  Spot spot;
  spot.channel = i % channels;
  i /= channels;
  spot.column = i % columns;
  i /= columns;
  spot.row = i % rows;
  i /= rows;
  spot.plane = i % planes;
  spot.image = i / planes;
  return spot;
}
SYMK_HD Spot x_spot(const PoolPlan& plan, int64_t i) {
  return spot_of(i, plan.planes.size, plan.rows.size, plan.columns.size, plan.channels);
}
SYMK_HD Spot y_spot(const PoolPlan& plan, int64_t i) {
  return spot_of(i, plan.planes.results, plan.rows.results, plan.columns.results, plan.channels);
}
SYMK_HD int64_t x_place(const PoolPlan& p, const Spot& s, int64_t plane, int64_t row,
                        int64_t column) {
  return (((s.image * p.planes.size + plane) * p.rows.size + row) * p.columns.size + column) *
             p.channels +
         s.channel;
}
SYMK_HD int64_t y_place(const PoolPlan& p, const Spot& s, int64_t plane, int64_t row,
                        int64_t column) {
  return (((s.image * p.planes.results + plane) * p.rows.results + row) * p.columns.results +
          column) *
             p.channels +
         s.channel;
}

/// Calls f(place in x) for the window of a result until f returns false.
template <class F>
SYMK_HD void walk_window(const PoolPlan& plan, const Spot& y, F f) {
  const Stretch planes = window_of(plan.planes, y.plane), rows = window_of(plan.rows, y.row),
                columns = window_of(plan.columns, y.column);
  for (int64_t a = planes.first; a < planes.last; ++a) {
    for (int64_t b = rows.first; b < rows.last; ++b) {
      for (int64_t c = columns.first; c < columns.last; ++c) {
        if (!f(x_place(plan, y, a, b, c))) return;
      }
    }
  }
}

/// Calls f(the window's spot) for all windows that see an element of x.
template <class F>
SYMK_HD void walk_windows(const PoolPlan& plan, const Spot& x, F f) {
  const Stretch planes = windows_over(plan.planes, x.plane), rows = windows_over(plan.rows, x.row),
                columns = windows_over(plan.columns, x.column);
  for (int64_t a = planes.first; a < planes.last; ++a) {
    for (int64_t b = rows.first; b < rows.last; ++b) {
      for (int64_t c = columns.first; c < columns.last; ++c) f(Spot{x.image, a, b, c, x.channel});
    }
  }
}

SYMK_HD int64_t place_of(const PoolPlan& plan, const Spot& y) {
  return y_place(plan, y, y.plane, y.row, y.column);
}

/// The number of elements in a window, at least 1.
template <class T>
SYMK_HD T size_of_window(const PoolPlan& plan, const Spot& y) {
  const int64_t count = window_of(plan.planes, y.plane).count() *
                        window_of(plan.rows, y.row).count() *
                        window_of(plan.columns, y.column).count();
  return static_cast<T>(count > 0 ? count : 1);
}

/// The place of the first element that is the maximum, or -1 where the window has none.
template <class T>
SYMK_HD int64_t find_maximum(const PoolPlan& plan, const Spot& y, const T* x, T top) {
  int64_t found = -1;
  walk_window(plan, y, [&](int64_t place) {
    if (x[place] == top || x[place] != x[place]) found = place;
    return found < 0;
  });
  return found;
}

template <class T>
struct MaxPool {
  PoolPlan plan;
  const T* x;
  T* y;
  SYMK_HD void operator()(int64_t i) const {
    T top = least<T>();
    walk_window(plan, y_spot(plan, i), [&](int64_t place) {
      top = math::max_nan(top, x[place]);
      return true;
    });
    y[i] = top;
  }
};

template <class T>
struct AveragePool {
  PoolPlan plan;
  const T* x;
  T* y;
  SYMK_HD void operator()(int64_t i) const {
    const Spot spot = y_spot(plan, i);
    T total = 0;
    walk_window(plan, spot, [&](int64_t place) {
      total += x[place];
      return true;
    });
    y[i] = total / size_of_window<T>(plan, spot);
  }
};

template <class T>
struct MaxPoolGrad {
  PoolPlan plan;
  const T *x, *y, *g;
  T* dx;
  SYMK_HD void operator()(int64_t i) const {
    T total = 0;
    walk_windows(plan, x_spot(plan, i), [&](const Spot& spot) {
      const int64_t place = place_of(plan, spot);
      if (find_maximum(plan, spot, x, y[place]) == i) total += g[place];
    });
    dx[i] = total;
  }
};

template <class T>
struct MaxPoolPick {
  PoolPlan plan;
  const T *x, *y, *v;
  T* picked;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t place = find_maximum(plan, y_spot(plan, i), x, y[i]);
    picked[i] = place < 0 ? T(0) : v[place];
  }
};

template <class T>
struct AveragePoolGrad {
  PoolPlan plan;
  const T* g;
  T* dx;
  SYMK_HD void operator()(int64_t i) const {
    T total = 0;
    walk_windows(plan, x_spot(plan, i), [&](const Spot& spot) {
      total += g[place_of(plan, spot)] / size_of_window<T>(plan, spot);
    });
    dx[i] = total;
  }
};

/// f(a zero of the floating dtype of an operand).
template <class F>
std::unique_ptr<Step> by_float(const char* name, DType dtype, F f) {
  return cpu::float_place(name, dtype) == 0 ? f(float()) : f(double());
}

template <template <class> class Kernel>
std::unique_ptr<Step> bind_forward(Binding& binding, const char* name) {
  cpu::require_operands(binding, name, 1, 1);
  const Type& x = binding.inputs()[0];
  const PoolPlan plan = cpu::plan_pool(binding, name, x, binding.outputs()[0]);
  const int64_t count = binding.outputs()[0].count();
  return by_float(name, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    return make_step(binding, [=](const Queue& queue, const Operands& operands) {
      each(queue, count, Kernel<T>{plan, input<T>(operands, 0), output<T>(operands, 0)});
    });
  });
}

/// max_pool_grad and max_pool_pick take x, y and a third; of the third and the result, one is like
/// x and one like y.
template <template <class> class Kernel>
std::unique_ptr<Step> bind_at_maximum(Binding& binding, const char* name, bool result_like_x) {
  cpu::require_operands(binding, name, 3, 1);
  const Type& x = binding.inputs()[0];
  const Type& y = binding.inputs()[1];
  const Type& third = binding.inputs()[2];
  const Type& result = binding.outputs()[0];
  for (const Type* like_x : {result_like_x ? &result : &third}) {
    cpu::require_dtype(*like_x, x.dtype, name);
    cpu::require(cpu::same_shape(*like_x, x), name,
                 "gradients must have the shapes of what they belong to");
  }
  for (const Type* like_y : {result_like_x ? &third : &result}) {
    cpu::require_dtype(*like_y, x.dtype, name);
    cpu::require(cpu::same_shape(*like_y, y), name,
                 "gradients must have the shapes of what they belong to");
  }
  const PoolPlan plan = cpu::plan_pool(binding, name, x, y);
  const int64_t count = result.count();
  return by_float(name, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    return make_step(binding, [=](const Queue& queue, const Operands& operands) {
      each(queue, count,
           Kernel<T>{plan, input<T>(operands, 0), input<T>(operands, 1), input<T>(operands, 2),
                     output<T>(operands, 0)});
    });
  });
}

std::unique_ptr<Step> bind_average_grad(Binding& binding) {
  constexpr const char* name = "average_pool_grad";
  cpu::require_operands(binding, name, 1, 1);
  const Type& g = binding.inputs()[0];
  const PoolPlan plan = cpu::plan_pool(binding, name, binding.outputs()[0], g);
  const int64_t count = binding.outputs()[0].count();
  return by_float(name, g.dtype, [&](auto zero) {
    using T = decltype(zero);
    return make_step(binding, [=](const Queue& queue, const Operands& operands) {
      each(queue, count, AveragePoolGrad<T>{plan, input<T>(operands, 0), output<T>(operands, 0)});
    });
  });
}

const KernelEntry entries[] = {
    {"max_pool", [](Binding& b) { return bind_forward<MaxPool>(b, "max_pool"); }},
    {"average_pool", [](Binding& b) { return bind_forward<AveragePool>(b, "average_pool"); }},
    {"max_pool_grad",
     [](Binding& b) { return bind_at_maximum<MaxPoolGrad>(b, "max_pool_grad", true); }},
    {"max_pool_pick",
     [](Binding& b) { return bind_at_maximum<MaxPoolPick>(b, "max_pool_pick", false); }},
    {"average_pool_grad", bind_average_grad},
};

}  // namespace
}  // namespace symk::cuda
