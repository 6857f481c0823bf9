// Pooling, vectors over channels. The place of a maximum is not stored: the gradient finds it again
// from x and y, as the first element of the window, in row-major order, that equals y or is NaN.
#include "cpu/pool.h"

#include <cstring>

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {
namespace {

struct Range {
  int64_t first, last;
};

/// The part of a window inside the image.
[[gnu::always_inline]] inline Range clip(int64_t start, int64_t length, int64_t limit) {
  const int64_t end = start + length;
  return {start < 0 ? 0 : start, end < limit ? end : limit};
}

[[gnu::always_inline]] inline Range window_rows(const PoolPlan& plan, int64_t row) {
  return clip(row * plan.stride_height - plan.pad_top, plan.window_height, plan.height);
}
[[gnu::always_inline]] inline Range window_columns(const PoolPlan& plan, int64_t column) {
  return clip(column * plan.stride_width - plan.pad_left, plan.window_width, plan.width);
}

/// Rows of dx that belong to results first..last-1.
Range owned_rows(const PoolPlan& plan, int64_t first, int64_t last) {
  const int64_t start = first * plan.stride_height - plan.pad_top;
  const int64_t end = last * plan.stride_height - plan.pad_top;
  const bool whole = last == plan.out_height;
  return {first == 0 || start < 0 ? 0 : (start < plan.height ? start : plan.height),
          whole || end > plan.height ? plan.height : (end < 0 ? 0 : end)};
}

/// The rows of the result whose windows reach into the rows `owned`, of whichever part.
Range results_reaching(const PoolPlan& plan, Range owned) {
  if (owned.last <= owned.first) return {0, 0};
  const int64_t beyond = owned.first + plan.pad_top - plan.window_height + 1;
  const int64_t first = beyond <= 0 ? 0 : (beyond + plan.stride_height - 1) / plan.stride_height;
  const int64_t end = (owned.last - 1 + plan.pad_top) / plan.stride_height + 1;
  return {first, end < plan.out_height ? end : plan.out_height};
}

/// Some vectors of channels that are walked together; `lanes` of each are in use.
template <class T, int vectors>
struct Block {
  static constexpr int count = vectors;
  int lanes;

  [[gnu::always_inline]] Vec<T> load(const T* p, int k) const {
    p += k * Vec<T>::width;
    return lanes == Vec<T>::width ? Vec<T>::load(p) : Vec<T>::load_partial(p, lanes);
  }
  [[gnu::always_inline]] void store(Vec<T> v, T* p, int k) const {
    p += k * Vec<T>::width;
    if (lanes == Vec<T>::width)
      v.store(p);
    else
      v.store_partial(p, lanes);
  }
};

/// Calls f(channel, block) for blocks of channels; only the last vector may be in part.
template <class T, class F>
[[gnu::always_inline]] inline void for_channels(int64_t channels, F&& f) {
  constexpr int width = Vec<T>::width;
  constexpr int several = 4;  // one walk over the window for all of them
  int64_t c = 0;
  for (; c + several * width <= channels; c += several * width) f(c, Block<T, several>{width});
  for (; c + width <= channels; c += width) f(c, Block<T, 1>{width});
  if (c < channels) f(c, Block<T, 1>{static_cast<int>(channels - c)});
}

/// Folds the window into `totals`, one vector for each of the block, by `combine`.
template <class T, class B, class Combine>
[[gnu::always_inline]] inline void fold_window(const PoolPlan& plan, const T* x, Range rows,
                                               Range columns, B block, Vec<T>* totals,
                                               Combine&& combine) {
  const int64_t pixel = plan.channels, line = plan.width * pixel;
  for (int64_t i = rows.first; i < rows.last; ++i) {
    for (int64_t j = columns.first; j < columns.last; ++j) {
      const T* p = x + i * line + j * pixel;
      for (int k = 0; k < B::count; ++k) totals[k] = combine(totals[k], block.load(p, k));
    }
  }
}

/// Calls f(row, column, rows, columns) for results of rows first..last-1 and the windows that make
/// them.
template <class F>
[[gnu::always_inline]] inline void for_results(const PoolPlan& plan, int64_t first, int64_t last,
                                               F&& f) {
  for (int64_t row = first; row < last; ++row) {
    const Range rows = window_rows(plan, row);
    for (int64_t column = 0; column < plan.out_width; ++column) {
      f(row, column, rows, window_columns(plan, column));
    }
  }
}

template <class T>
void max_pool(const PoolPlan& plan, const void* data, int64_t image, int64_t first, int64_t last,
              void* result) {
  const T* x = static_cast<const T*>(data) + image * plan.height * plan.width * plan.channels;
  T* y = static_cast<T*>(result) + image * plan.out_height * plan.out_width * plan.channels;
  const Vec<T> start(-static_cast<T>(__builtin_inf()));
  for_results(plan, first, last, [&](int64_t row, int64_t column, Range rows, Range columns) {
    T* out = y + (row * plan.out_width + column) * plan.channels;
    for_channels<T>(plan.channels, [&](int64_t c, auto block) {
      Vec<T> tops[block.count];
      for (Vec<T>& top : tops) top = start;
      fold_window(plan, x + c, rows, columns, block, tops,
                  [](Vec<T> a, Vec<T> b) { return max_nan(a, b); });
      for (int k = 0; k < block.count; ++k) block.store(tops[k], out + c, k);
    });
  });
}

/// The number of elements in a window, at least 1.
template <class T>
T size_of_window(Range rows, Range columns) {
  const int64_t count = (rows.last - rows.first) * (columns.last - columns.first);
  return static_cast<T>(count > 0 ? count : 1);
}

template <class T>
void average_pool(const PoolPlan& plan, const void* data, int64_t image, int64_t first,
                  int64_t last, void* result) {
  const T* x = static_cast<const T*>(data) + image * plan.height * plan.width * plan.channels;
  T* y = static_cast<T*>(result) + image * plan.out_height * plan.out_width * plan.channels;
  for_results(plan, first, last, [&](int64_t row, int64_t column, Range rows, Range columns) {
    T* out = y + (row * plan.out_width + column) * plan.channels;
    const Vec<T> count(size_of_window<T>(rows, columns));
    for_channels<T>(plan.channels, [&](int64_t c, auto block) {
      Vec<T> sums[block.count];
      for (Vec<T>& sum : sums) sum = Vec<T>::zero();
      fold_window(plan, x + c, rows, columns, block, sums,
                  [](Vec<T> a, Vec<T> b) { return a + b; });
      for (int k = 0; k < block.count; ++k) block.store(sums[k] / count, out + c, k);
    });
  });
}

/// Walks the window of one result in row-major order; f(row, offset, k, mask) gets the lanes of
/// vector k of the block whose maximum is at `offset`. `y` points to the maxima.
template <class T, class B, class F>
[[gnu::always_inline]] inline void find_maximum(const PoolPlan& plan, const T* x, const T* y,
                                                Range rows, Range columns, B block, F&& f) {
  const int64_t pixel = plan.channels, line = plan.width * pixel;
  Vec<T> tops[B::count];
  Mask<T> open[B::count];
  for (int k = 0; k < B::count; ++k) {
    tops[k] = block.load(y, k);
    open[k] = first_lanes<T>(block.lanes);
  }
  for (int64_t i = rows.first; i < rows.last; ++i) {
    for (int64_t j = columns.first; j < columns.last; ++j) {
      const int64_t offset = i * line + j * pixel;
      for (int k = 0; k < B::count; ++k) {
        const Vec<T> value = block.load(x + offset, k);
        const Mask<T> here = ((value == tops[k]) | is_nan(value)) & open[k];
        open[k] = open[k] & ~here;
        f(i, offset, k, here);
      }
    }
  }
}

/// Every element is in one window at most, and in exactly one but for a rest at the far borders.
bool windows_tile(const PoolPlan& plan) {
  return plan.stride_height == plan.window_height && plan.stride_width == plan.window_width;
}

/// Zeros in what tiles leave out of the rows `owned` of dx.
template <class T>
void clear_rest(const PoolPlan& plan, Range owned, T* dx) {
  const int64_t line = plan.width * plan.channels;
  const int64_t covered_rows = plan.out_height * plan.stride_height - plan.pad_top;
  const Range covered = clip(0, plan.out_width * plan.stride_width - plan.pad_left, plan.width);
  const int64_t from = (covered.last > 0 ? covered.last : 0) * plan.channels;
  for (int64_t i = owned.first; i < owned.last; ++i) {
    const int64_t start = i < covered_rows ? from : 0;
    std::memset(dx + i * line + start, 0, static_cast<size_t>(line - start) * sizeof(T));
  }
}

template <class T>
void clear(const PoolPlan& plan, Range owned, T* dx) {
  if (owned.last <= owned.first) return;
  const int64_t line = plan.width * plan.channels;
  std::memset(dx + owned.first * line, 0,
              static_cast<size_t>((owned.last - owned.first) * line) * sizeof(T));
}

template <class T>
void max_pool_grad(const PoolPlan& plan, const void* x_data, const void* y_data, const void* g_data,
                   int64_t image, int64_t first, int64_t last, void* result) {
  const int64_t in = image * plan.height * plan.width * plan.channels;
  const int64_t out = image * plan.out_height * plan.out_width * plan.channels;
  const T* x = static_cast<const T*>(x_data) + in;
  const T* y = static_cast<const T*>(y_data) + out;
  const T* g = static_cast<const T*>(g_data) + out;
  T* dx = static_cast<T*>(result) + in;
  const Range owned = owned_rows(plan, first, last);
  if (windows_tile(plan)) {
    clear_rest(plan, owned, dx);
    for_results(plan, first, last, [&](int64_t row, int64_t column, Range rows, Range columns) {
      const int64_t place = (row * plan.out_width + column) * plan.channels;
      for_channels<T>(plan.channels, [&](int64_t c, auto block) {
        Vec<T> slopes[block.count];
        for (int k = 0; k < block.count; ++k) slopes[k] = block.load(g + place + c, k);
        find_maximum(plan, x + c, y + place + c, rows, columns, block,
                     [&](int64_t, int64_t offset, int k, Mask<T> here) {
                       const Vec<T> slope = select(here, slopes[k], Vec<T>::zero());
                       block.store(slope, dx + c + offset, k);
                     });
      });
    });
    return;
  }
  clear(plan, owned, dx);
  const Range reach = results_reaching(plan, owned);
  for_results(plan, reach.first, reach.last,
              [&](int64_t row, int64_t column, Range rows, Range columns) {
                const int64_t place = (row * plan.out_width + column) * plan.channels;
                for_channels<T>(plan.channels, [&](int64_t c, auto block) {
                  Vec<T> slopes[block.count];
                  for (int k = 0; k < block.count; ++k) slopes[k] = block.load(g + place + c, k);
                  find_maximum(plan, x + c, y + place + c, rows, columns, block,
                               [&](int64_t i, int64_t offset, int k, Mask<T> here) {
                                 if (i < owned.first || i >= owned.last) return;
                                 T* to = dx + c + offset;
                                 const Vec<T> slope = select(here, slopes[k], Vec<T>::zero());
                                 block.store(block.load(to, k) + slope, to, k);
                               });
                });
              });
}

template <class T>
void max_pool_pick(const PoolPlan& plan, const void* x_data, const void* y_data, const void* v_data,
                   int64_t image, int64_t first, int64_t last, void* result) {
  const int64_t in = image * plan.height * plan.width * plan.channels;
  const int64_t out = image * plan.out_height * plan.out_width * plan.channels;
  const T* x = static_cast<const T*>(x_data) + in;
  const T* v = static_cast<const T*>(v_data) + in;
  const T* y = static_cast<const T*>(y_data) + out;
  T* picked = static_cast<T*>(result) + out;
  for_results(plan, first, last, [&](int64_t row, int64_t column, Range rows, Range columns) {
    const int64_t place = (row * plan.out_width + column) * plan.channels;
    for_channels<T>(plan.channels, [&](int64_t c, auto block) {
      Vec<T> taken[block.count];
      for (Vec<T>& some : taken) some = Vec<T>::zero();
      find_maximum(plan, x + c, y + place + c, rows, columns, block,
                   [&](int64_t, int64_t offset, int k, Mask<T> here) {
                     taken[k] = select(here, block.load(v + c + offset, k), taken[k]);
                   });
      for (int k = 0; k < block.count; ++k) block.store(taken[k], picked + place + c, k);
    });
  });
}

template <class T>
void average_pool_grad(const PoolPlan& plan, const void* g_data, int64_t image, int64_t first,
                       int64_t last, void* result) {
  const int64_t pixel = plan.channels, line = plan.width * pixel;
  const T* g = static_cast<const T*>(g_data) + image * plan.out_height * plan.out_width * pixel;
  T* dx = static_cast<T*>(result) + image * plan.height * line;
  const Range owned = owned_rows(plan, first, last);
  const bool tiles = windows_tile(plan);
  if (tiles)
    clear_rest(plan, owned, dx);
  else
    clear(plan, owned, dx);
  const Range reach = tiles ? Range{first, last} : results_reaching(plan, owned);
  for_results(plan, reach.first, reach.last,
              [&](int64_t row, int64_t column, Range rows, Range columns) {
                const T* from = g + (row * plan.out_width + column) * pixel;
                const Vec<T> count(size_of_window<T>(rows, columns));
                const Range own = {rows.first > owned.first ? rows.first : owned.first,
                                   rows.last < owned.last ? rows.last : owned.last};
                for_channels<T>(pixel, [&](int64_t c, auto block) {
                  Vec<T> shares[block.count];
                  for (int k = 0; k < block.count; ++k) shares[k] = block.load(from + c, k) / count;
                  for (int64_t i = own.first; i < own.last; ++i) {
                    for (int64_t j = columns.first; j < columns.last; ++j) {
                      T* to = dx + i * line + j * pixel + c;
                      for (int k = 0; k < block.count; ++k) {
                        block.store(tiles ? shares[k] : block.load(to, k) + shares[k], to, k);
                      }
                    }
                  }
                });
              });
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const PoolKernels& PoolKernels::of<Isa::SYMK_ISA>() {
  using namespace SYMK_ISA;
  static constexpr PoolKernels table = {
      {max_pool<float>, max_pool<double>},
      {average_pool<float>, average_pool<double>},
      {max_pool_grad<float>, max_pool_grad<double>},
      {max_pool_pick<float>, max_pool_pick<double>},
      {average_pool_grad<float>, average_pool_grad<double>},
  };
  return table;
}

}  // namespace symk::cpu
