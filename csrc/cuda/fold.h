// Folding: what a block or a thread does with many values of which one total is made. Totals are
// double for floating sums and products, 64-bit integers for those of integers, so that the order
// of a long sum matters little; it is fixed by shape all the same.
#pragma once

#include <type_traits>

#include "cuda/launch.h"
#include "math/exponential.h"
#include "math/logarithm.h"

namespace symk::cuda {

template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

/// The least value of T: -infinity for floats.
template <class T>
SYMK_HD T least() {
  if constexpr (std::is_floating_point_v<T>) {
    return -math::Format<T>::infinity;
  } else if constexpr (std::is_unsigned_v<T>) {
    return 0;
  } else {
    return static_cast<T>(T(1) << (8 * sizeof(T) - 1));
  }
}
template <class T>
SYMK_HD T greatest() {
  if constexpr (std::is_floating_point_v<T>) {
    return math::Format<T>::infinity;
  } else {
    return static_cast<T>(~least<T>());
  }
}

// Each op: what one element is as a total, how totals meet, and what the result is. `of` knows the
// number of the element within its total.

template <class T>
struct Sum {
  using Total = Wide<T>;
  SYMK_HD static Total start() { return 0; }
  SYMK_HD static Total of(T x, int64_t) { return static_cast<Total>(x); }
  SYMK_HD static Total fold(Total a, Total b) { return a + b; }
  template <class R>
  SYMK_HD static R result(Total total, double) {
    return static_cast<R>(total);
  }
};

/// Sums divided by their number.
template <class T>
struct Mean : Sum<T> {
  template <class R>
  SYMK_HD static R result(Wide<T> total, double count) {
    if constexpr (std::is_floating_point_v<T>) {
      return static_cast<R>(total / count);
    } else {
      return static_cast<R>(static_cast<double>(static_cast<int64_t>(total)) / count);
    }
  }
};

template <class T>
struct Prod {
  using Total = Wide<T>;
  SYMK_HD static Total start() { return 1; }
  SYMK_HD static Total of(T x, int64_t) { return static_cast<Total>(x); }
  SYMK_HD static Total fold(Total a, Total b) { return a * b; }
  template <class R>
  SYMK_HD static R result(Total total, double) {
    return static_cast<R>(total);
  }
};

template <class T>
struct Max {
  using Total = T;
  SYMK_HD static T start() { return least<T>(); }
  SYMK_HD static T of(T x, int64_t) { return x; }
  SYMK_HD static T fold(T a, T b) { return ((b > a) | (b != b)) ? b : a; }
  template <class R>
  SYMK_HD static R result(T total, double) {
    return static_cast<R>(total);
  }
};

template <class T>
struct Min {
  using Total = T;
  SYMK_HD static T start() { return greatest<T>(); }
  SYMK_HD static T of(T x, int64_t) { return x; }
  SYMK_HD static T fold(T a, T b) { return ((b < a) | (b != b)) ? b : a; }
  template <class R>
  SYMK_HD static R result(T total, double) {
    return static_cast<R>(total);
  }
};

template <class T>
struct Any {
  using Total = uint8_t;
  SYMK_HD static Total start() { return 0; }
  SYMK_HD static Total of(T x, int64_t) { return x != T(0); }
  SYMK_HD static Total fold(Total a, Total b) { return a | b; }
  template <class R>
  SYMK_HD static R result(Total total, double) {
    return static_cast<R>(total);
  }
};

template <class T>
struct All {
  using Total = uint8_t;
  SYMK_HD static Total start() { return 1; }
  SYMK_HD static Total of(T x, int64_t) { return x != T(0); }
  SYMK_HD static Total fold(Total a, Total b) { return a & b; }
  template <class R>
  SYMK_HD static R result(Total total, double) {
    return static_cast<R>(total);
  }
};

/// log(sum(exp)): the largest so far, and the sum relative to it.
template <class T>
struct LogSumExp {
  struct Total {
    T largest;
    double sum;
  };
  SYMK_HD static Total start() { return {least<T>(), 0}; }
  SYMK_HD static Total of(T x, int64_t) { return {x, 1}; }
  SYMK_HD static Total fold(Total a, Total b) {
    const Total &high = b.largest > a.largest ? b : a, &low = b.largest > a.largest ? a : b;
    if (a.largest != a.largest || b.largest != b.largest) return {a.largest + b.largest, 1};
    if (low.sum == 0) return high;
    if (high.largest - low.largest == math::Format<T>::infinity) return high;
    if (high.largest == low.largest) return {high.largest, high.sum + low.sum};
    return {high.largest,
            high.sum + low.sum * static_cast<double>(math::exp(low.largest - high.largest))};
  }
  template <class R>
  SYMK_HD static R result(Total total, double) {
    if (math::abs(total.largest) == math::Format<T>::infinity) return total.largest;
    return static_cast<R>(static_cast<double>(total.largest) + math::log(total.sum));
  }
};

/// The first position of the largest (smallest); NaN wins, -1 of nothing.
template <class T, bool smallest>
struct ArgMost {
  struct Total {
    T value;
    int64_t position;
  };
  SYMK_HD static Total start() { return {T(0), -1}; }
  SYMK_HD static Total of(T x, int64_t position) { return {x, position}; }
  SYMK_HD static Total fold(Total a, Total b) {
    if (a.position < 0) return b;
    if (b.position < 0) return a;
    const bool nan_a = a.value != a.value, nan_b = b.value != b.value;
    const bool equal = a.value == b.value || (nan_a && nan_b);
    if (equal) return a.position < b.position ? a : b;
    if (nan_a || nan_b) return nan_a ? a : b;
    return (smallest ? a.value < b.value : a.value > b.value) ? a : b;
  }
  template <class R>
  SYMK_HD static R result(Total total, double) {
    return static_cast<R>(total.position);
  }
};

constexpr int kFoldThreads = 256;

/// The fold of one total per thread of a block of kFoldThreads, for all its threads.
template <class Op>
SYMK_HD typename Op::Total fold_block(typename Op::Total total) {
  __shared__ typename Op::Total totals[kFoldThreads];
  const int thread = threadIdx.x;
  __syncthreads();  // the totals of a fold before have been read
  totals[thread] = total;
  for (int half = kFoldThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) totals[thread] = Op::fold(totals[thread], totals[thread + half]);
  }
  __syncthreads();
  return totals[0];
}

}  // namespace symk::cuda
