// The strided walk and its inner loops: runs, fills, strided items, transposed tiles; and the rows
// of pad. Plans are made by shape_step.cpp; positions are inside their arrays by construction.
#include "cpu/shape.h"

#include <cstring>
#include <type_traits>

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int64_t kShortRunBytes = 64;  // below this a call of memcpy costs more than its bytes
constexpr int64_t kMediumRunBytes = 4096;  // below this the call shows (15 % for runs of 1 KB)

/// The whole groups of four vectors of a run; returns how many items they have.
template <class T>
[[gnu::always_inline]] inline int64_t copy_groups(const T* x, T* y, int64_t n) {
  using Lane = typename FloatOf<T>::type;  // only moved, so any bits pass unchanged
  using V = Vec<Lane>;
  constexpr int64_t group = 4 * V::width;
  const Lane* from = reinterpret_cast<const Lane*>(x);
  Lane* to = reinterpret_cast<Lane*>(y);
  int64_t i = 0;
  for (; i + group <= n; i += group) {
    V some[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) some[k] = V::load(from + i + k * V::width);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) some[k].store(to + i + k * V::width);
  }
  return i;
}

template <class T>
void copy_run(const T* x, T* y, int64_t n) {
  const int64_t bytes = n * static_cast<int64_t>(sizeof(T));
  int64_t done = 0;
  if constexpr (sizeof(T) >= 4) {
    if (bytes <= kMediumRunBytes) done = copy_groups(x, y, n);
  }
  if (bytes - done * static_cast<int64_t>(sizeof(T)) > kShortRunBytes) {
    std::memcpy(y + done, x + done, static_cast<size_t>(n - done) * sizeof(T));
    return;
  }
  for (; done < n; ++done) y[done] = x[done];
}

template <class T>
void fill_run(T* y, int64_t n, T value) {
  for (int64_t i = 0; i < n; ++i) y[i] = value;
}

template <class T>
void copy_strided(const T* x, int64_t x_step, T* y, int64_t y_step, int64_t n) {
  if (y_step == 1 && x_step == 2) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[2 * i];
  } else if (y_step == 1 && x_step == -1) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[-i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * y_step] = x[i * x_step];
  }
}

/// y[j * y_step + i] = x[i * x_step + j] for i < rows, j < columns, item by item.
template <class T>
void transpose_edge(const T* x, int64_t x_step, T* y, int64_t y_step, int64_t rows,
                    int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) y[j * y_step + i] = x[i * x_step + j];
  }
}

/// The side of the squares that transpose_block turns.
template <class T>
constexpr int block_side() {
  if constexpr (sizeof(T) < 4)
    return 8 / sizeof(T);
  else
    return Vec<T>::width;
}

/// Short items: the rows of a square are 64-bit words, whose parts trade places by shifts.
/// Source: Warren, Hacker's Delight, section 7-3.
template <class T>
[[gnu::always_inline]] inline void transpose_words(const T* x, int64_t x_step, T* y,
                                                   int64_t y_step) {
  constexpr int side = block_side<T>(), bits = 8 * sizeof(T);
  uint64_t rows[side];
#pragma GCC unroll 8
  for (int i = 0; i < side; ++i) std::memcpy(&rows[i], x + i * x_step, 8);
#pragma GCC unroll 3
  for (int distance = 1; distance < side; distance *= 2) {
    // Ones in the low `distance` of every 2 * distance items.
    const int shift = distance * bits;
    const uint64_t low = ~uint64_t{0} / ((uint64_t{1} << shift) + 1);
#pragma GCC unroll 8
    for (int i = 0; i < side; ++i) {
      if (i & distance) continue;
      const uint64_t swapped = ((rows[i] >> shift) ^ rows[i + distance]) & low;
      rows[i] ^= swapped << shift;
      rows[i + distance] ^= swapped;
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < side; ++i) std::memcpy(y + i * y_step, &rows[i], 8);
}

/// A square of block_side() rows, through registers.
template <class T>
[[gnu::always_inline]] inline void transpose_block(const T* x, int64_t x_step, T* y,
                                                   int64_t y_step) {
  if constexpr (sizeof(T) < 4) {
    transpose_words(x, x_step, y, y_step);
  } else {
    using Lane = typename FloatOf<T>::type;  // only moved, so any bits pass unchanged
    constexpr int width = Vec<Lane>::width;
    Vec<Lane> rows[width];
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) {
      rows[i] = Vec<Lane>::load(reinterpret_cast<const Lane*>(x + i * x_step));
    }
    transpose(rows);
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) rows[i].store(reinterpret_cast<Lane*>(y + i * y_step));
  }
}

template <class T>
void transpose_tile(const T* x, int64_t x_step, T* y, int64_t y_step, int64_t rows,
                    int64_t columns) {
  constexpr int64_t side = block_side<T>();
  const int64_t full_rows = rows - rows % side, full_columns = columns - columns % side;
  for (int64_t j = 0; j < full_columns; j += side) {
    for (int64_t i = 0; i < full_rows; i += side) {
      transpose_block(x + i * x_step + j, x_step, y + j * y_step + i, y_step);
    }
  }
  if (full_columns < columns) {
    transpose_edge(x + full_columns, x_step, y + full_columns * y_step, y_step, rows,
                   columns - full_columns);
  }
  if (full_rows < rows) {
    transpose_edge(x + full_rows * x_step, x_step, y + full_rows, y_step, rows - full_rows,
                   full_columns);
  }
}

/// The inner part of one unit; `chunk` numbers the chunks of a run or the tiles of a plane.
template <class T>
void copy_unit(const CopyPlan& plan, const T* x, T* y, int64_t chunk) {
  if (plan.kind == CopyPlan::kTranspose) {
    const int64_t across = (plan.width + plan.chunk - 1) / plan.chunk;
    const int64_t i = chunk / across * plan.chunk, j = chunk % across * plan.chunk;
    const int64_t rows = plan.length - i < plan.chunk ? plan.length - i : plan.chunk;
    const int64_t columns = plan.width - j < plan.chunk ? plan.width - j : plan.chunk;
    transpose_tile(x + i * plan.length_from + j, plan.length_from, y + j * plan.width_to + i,
                   plan.width_to, rows, columns);
    return;
  }
  const int64_t i = chunk * plan.chunk;
  const int64_t n = plan.length - i < plan.chunk ? plan.length - i : plan.chunk;
  x += i * plan.length_from;
  y += i * plan.length_to;
  switch (plan.kind) {
    case CopyPlan::kRun: return copy_run(x, y, n);
    case CopyPlan::kFill: return fill_run(y, n, *x);
    default: return copy_strided(x, plan.length_from, y, plan.length_to, n);
  }
}

int64_t chunks_of(const CopyPlan& plan) {
  const int64_t along = (plan.length + plan.chunk - 1) / plan.chunk;
  if (plan.kind != CopyPlan::kTranspose) return along;
  return along * ((plan.width + plan.chunk - 1) / plan.chunk);
}

template <class T>
void copy_units(const CopyPlan& plan, const T* x, T* y, int64_t first, int64_t last) {
  const int64_t chunks = chunks_of(plan);
  int64_t position[kMaxRank] = {}, from = plan.from_base, to = plan.to_base;
  int64_t rest = first / chunks, chunk = first % chunks;
  for (int axis = plan.outer_rank - 1; axis >= 0; --axis) {
    position[axis] = rest % plan.outer_size[axis];
    rest /= plan.outer_size[axis];
    from += position[axis] * plan.outer_from[axis];
    to += position[axis] * plan.outer_to[axis];
  }
  for (int64_t unit = first; unit < last; ++unit) {
    copy_unit(plan, x + from, y + to, chunk);
    if (++chunk < chunks) continue;
    chunk = 0;
    for (int axis = plan.outer_rank - 1; axis >= 0; --axis) {
      from += plan.outer_from[axis];
      to += plan.outer_to[axis];
      if (++position[axis] < plan.outer_size[axis]) break;
      from -= plan.outer_size[axis] * plan.outer_from[axis];
      to -= plan.outer_size[axis] * plan.outer_to[axis];
      position[axis] = 0;
    }
  }
}

/// Where row `row` of y has its items in x, as a row number of x, or -1 where the whole row is
/// filled.
int64_t padded_row(const PadPlan& plan, int64_t row) {
  int64_t source = 0, stride = 1;
  for (int axis = plan.rank - 2; axis >= 0; --axis) {
    const int64_t extent = plan.before[axis] + plan.size[axis] + plan.after[axis];
    const int64_t i = row % extent - plan.before[axis];
    row /= extent;
    if (i < 0 || i >= plan.size[axis]) return -1;
    source += i * stride;
    stride *= plan.size[axis];
  }
  return source;
}

template <class T>
void pad_rows(const PadPlan& plan, const T* x, T* y, int64_t first, int64_t last) {
  const int axis = plan.rank - 1;
  const int64_t before = plan.before[axis], size = plan.size[axis], after = plan.after[axis];
  const int64_t length = before + size + after;
  const T fill = static_cast<T>(plan.fill);
  for (int64_t row = first; row < last; ++row) {
    T* out = y + row * length;
    const int64_t source = padded_row(plan, row);
    if (source < 0) {
      fill_run(out, length, fill);
      continue;
    }
    fill_run(out, before, fill);
    copy_run(x + source * size, out + before, size);
    fill_run(out + before + size, after, fill);
  }
}

/// Calls f with a null pointer to the integer type of `item` bytes.
template <class F>
void with_item(int item, F&& f) {
  switch (item) {
    case 1: return f(static_cast<int8_t*>(nullptr));
    case 2: return f(static_cast<int16_t*>(nullptr));
    case 4: return f(static_cast<int32_t*>(nullptr));
    default: return f(static_cast<int64_t*>(nullptr));
  }
}

void copy(const CopyPlan& plan, const void* x, void* y, int64_t first, int64_t last) {
  with_item(plan.item, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    copy_units(plan, static_cast<const T*>(x), static_cast<T*>(y), first, last);
  });
}

void pad(const PadPlan& plan, const void* x, void* y, int64_t first, int64_t last) {
  with_item(plan.item, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    pad_rows(plan, static_cast<const T*>(x), static_cast<T*>(y), first, last);
  });
}

}  // namespace

}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const ShapeKernels& ShapeKernels::of<Isa::SYMK_ISA>() {
  static constexpr ShapeKernels table = {&SYMK_ISA::copy, &SYMK_ISA::pad};
  return table;
}

}  // namespace symk::cpu
