// Softmax and its relatives. A line along the last axis is worked on while it stays in the first
// cache; lines along another axis lie beside each other, and a vector takes a lane of each. Sums
// run in the order of the line, lane by lane, so they depend on its length alone. NaN, and a line
// whose maximum is infinite, give NaN.
#include "cpu/softmax.h"

#include "cpu/vec/vec.h"
#include "math/exponential.h"
#include "math/logarithm.h"

namespace symk::cpu::SYMK_ISA {
namespace {

template <class T>
constexpr T kLowest = -math::Format<T>::infinity;

// --- one line along the last axis ---

/// f(i, n) for every whole vector of a line, then for the rest: n lanes from element i. The rest is
/// a constant for the whole vectors, so that the compiler makes a plain loop of them. A spare set
/// has one copy of f for both.
template <class V, class F>
[[gnu::always_inline]] inline void each_vector(int64_t count, F f) {
  int64_t i = 0;
  if constexpr (is_spare(Isa::SYMK_ISA)) {
    for (; i < count; i += V::width)
      f(i, count - i < V::width ? static_cast<int>(count - i) : V::width);
    return;
  }
  for (; i + V::width <= count; i += V::width) f(i, V::width);
  if (i < count) f(i, static_cast<int>(count - i));
}

template <class V, class T>
[[gnu::always_inline]] inline V load(const T* p, int lanes) {
  return lanes == V::width ? V::load(p) : V::load_partial(p, lanes);
}
/// Lanes that are not there hold `fill`.
template <class V, class T>
[[gnu::always_inline]] inline V load(const T* p, int lanes, T fill) {
  if (lanes == V::width) return V::load(p);
  return select(first_lanes<T>(lanes), V::load_partial(p, lanes), V(fill));
}
template <class V, class T>
[[gnu::always_inline]] inline void store(V x, T* p, int lanes) {
  if (lanes == V::width) {
    x.store(p);
  } else {
    x.store_partial(p, lanes);
  }
}

template <class T>
T largest(const T* x, int64_t n) {
  using V = Vec<T>;
  V found(kLowest<T>);
  each_vector<V>(
      n, [&](int64_t i, int lanes) { found = max(load<V>(x + i, lanes, kLowest<T>), found); });
  return reduce_max(found);
}

template <class T>
void softmax_row(const T* x, const T*, T* y, int64_t n) {
  using V = Vec<T>;
  const V shift(largest(x, n));
  V sum = V::zero();
  each_vector<V>(n, [&](int64_t i, int lanes) {
    const V e = math::exp(load<V>(x + i, lanes, kLowest<T>) - shift);
    store(e, y + i, lanes);
    sum += e;
  });
  const V scale(T(1) / reduce_add(sum));
  each_vector<V>(n,
                 [&](int64_t i, int lanes) { store(load<V>(y + i, lanes) * scale, y + i, lanes); });
}

/// The sum of exp(x - shift).
template <class T>
T sum_of_exp(const T* x, int64_t n, T shift) {
  using V = Vec<T>;
  V sum = V::zero();
  each_vector<V>(n, [&](int64_t i, int lanes) {
    sum += math::exp(load<V>(x + i, lanes, kLowest<T>) - V(shift));
  });
  return reduce_add(sum);
}

template <class T>
void log_softmax_row(const T* x, const T*, T* y, int64_t n) {
  using V = Vec<T>;
  const T shift = largest(x, n);
  const V logarithm(math::log(sum_of_exp(x, n, shift)));
  // The shift first: its difference from x is exact where both are large, and a sum with the
  // logarithm would not be.
  each_vector<V>(n, [&](int64_t i, int lanes) {
    store(load<V>(x + i, lanes) - V(shift) - logarithm, y + i, lanes);
  });
}

/// (g - sum(g y)) y.
template <class T>
void softmax_grad_row(const T* y, const T* g, T* dx, int64_t n) {
  using V = Vec<T>;
  V sum = V::zero();
  each_vector<V>(n, [&](int64_t i, int lanes) {
    sum = fma(load<V>(g + i, lanes), load<V>(y + i, lanes), sum);
  });
  const V total(reduce_add(sum));
  each_vector<V>(n, [&](int64_t i, int lanes) {
    store((load<V>(g + i, lanes) - total) * load<V>(y + i, lanes), dx + i, lanes);
  });
}

/// g - exp(y) sum(g).
template <class T>
void log_softmax_grad_row(const T* y, const T* g, T* dx, int64_t n) {
  using V = Vec<T>;
  V sum = V::zero();
  each_vector<V>(n, [&](int64_t i, int lanes) { sum += load<V>(g + i, lanes); });
  const V total(reduce_add(sum));
  each_vector<V>(n, [&](int64_t i, int lanes) {
    store(load<V>(g + i, lanes) - math::exp(load<V>(y + i, lanes)) * total, dx + i, lanes);
  });
}

template <class T, void (*row)(const T*, const T*, T*, int64_t)>
void each_row(const T* a, const T* b, T* y, int64_t n, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i) row(a + i * n, b ? b + i * n : nullptr, y + i * n, n);
}

// --- lines beside each other ---

/// One number per line of a strip. Lanes behind the strip's width are computed and not used.
template <class T>
struct StripTotals {
  alignas(64) T line[kStripWidth];

  explicit StripTotals(T start) {
    for (T& x : line) x = start;
  }
  template <class V>
  [[gnu::always_inline]] V at(int64_t i) const {
    return V::load(line + i);
  }
};

/// f(offset, i, lanes) for every row of a strip and every vector of lines in it: rows in memory
/// order, so that memory is read in pieces as long as the strip is wide.
template <class V, class F>
[[gnu::always_inline]] inline void each_in_strip(int64_t n, int64_t stride, int64_t width, F f) {
  for (int64_t row = 0; row < n; ++row) {
    each_vector<V>(width, [&](int64_t i, int lanes) { f(row * stride + i, i, lanes); });
  }
}

template <class T>
StripTotals<T> largest_of_lines(const T* x, int64_t n, int64_t stride, int64_t width) {
  using V = Vec<T>;
  StripTotals<T> found(kLowest<T>);
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    max(load<V>(x + at, lanes), found.template at<V>(i)).store(found.line + i);
  });
  return found;
}

template <class T>
void softmax_columns(const T* x, const T*, T* y, int64_t n, int64_t stride, int64_t width) {
  using V = Vec<T>;
  const StripTotals<T> shift = largest_of_lines(x, n, stride, width);
  StripTotals<T> sum(T(0));
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    const V e = math::exp(load<V>(x + at, lanes) - shift.template at<V>(i));
    store(e, y + at, lanes);
    (sum.template at<V>(i) + e).store(sum.line + i);
  });
  for (T& total : sum.line) total = T(1) / total;
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    store(load<V>(y + at, lanes) * sum.template at<V>(i), y + at, lanes);
  });
}

template <class T>
void log_softmax_columns(const T* x, const T*, T* y, int64_t n, int64_t stride, int64_t width) {
  using V = Vec<T>;
  const StripTotals<T> shift = largest_of_lines(x, n, stride, width);
  StripTotals<T> sum(T(0));
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    const V e = math::exp(load<V>(x + at, lanes) - shift.template at<V>(i));
    (sum.template at<V>(i) + e).store(sum.line + i);
  });
  for (int64_t i = 0; i < kStripWidth; i += V::width) {
    math::log(sum.template at<V>(i)).store(sum.line + i);
  }
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    const V shifted = load<V>(x + at, lanes) - shift.template at<V>(i);
    store(shifted - sum.template at<V>(i), y + at, lanes);
  });
}

template <class T>
void softmax_grad_columns(const T* y, const T* g, T* dx, int64_t n, int64_t stride, int64_t width) {
  using V = Vec<T>;
  StripTotals<T> total(T(0));
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    const V sum = fma(load<V>(g + at, lanes), load<V>(y + at, lanes), total.template at<V>(i));
    sum.store(total.line + i);
  });
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    const V rest = load<V>(g + at, lanes) - total.template at<V>(i);
    store(rest * load<V>(y + at, lanes), dx + at, lanes);
  });
}

template <class T>
void log_softmax_grad_columns(const T* y, const T* g, T* dx, int64_t n, int64_t stride,
                              int64_t width) {
  using V = Vec<T>;
  StripTotals<T> total(T(0));
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    (total.template at<V>(i) + load<V>(g + at, lanes)).store(total.line + i);
  });
  each_in_strip<V>(n, stride, width, [&](int64_t at, int64_t i, int lanes) {
    const V part = math::exp(load<V>(y + at, lanes)) * total.template at<V>(i);
    store(load<V>(g + at, lanes) - part, dx + at, lanes);
  });
}

// --- cross-entropies ---

template <class T>
void cross_entropy(const T* logits, const T* targets, T* y, int64_t n, int64_t first,
                   int64_t last) {
  using V = Vec<T>;
  for (int64_t row = first; row < last; ++row) {
    const T *x = logits + row * n, *t = targets + row * n;
    const T shift = largest(x, n);
    const V logarithm(math::log(sum_of_exp(x, n, shift)));
    V sum = V::zero();
    each_vector<V>(n, [&](int64_t i, int lanes) {
      const V target = load<V>(t + i, lanes);
      const V cost = logarithm - (load<V>(x + i, lanes) - V(shift));
      // The cost of a class that is masked is infinite; where it is no target, it counts nothing.
      const V other = select(cost == V(math::Format<T>::infinity), V::zero(), cost);
      sum = fma(target, select(target == V(0), other, cost), sum);
    });
    y[row] = reduce_add(sum);
  }
}

int64_t label_at(const void* labels, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::kInt8: return static_cast<const int8_t*>(labels)[i];
    case DType::kInt16: return static_cast<const int16_t*>(labels)[i];
    case DType::kInt32: return static_cast<const int32_t*>(labels)[i];
    case DType::kInt64: return static_cast<const int64_t*>(labels)[i];
    default: return static_cast<const uint8_t*>(labels)[i];
  }
}

template <class T>
void sparse_cross_entropy(const T* logits, const void* labels, DType label_dtype, T* y, int64_t n,
                          int64_t first, int64_t last) {
  for (int64_t row = first; row < last; ++row) {
    const T* x = logits + row * n;
    const T shift = largest(x, n);
    y[row] = math::log(sum_of_exp(x, n, shift)) - (x[label_at(labels, label_dtype, row)] - shift);
  }
}

template <class T>
constexpr SoftmaxFunctions<T> make_functions() {
  return {
      {&each_row<T, &softmax_row<T>>, &softmax_columns<T>},
      {&each_row<T, &log_softmax_row<T>>, &log_softmax_columns<T>},
      {&each_row<T, &softmax_grad_row<T>>, &softmax_grad_columns<T>},
      {&each_row<T, &log_softmax_grad_row<T>>, &log_softmax_grad_columns<T>},
      &cross_entropy<T>,
      &sparse_cross_entropy<T>,
  };
}

constexpr SoftmaxKernels make_kernels() {
  SoftmaxKernels kernels = {};
  kernels.float32 = make_functions<float>();
  if constexpr (has_float64(Isa::SYMK_ISA)) kernels.float64 = make_functions<double>();
  return kernels;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const SoftmaxKernels& SoftmaxKernels::of<Isa::SYMK_ISA>() {
  static constexpr SoftmaxKernels kernels = SYMK_ISA::make_kernels();
  return kernels;
}

}  // namespace symk::cpu
