// The four passes of batch normalisation and its gradient. Sums run in lanes of the element type
// over few lines and in double between them; their terms are shifted, so that a mean far from zero
// costs no accuracy.
#include "cpu/norm.h"

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int64_t kBlock = 1024;  // columns whose accumulators stay in the first-level cache
constexpr int kLines = 4;         // lines that one load of the accumulators serves
constexpr int kGroups = 8;        // groups of lines between two foldings into double

/// Two running sums for each of up to kBlock columns.
template <class T>
struct Sums {
  alignas(64) T one[kBlock];
  alignas(64) T two[kBlock];
  alignas(64) double all_one[kBlock];
  alignas(64) double all_two[kBlock];

  explicit Sums(int64_t width) {
    for (int64_t j = 0; j < width; ++j) all_one[j] = all_two[j] = 0;
    for (int64_t j = 0; j < width; ++j) one[j] = two[j] = 0;
  }

  void fold(int64_t width) {
    for (int64_t j = 0; j < width; ++j) {
      all_one[j] += static_cast<double>(one[j]);
      all_two[j] += static_cast<double>(two[j]);
      one[j] = two[j] = 0;
    }
  }
};

/// The first and second term of the sums of x - shift and its square.
template <class T>
struct MomentTerms {
  const T* x;
  const T* shift;

  [[gnu::always_inline]] void add(int64_t i, int64_t j, T& one, T& two) const {
    const T d = x[i] - shift[j];
    one += d;
    two += d * d;
  }
};

/// Those of g and g * (x - mean).
template <class T>
struct GradTerms {
  const T* x;
  const T* g;
  const T* mean;

  [[gnu::always_inline]] void add(int64_t i, int64_t j, T& one, T& two) const {
    one += g[i];
    two += g[i] * (x[i] - mean[j]);
  }
};

/// Adds `count` elements of column j, `stride` apart. No loop, so that one over j becomes vectors.
template <int count, class T, class Terms>
[[gnu::always_inline]] inline void add_elements(const Terms& terms, int64_t i, int64_t stride,
                                                int64_t j, T& one, T& two) {
  terms.add(i, j, one, two);
  if constexpr (count > 1) add_elements<count - 1>(terms, i + stride, stride, j, one, two);
}

/// Adds `lines` (at most kLines) of `width` columns that begin at `start`, `stride` apart; column j
/// has values `column + j`.
template <int lines, class T, class Terms>
[[gnu::always_inline]] inline void add_lines(const Terms& terms, int64_t start, int64_t stride,
                                             int64_t column, int64_t width, Sums<T>& sums) {
  T* __restrict sum_one = sums.one;
  T* __restrict sum_two = sums.two;
  for (int64_t j = 0; j < width; ++j) {
    T one = 0, two = 0;
    add_elements<lines>(terms, start + j, stride, column + j, one, two);
    sum_one[j] += one;
    sum_two[j] += two;
  }
}

/// Both sums over rows first..last-1 for columns of a line from `column` on, into `sums`.
template <class T, class Terms>
void sum_block(const NormPlan& plan, const Terms& terms, int64_t first, int64_t last,
               int64_t column, int64_t width, Sums<T>& sums) {
  const int64_t stride = plan.repeats * plan.channels;
  const int64_t lines = (last - first) / plan.repeats;
  int64_t start = first * plan.channels + column;
  int64_t line = 0;
  for (int group = 1; line + kLines <= lines; line += kLines, start += kLines * stride, ++group) {
    add_lines<kLines>(terms, start, stride, column, width, sums);
    if (group % kGroups == 0) sums.fold(width);
  }
  for (; line < lines; ++line, start += stride) {
    add_lines<1>(terms, start, stride, column, width, sums);
  }
  // Rows that do not fill a line; then a line is one block, so `column` is 0.
  const int64_t rest = (last - first) % plan.repeats * plan.channels;
  if (rest > 0) add_lines<1>(terms, start, stride, column, rest, sums);
  sums.fold(width);
}

template <class T, class Terms>
void sum_terms(const NormPlan& plan, const Terms& terms, int64_t first, int64_t last,
               double* result) {
  const int64_t channels = plan.channels, length = plan.repeats * channels;
  for (int64_t column = 0; column < length; column += kBlock) {
    const int64_t width = length - column < kBlock ? length - column : kBlock;
    Sums<T> sums(width);
    sum_block(plan, terms, first, last, column, width, sums);
    const int64_t own = width < channels ? width : channels;
    for (int64_t j = 0; j < own; ++j) {
      double one = sums.all_one[j], two = sums.all_two[j];
      for (int64_t i = j + channels; i < width; i += channels) {
        one += sums.all_one[i];
        two += sums.all_two[i];
      }
      result[column + j] = one;
      result[channels + column + j] = two;
    }
  }
}

template <class T>
void moments(const NormPlan& plan, const void* x, const void* shift, int64_t first, int64_t last,
             double* sums) {
  const MomentTerms<T> terms = {static_cast<const T*>(x), static_cast<const T*>(shift)};
  sum_terms<T>(plan, terms, first, last, sums);
}

template <class T>
void grad_sums(const NormPlan& plan, const void* x, const void* g, const void* mean, int64_t first,
               int64_t last, double* sums) {
  const GradTerms<T> terms = {static_cast<const T*>(x), static_cast<const T*>(g),
                              static_cast<const T*>(mean)};
  sum_terms<T>(plan, terms, first, last, sums);
}

/// Calls f(start, items) for the lines of rows first..last-1.
template <class F>
[[gnu::always_inline]] inline void for_lines(const NormPlan& plan, int64_t first, int64_t last,
                                             F&& f) {
  const int64_t length = plan.repeats * plan.channels, end = last * plan.channels;
  for (int64_t start = first * plan.channels; start < end; start += length) {
    f(start, end - start < length ? end - start : length);
  }
}

template <class T>
void normalise(const NormPlan& plan, const void* x_data, const void* mean_data,
               const void* scale_data, const void* beta_data, int64_t first, int64_t last,
               void* y_data) {
  const T* mean = static_cast<const T*>(mean_data);
  const T* scale = static_cast<const T*>(scale_data);
  const T* beta = static_cast<const T*>(beta_data);
  for_lines(plan, first, last, [&](int64_t start, int64_t n) {
    const T* x = static_cast<const T*>(x_data) + start;
    T* __restrict y = static_cast<T*>(y_data) + start;
    for (int64_t j = 0; j < n; ++j) y[j] = (x[j] - mean[j]) * scale[j] + beta[j];
  });
}

template <class T>
void grad_input(const NormPlan& plan, const void* x_data, const void* g_data, const void* mean_data,
                const void* scale_data, const void* slope_data, const void* offset_data,
                int64_t first, int64_t last, void* dx_data) {
  const T* mean = static_cast<const T*>(mean_data);
  const T* scale = static_cast<const T*>(scale_data);
  const T* slope = static_cast<const T*>(slope_data);
  const T* offset = static_cast<const T*>(offset_data);
  for_lines(plan, first, last, [&](int64_t start, int64_t n) {
    const T* x = static_cast<const T*>(x_data) + start;
    const T* g = static_cast<const T*>(g_data) + start;
    T* __restrict dx = static_cast<T*>(dx_data) + start;
    for (int64_t j = 0; j < n; ++j) {
      dx[j] = scale[j] * g[j] - slope[j] * (x[j] - mean[j]) - offset[j];
    }
  });
}

template <class T>
constexpr void set(NormKernels& table, int place) {
  table.moments[place] = moments<T>;
  table.normalise[place] = normalise<T>;
  table.grad_sums[place] = grad_sums<T>;
  table.grad_input[place] = grad_input<T>;
}

constexpr NormKernels make_table() {
  NormKernels table = {};
  set<float>(table, 0);
  if constexpr (has_float64(Isa::SYMK_ISA)) set<double>(table, 1);
  return table;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const NormKernels& NormKernels::of<Isa::SYMK_ISA>() {
  static constexpr NormKernels table = SYMK_ISA::make_table();
  return table;
}

}  // namespace symk::cpu
