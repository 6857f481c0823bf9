// Pooling, vectors over channels. The place of a maximum is not stored: the gradient finds it again
// from x and y, as the first element of the window, in row-major order, that equals y or is NaN.
#include "cpu/pool.h"

#include <cstring>

#include "cpu/channels.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int kVectors = is_spare(Isa::SYMK_ISA) ? 1 : 4;  // one walk over the window for all
constexpr int64_t kWindowsAhead = 4;  // how far on pixels are fetched

struct Range {
  int64_t first, last;

  int64_t count() const { return last - first; }
  bool holds(int64_t i) const { return first <= i && i < last; }
};

/// Positions inside of the volume along each axis.
struct Window {
  Range planes, rows, columns;
};

/// The part of start .. start + length - 1 below `limit`.
[[gnu::always_inline]] inline Range clip(int64_t start, int64_t length, int64_t limit) {
  const int64_t end = start + length;
  return {start < 0 ? 0 : start, end < limit ? end : limit};
}

[[gnu::always_inline]] inline Range positions(const PoolAxis& axis, int64_t result) {
  return clip(result * axis.stride - axis.before, axis.window, axis.size);
}

/// Planes of dx that belong to planes first..last-1 of the result.
Range owned_planes(const PoolAxis& axis, int64_t first, int64_t last) {
  const int64_t start = first * axis.stride - axis.before;
  const int64_t end = last * axis.stride - axis.before;
  const bool whole = last == axis.results;
  return {first == 0 || start < 0 ? 0 : (start < axis.size ? start : axis.size),
          whole || end > axis.size ? axis.size : (end < 0 ? 0 : end)};
}

/// The planes of the result whose windows reach into the planes `owned`, of whichever part.
Range results_reaching(const PoolAxis& axis, Range owned) {
  if (owned.last <= owned.first) return {0, 0};
  const int64_t beyond = owned.first + axis.before - axis.window + 1;
  const int64_t first = beyond <= 0 ? 0 : (beyond + axis.stride - 1) / axis.stride;
  const int64_t end = (owned.last - 1 + axis.before) / axis.stride + 1;
  return {first, end < axis.results ? end : axis.results};
}

/// Calls f(offset in y, window) for the results of some planes of a volume.
template <class F>
[[gnu::always_inline]] inline void for_results(const PoolPlan& plan, Range planes, F&& f) {
  int64_t place = planes.first * plan.rows.results * plan.columns.results * plan.channels;
  Window window;
  for (int64_t plane = planes.first; plane < planes.last; ++plane) {
    window.planes = positions(plan.planes, plane);
    for (int64_t row = 0; row < plan.rows.results; ++row) {
      window.rows = positions(plan.rows, row);
      for (int64_t column = 0; column < plan.columns.results; ++column) {
        window.columns = positions(plan.columns, column);
        f(place, window);
        place += plan.channels;
      }
    }
  }
}

/// Calls f(plane, offset in x) for the pixels of a window in row-major order.
template <class F>
[[gnu::always_inline]] inline void for_pixels(const PoolPlan& plan, const Window& window, F&& f) {
  const int64_t pixel = plan.channels, line = plan.line(), plane = plan.plane();
  for (int64_t i = window.planes.first; i < window.planes.last; ++i) {
    for (int64_t j = window.rows.first; j < window.rows.last; ++j) {
      int64_t offset = i * plane + j * line + window.columns.first * pixel;
      for (int64_t k = window.columns.first; k < window.columns.last; ++k, offset += pixel)
        f(i, offset);
    }
  }
}

/// Folds windows by `combine`, from `start` on; `finish` makes a result of a total.
template <class T, class Combine, class Finish>
[[gnu::always_inline]] inline void fold_windows(const PoolPlan& plan, const T* x, Range planes,
                                                Vec<T> start, Combine&& combine, Finish&& finish,
                                                T* y) {
  const T* const ahead = x + kWindowsAhead * plan.columns.stride * plan.channels;
  for_results(plan, planes, [&](int64_t place, const Window& window) {
    for_channels<T, kVectors, kFreeMasks>(plan.channels, [&](int64_t c, auto block) {
      Vec<T> totals[block.count];
#pragma GCC unroll 4
      for (Vec<T>& total : totals) total = start;
      for_pixels(plan, window, [&](int64_t, int64_t offset) {
#pragma GCC unroll 4
        for (int k = 0; k < block.count; ++k) {
          prefetch(ahead + offset + c + k * Vec<T>::width);
          totals[k] = combine(totals[k], block.load(x + offset + c, k));
        }
      });
#pragma GCC unroll 4
      for (int k = 0; k < block.count; ++k)
        block.store(finish(totals[k], window), y + place + c, k);
    });
  });
}

template <class T>
void max_pool(const PoolPlan& plan, const void* data, int64_t volume, int64_t first, int64_t last,
              void* result) {
  fold_windows(
      plan, static_cast<const T*>(data) + volume * plan.x_count(), {first, last},
      Vec<T>(-static_cast<T>(__builtin_inf())), [](Vec<T> a, Vec<T> b) { return max_nan(a, b); },
      [](Vec<T> total, const Window&) { return total; },
      static_cast<T*>(result) + volume * plan.y_count());
}

/// The number of elements in a window, at least 1.
template <class T>
T size_of_window(const Window& window) {
  const int64_t count = window.planes.count() * window.rows.count() * window.columns.count();
  return static_cast<T>(count > 0 ? count : 1);
}

template <class T>
void average_pool(const PoolPlan& plan, const void* data, int64_t volume, int64_t first,
                  int64_t last, void* result) {
  fold_windows(
      plan, static_cast<const T*>(data) + volume * plan.x_count(), {first, last}, Vec<T>::zero(),
      [](Vec<T> a, Vec<T> b) { return a + b; },
      [](Vec<T> total, const Window& window) { return total / Vec<T>(size_of_window<T>(window)); },
      static_cast<T*>(result) + volume * plan.y_count());
}

/// Walks a window; f(plane, offset, k, mask) gets the lanes of vector k of the block whose maximum
/// is at `offset`. `y` points to the maxima.
template <class T, class B, class F>
[[gnu::always_inline]] inline void find_maximum(const PoolPlan& plan, const T* x, const T* y,
                                                const Window& window, B block, F&& f) {
  Vec<T> tops[B::count];
  Mask<T> open[B::count];
#pragma GCC unroll 4
  for (int k = 0; k < B::count; ++k) {
    tops[k] = block.load(y, k);
    open[k] = block.lanes();
  }
  for_pixels(plan, window, [&](int64_t plane, int64_t offset) {
#pragma GCC unroll 4
    for (int k = 0; k < B::count; ++k) {
      const Vec<T> value = block.load(x + offset, k);
      const Mask<T> here = ((value == tops[k]) | is_nan(value)) & open[k];
      open[k] = open[k] & ~here;
      f(plane, offset, k, here);
    }
  });
}

/// Every element is in one window at most, and in exactly one but for a rest at the far borders.
bool windows_tile(const PoolPlan& plan) {
  return plan.planes.stride == plan.planes.window && plan.rows.stride == plan.rows.window &&
         plan.columns.stride == plan.columns.window;
}

/// The end of what tiles cover along an axis.
int64_t covered(const PoolAxis& axis) {
  const int64_t end = axis.results * axis.stride - axis.before;
  return end < 0 ? 0 : (end < axis.size ? end : axis.size);
}

template <class T>
void clear(T* from, int64_t count) {
  if (count > 0) std::memset(from, 0, static_cast<size_t>(count) * sizeof(T));
}

/// Zeros in what tiles leave out of the planes `owned` of dx.
template <class T>
void clear_rest(const PoolPlan& plan, Range owned, T* dx) {
  const int64_t planes = covered(plan.planes), rows = covered(plan.rows),
                start = covered(plan.columns) * plan.channels;
  for (int64_t i = owned.first; i < owned.last; ++i) {
    for (int64_t j = 0; j < plan.rows.size; ++j) {
      const int64_t from = i < planes && j < rows ? start : 0;
      clear(dx + i * plan.plane() + j * plan.line() + from, plan.line() - from);
    }
  }
}

template <class T>
void max_pool_grad(const PoolPlan& plan, const void* x_data, const void* y_data, const void* g_data,
                   int64_t volume, int64_t first, int64_t last, void* result) {
  const T* x = static_cast<const T*>(x_data) + volume * plan.x_count();
  const T* y = static_cast<const T*>(y_data) + volume * plan.y_count();
  const T* g = static_cast<const T*>(g_data) + volume * plan.y_count();
  T* dx = static_cast<T*>(result) + volume * plan.x_count();
  const Range owned = owned_planes(plan.planes, first, last);
  const auto spread = [&](Range results, auto&& add) {
    for_results(plan, results, [&](int64_t place, const Window& window) {
      for_channels<T, kVectors, kFreeMasks>(plan.channels, [&](int64_t c, auto block) {
        Vec<T> slopes[block.count];
#pragma GCC unroll 4
        for (int k = 0; k < block.count; ++k) slopes[k] = block.load(g + place + c, k);
        find_maximum(plan, x + c, y + place + c, window, block,
                     [&](int64_t plane, int64_t offset, int k, Mask<T> here) {
                       add(block, plane, dx + c + offset, k,
                           select(here, slopes[k], Vec<T>::zero()));
                     });
      });
    });
  };
  if (windows_tile(plan)) {
    clear_rest(plan, owned, dx);
    spread({first, last}, [](auto block, int64_t, T* to, int k, Vec<T> slope) {
      block.store(slope, to, k);
    });
  } else {
    clear(dx + owned.first * plan.plane(), owned.count() * plan.plane());
    spread(results_reaching(plan.planes, owned),
           [owned](auto block, int64_t plane, T* to, int k, Vec<T> slope) {
             if (owned.holds(plane)) block.store(block.load(to, k) + slope, to, k);
           });
  }
}

template <class T>
void max_pool_pick(const PoolPlan& plan, const void* x_data, const void* y_data, const void* v_data,
                   int64_t volume, int64_t first, int64_t last, void* result) {
  const T* x = static_cast<const T*>(x_data) + volume * plan.x_count();
  const T* v = static_cast<const T*>(v_data) + volume * plan.x_count();
  const T* y = static_cast<const T*>(y_data) + volume * plan.y_count();
  T* picked = static_cast<T*>(result) + volume * plan.y_count();
  for_results(plan, {first, last}, [&](int64_t place, const Window& window) {
    for_channels<T, kVectors, kFreeMasks>(plan.channels, [&](int64_t c, auto block) {
      Vec<T> taken[block.count];
#pragma GCC unroll 4
      for (Vec<T>& some : taken) some = Vec<T>::zero();
      find_maximum(plan, x + c, y + place + c, window, block,
                   [&](int64_t, int64_t offset, int k, Mask<T> here) {
                     taken[k] = select(here, block.load(v + c + offset, k), taken[k]);
                   });
#pragma GCC unroll 4
      for (int k = 0; k < block.count; ++k) block.store(taken[k], picked + place + c, k);
    });
  });
}

template <class T>
void average_pool_grad(const PoolPlan& plan, const void* g_data, int64_t volume, int64_t first,
                       int64_t last, void* result) {
  const T* g = static_cast<const T*>(g_data) + volume * plan.y_count();
  T* dx = static_cast<T*>(result) + volume * plan.x_count();
  const Range owned = owned_planes(plan.planes, first, last);
  const bool tiles = windows_tile(plan);
  if (tiles)
    clear_rest(plan, owned, dx);
  else
    clear(dx + owned.first * plan.plane(), owned.count() * plan.plane());
  const Range reach = tiles ? Range{first, last} : results_reaching(plan.planes, owned);
  for_results(plan, reach, [&](int64_t place, Window window) {
    const Vec<T> count(size_of_window<T>(window));
    if (window.planes.first < owned.first) window.planes.first = owned.first;
    if (window.planes.last > owned.last) window.planes.last = owned.last;
    for_channels<T, kVectors, kFreeMasks>(plan.channels, [&](int64_t c, auto block) {
      Vec<T> shares[block.count];
#pragma GCC unroll 4
      for (int k = 0; k < block.count; ++k) shares[k] = block.load(g + place + c, k) / count;
      for_pixels(plan, window, [&](int64_t, int64_t offset) {
        T* to = dx + offset + c;
#pragma GCC unroll 4
        for (int k = 0; k < block.count; ++k)
          block.store(tiles ? shares[k] : block.load(to, k) + shares[k], to, k);
      });
    });
  });
}

template <class T>
constexpr void set(PoolKernels& table, int place) {
  table.max[place] = max_pool<T>;
  table.average[place] = average_pool<T>;
  table.max_grad[place] = max_pool_grad<T>;
  table.max_pick[place] = max_pool_pick<T>;
  table.average_grad[place] = average_pool_grad<T>;
}

constexpr PoolKernels make_table() {
  PoolKernels table = {};
  set<float>(table, 0);
  if constexpr (has_float64(Isa::SYMK_ISA)) set<double>(table, 1);
  return table;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const PoolKernels& PoolKernels::of<Isa::SYMK_ISA>() {
  static constexpr PoolKernels table = SYMK_ISA::make_table();
  return table;
}

}  // namespace symk::cpu
