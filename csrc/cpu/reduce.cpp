// Folds parts of an array into totals, along runs (rows) or across them (columns); logsumexp,
// argmax and argmin. Parts are chosen by reduce_step.cpp.
#include "cpu/reduce.h"

#include "cpu/reduce_fold.h"
#include "cpu/vec/vec.h"
#include "math/exponential.h"

namespace symk::cpu::SYMK_ISA {
namespace {

template <class Op>
void fold_rows(const ReducePlan& plan, const void* data, int64_t first, int64_t last,
               int64_t first_row, int64_t last_row, int64_t first_item, int64_t last_item,
               void* result) {
  const auto* x = static_cast<const typename Op::Element*>(data) + first_item;
  auto* totals = static_cast<typename Op::Total*>(result);
  const int64_t n = last_item - first_item;
  for (int64_t output = first; output < last; ++output) {
    const int64_t base = keep_offset(plan, output);
    typename Op::Total total = Op::identity;
    for (int64_t row = first_row; row < last_row; ++row) {
      total = Op::fold(total, fold_run<Op>(x + base + reduce_offset(plan, row), n));
    }
    totals[output - first] = total;
  }
}

/// Accumulators of up to kColumnBlock columns that lie side by side, for ops of whole vectors.
template <class Op>
class ColumnFold {
 public:
  using T = typename Op::Element;

  explicit ColumnFold(int64_t width) : width_(width) {
    for (int64_t j = 0; j < width; ++j) totals_[j] = Op::identity;
    clear();
  }

  /// Rows x, x + stride, ... of `width` columns each.
  [[gnu::noinline]] void add(const T* x, int64_t rows, int64_t stride, int64_t width) {
    int64_t row = 0;
    for (; row + 8 <= rows; row += 8) add_eight(x + row * stride, stride, width);
    for (; row < rows; ++row) add_one(x + row * stride, width);
  }

  /// The totals of columns j, j + period, j + 2 period, ... in totals[j].
  void finish(int64_t period, typename Op::Total* totals) {
    flush();
    for (int64_t j = 0; j < period; ++j) totals[j] = totals_[j];
    for (int64_t i = period; i < width_; i += period) {
      const int64_t n = width_ - i < period ? width_ - i : period;
      for (int64_t j = 0; j < n; ++j) totals[j] = Op::fold(totals[j], totals_[i + j]);
    }
  }

 private:
  static constexpr int kLongest = 128;  // rows whose float sum is carried in float lanes

  /// at(0) .. at(7), by pairs.
  template <class At>
  [[gnu::always_inline]] static auto combine_eight(At&& at) {
    const auto low = combine<Op>(combine<Op>(at(0), at(1)), combine<Op>(at(2), at(3)));
    const auto high = combine<Op>(combine<Op>(at(4), at(5)), combine<Op>(at(6), at(7)));
    return combine<Op>(low, high);
  }

  void add_eight(const T* x, int64_t stride, int64_t width) {
    for_columns(width, [&](auto load, int64_t j) {
      return combine_eight([&](int64_t row) { return load(x + row * stride + j); });
    });
    count(8);
  }

  void add_one(const T* x, int64_t width) {
    for_columns(width, [&](auto load, int64_t j) { return load(x + j); });
    count(1);
  }

  /// Combines f(load, j) with the lanes of columns j on: vectors of columns while they last.
  template <class F>
  [[gnu::always_inline]] void for_columns(int64_t width, F&& f) {
    const auto whole = [](const T* p) __attribute__((always_inline)) { return Vec<T>::load(p); };
    const auto single = [](const T* p) __attribute__((always_inline)) { return *p; };
    int64_t j = 0;
    for (; j + Vec<T>::width <= width; j += Vec<T>::width) {
      combine<Op>(Vec<T>::load(lanes_ + j), f(whole, j)).store(lanes_ + j);
    }
    for (; j < width; ++j) lanes_[j] = combine<Op>(lanes_[j], f(single, j));
  }

  void count(int rows) {
    pending_ += rows;
    if (pending_ >= kLongest) flush();
  }

  [[gnu::noinline]] void flush() {
    for (int64_t j = 0; j < width_; ++j) totals_[j] = Op::fold(totals_[j], lanes_[j]);
    clear();
  }

  void clear() {
    for (int64_t j = 0; j < width_; ++j) lanes_[j] = static_cast<T>(Op::identity);
    pending_ = 0;
  }

  const int64_t width_;
  int pending_ = 0;
  alignas(64) T lanes_[kColumnBlock];
  alignas(64) typename Op::Total totals_[kColumnBlock];
};

constexpr int64_t kFewElements = 128;  // fewer than pay for setting up a ColumnFold

/// Adds rows to the totals, one after the other.
template <class Op>
void fold_few(const typename Op::Element* x, int64_t rows, int64_t stride, int64_t width,
              typename Op::Total* totals) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < width; ++j) {
      totals[j] = Op::fold(totals[j], Op::lane(x[row * stride + j]));
    }
  }
}

/// Totals of `width` columns of rows first_row .. last_row - 1, of which x is the first. `whole`
/// says that they are all of the run.
template <class Op>
void fold_wide(const ReducePlan& plan, const typename Op::Element* x, bool whole, int64_t width,
               int64_t first_row, int64_t last_row, typename Op::Total* totals) {
  // Narrow arrays: several rows side by side are one row of a wider array.
  const int64_t inner = plan.inner;
  const int64_t rows_at_most = last_row - first_row < plan.rows ? last_row - first_row : plan.rows;
  int64_t together = whole ? kColumnBlock / inner : 1;
  if (together > rows_at_most) together = rows_at_most;
  if (together < 1) together = 1;
  ColumnFold<Op> fold(width * together);
  for_stretches(plan, first_row, last_row, [&](int64_t offset, int64_t rows) {
    const int64_t wide = rows / together, rest = rows % together;
    fold.add(x + offset, wide, together * inner, together * width);
    if (rest > 0) fold.add(x + offset + wide * together * inner, 1, inner, rest * width);
  });
  fold.finish(width, totals);
}

template <class Op>
void fold_columns(const ReducePlan& plan, const void* data, int64_t keep, int64_t first_column,
                  int64_t last_column, int64_t first_row, int64_t last_row, void* result) {
  const auto* x =
      static_cast<const typename Op::Element*>(data) + keep_offset(plan, keep) + first_column;
  auto* totals = static_cast<typename Op::Total*>(result);
  const int64_t width = last_column - first_column;
  if constexpr (kCombinesVectors<Op>) {
    if (plan.outer > 1 || (last_row - first_row) * width > kFewElements) {
      return fold_wide<Op>(plan, x, width == plan.inner, width, first_row, last_row, totals);
    }
  }
  for (int64_t j = 0; j < width; ++j) totals[j] = Op::identity;
  for_stretches(plan, first_row, last_row, [&](int64_t offset, int64_t rows) {
    fold_few<Op>(x + offset, rows, plan.inner, width, totals);
  });
}

template <class T>
[[gnu::always_inline]] inline T exponential(T x) {
  return math::exp(x);
}

/// The sum of exp(x - top) over n elements side by side, n at most kStretch.
template <class T>
double sum_exponentials(const T* x, int64_t n, T top) {
  constexpr int width = Vec<T>::width;
  const Vec<T> shift(top);
  Vec<T> sums = Vec<T>::zero();
  int64_t i = 0;
  for (; i + width <= n; i += width) sums += exponential(Vec<T>::load(x + i) - shift);
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    const Vec<T> last = exponential(Vec<T>::load_partial(x + i, rest) - shift);
    sums += select(first_lanes<T>(rest), last, Vec<T>::zero());
  }
  return static_cast<double>(reduce_add(sums));
}

/// An infinity or NaN stands for itself: x - top would be NaN there.
template <class T>
bool stands_alone(T top) {
  return !(top - top == 0);
}

template <class T>
void logsumexp_rows(const ReducePlan& plan, const void* data, int64_t first, int64_t last,
                    void* result) {
  const T* x = static_cast<const T*>(data);
  T* y = static_cast<T*>(result);
  for (int64_t output = first; output < last; ++output) {
    const T* base = x + keep_offset(plan, output);
    T top = least<T>();
    for (int64_t row = 0; row < plan.outer; ++row) {
      top = Max<T>::combine(top, fold_run<Max<T>>(base + reduce_offset(plan, row), plan.inner));
    }
    if (stands_alone(top)) {
      y[output] = top;
      continue;
    }
    double sum = 0;
    for (int64_t row = 0; row < plan.outer; ++row) {
      const T* run = base + reduce_offset(plan, row);
      for (int64_t i = 0; i < plan.inner; i += kStretch) {
        sum +=
            sum_exponentials(run + i, plan.inner - i < kStretch ? plan.inner - i : kStretch, top);
      }
    }
    y[output] = static_cast<T>(static_cast<double>(top) + __builtin_log(sum));
  }
}

/// sums[j] += exp(x[j] - tops[j]); the three arrays have room for whole vectors, x has not.
template <class T>
void add_exponentials(const T* x, const T* tops, T* sums, int64_t n) {
  constexpr int width = Vec<T>::width;
  for (int64_t j = 0; j < n; j += width) {
    const int rest = n - j < width ? static_cast<int>(n - j) : width;
    const Vec<T> term = exponential(Vec<T>::load_partial(x + j, rest) - Vec<T>::load(tops + j));
    (Vec<T>::load(sums + j) + term).store(sums + j);
  }
}

template <class T>
void logsumexp_columns(const ReducePlan& plan, const void* data, int64_t keep, int64_t first_column,
                       int64_t last_column, void* result) {
  const T* x = static_cast<const T*>(data) + keep_offset(plan, keep) + first_column;
  T* y = static_cast<T*>(result) + keep * plan.inner + first_column;
  const int64_t width = last_column - first_column;
  alignas(64) T tops[kColumnBlock] = {}, sums[kColumnBlock] = {};
  double totals[kColumnBlock] = {};
  fold_columns<Max<T>>(plan, data, keep, first_column, last_column, 0, plan.outer * plan.rows,
                       tops);
  for (int64_t j = 0; j < width; ++j) {
    y[j] = tops[j];
    if (stands_alone(tops[j])) tops[j] = 0;  // its sum is not used
  }
  int64_t pending = 0;
  const auto flush = [&] {
    for (int64_t j = 0; j < width; ++j) totals[j] += static_cast<double>(sums[j]);
    for (int64_t j = 0; j < width; ++j) sums[j] = 0;
    pending = 0;
  };
  for_stretches(plan, 0, plan.outer * plan.rows, [&](int64_t offset, int64_t rows) {
    for (int64_t row = 0; row < rows; ++row) {
      add_exponentials(x + offset + row * plan.inner, tops, sums, width);
      if (++pending == 128) flush();
    }
  });
  flush();
  for (int64_t j = 0; j < width; ++j) {
    if (!stands_alone(y[j])) {
      y[j] = static_cast<T>(static_cast<double>(tops[j]) + __builtin_log(totals[j]));
    }
  }
}

/// Whether b takes the place of a: it is beyond a, or the first NaN.
template <class Op, class T>
[[gnu::always_inline]] inline bool takes_over(T a, T b) {
  const bool beyond = std::is_same_v<Op, Max<T>> ? b > a : b < a;
  return beyond | ((b != b) & (a == a));
}

/// The place of the first of n elements that is `value` or NaN; there is one.
template <class T>
int64_t find_first(const T* x, int64_t n, T value) {
  int64_t i = 0;
  if constexpr (kFloating<T>) {
    const Vec<T> wanted(value);
    for (; i + Vec<T>::width <= n; i += Vec<T>::width) {
      const Vec<T> some = Vec<T>::load(x + i);
      const uint32_t found = mask_bits((some == wanted) | is_nan(some));
      if (found != 0) return i + __builtin_ctz(found);
    }
  }
  while (i + 1 < n && x[i] != value && x[i] == x[i]) ++i;
  return i;
}

/// Finds the stretch that holds the result, then the place in it.
template <class Op>
void find_in_rows(const void* data, int64_t n, int64_t first, int64_t last, int64_t* y) {
  using T = typename Op::Element;
  constexpr int64_t stretch = 256;  // short: it is read twice
  for (int64_t row = first; row < last; ++row) {
    const T* x = static_cast<const T*>(data) + row * n;
    T best = x[0];
    int64_t start = 0;
    for (int64_t i = 0; i < n && best == best; i += stretch) {
      const T candidate = fold_run<Op>(x + i, n - i < stretch ? n - i : stretch);
      if (takes_over<Op>(best, candidate)) {
        best = candidate;
        start = i;
      }
    }
    y[row] = start + find_first(x + start, n - start < stretch ? n - start : stretch, best);
  }
}

template <class Op>
void find_in_columns(const void* data, int64_t n, int64_t columns, int64_t first, int64_t last,
                     int64_t* y) {
  using T = typename Op::Element;
  const T* x = static_cast<const T*>(data);
  T best[kColumnBlock];
  const int64_t width = last - first;
  for (int64_t j = 0; j < width; ++j) {
    best[j] = x[first + j];
    y[first + j] = 0;
  }
  for (int64_t i = 1; i < n; ++i) {
    const T* row = x + i * columns + first;
    int64_t* place = y + first;
    for (int64_t j = 0; j < width; ++j) {
      const bool better = takes_over<Op>(best[j], row[j]);
      best[j] = better ? row[j] : best[j];
      place[j] = better ? i : place[j];
    }
  }
}

template <class Op>
constexpr void set_fold(ReduceKernels& table, ReduceOp op, DType dtype) {
  table.rows[static_cast<int>(op)][static_cast<int>(dtype)] = fold_rows<Op>;
  table.columns[static_cast<int>(op)][static_cast<int>(dtype)] = fold_columns<Op>;
}

template <class T>
constexpr void set_dtype(ReduceKernels& table, DType dtype) {
  set_fold<Sum<T>>(table, ReduceOp::kSum, dtype);
  set_fold<Prod<T>>(table, ReduceOp::kProd, dtype);
  set_fold<Max<T>>(table, ReduceOp::kMax, dtype);
  set_fold<Min<T>>(table, ReduceOp::kMin, dtype);
  table.arg_rows[0][static_cast<int>(dtype)] = find_in_rows<Max<T>>;
  table.arg_rows[1][static_cast<int>(dtype)] = find_in_rows<Min<T>>;
  table.arg_columns[0][static_cast<int>(dtype)] = find_in_columns<Max<T>>;
  table.arg_columns[1][static_cast<int>(dtype)] = find_in_columns<Min<T>>;
}

constexpr void set_floats(ReduceKernels& table) {
  set_dtype<float>(table, DType::kFloat32);
  table.log_rows[0] = logsumexp_rows<float>;
  table.log_columns[0] = logsumexp_columns<float>;
  if constexpr (has_float64(Isa::SYMK_ISA)) {
    set_dtype<double>(table, DType::kFloat64);
    table.log_rows[1] = logsumexp_rows<double>;
    table.log_columns[1] = logsumexp_columns<double>;
  }
}

constexpr void set_integers(ReduceKernels& table) {
  set_dtype<int8_t>(table, DType::kInt8);
  set_dtype<int16_t>(table, DType::kInt16);
  set_dtype<int32_t>(table, DType::kInt32);
  set_dtype<int64_t>(table, DType::kInt64);
  set_dtype<uint8_t>(table, DType::kUInt8);
  set_dtype<uint8_t>(table, DType::kBool);
  set_fold<Any>(table, ReduceOp::kAny, DType::kBool);
  set_fold<All>(table, ReduceOp::kAll, DType::kBool);
}

constexpr ReduceKernels make_table() {
  ReduceKernels table = {};
  if constexpr (is_for_integers(Isa::SYMK_ISA)) {
    set_integers(table);
  } else {
    set_floats(table);
  }
  return table;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const ReduceKernels& ReduceKernels::of<Isa::SYMK_ISA>() {
  static constexpr ReduceKernels table = SYMK_ISA::make_table();
  return table;
}

}  // namespace symk::cpu
