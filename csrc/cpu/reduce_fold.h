// How reductions combine: for each op the lanes that run over elements, and the totals that lanes
// are folded into. Float sums run in lanes of the element type over short stretches and in double
// between them, so the error of a long sum stays near one rounding of its result.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {

template <class T>
constexpr bool kFloating = std::is_floating_point_v<T>;

/// What sums and products of T are carried in.
template <class T>
using WideOf = std::conditional_t<kFloating<T>, double, int64_t>;

/// The least value of T: -infinity for floats.
template <class T>
constexpr T least() {
  if constexpr (kFloating<T>)
    return -static_cast<T>(__builtin_inf());
  else if constexpr (std::is_unsigned_v<T>)
    return 0;
  else
    return static_cast<T>(static_cast<T>(1) << (8 * sizeof(T) - 1));
}
template <class T>
constexpr T greatest() {
  if constexpr (kFloating<T>)
    return static_cast<T>(__builtin_inf());
  else
    return static_cast<T>(~least<T>());
}

/// Wraps as two's complement does, where signed overflow would be undefined.
template <class T>
[[gnu::always_inline]] inline T wrapping_add(T a, T b) {
  if constexpr (kFloating<T>)
    return a + b;
  else
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
template <class T>
[[gnu::always_inline]] inline T wrapping_multiply(T a, T b) {
  if constexpr (kFloating<T>)
    return a * b;
  else
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

template <class T>
struct Sum {
  using Element = T;
  using Lane = std::conditional_t<kFloating<T>, T, int64_t>;
  using Total = WideOf<T>;
  static constexpr Total identity = 0;
  static Lane lane(T x) { return static_cast<Lane>(x); }
  static Lane combine(Lane a, Lane b) { return wrapping_add(a, b); }
  static Vec<T> combine_vectors(Vec<T> a, Vec<T> b) { return a + b; }
  static Total fold(Total a, Total b) { return wrapping_add(a, b); }
};

/// Products of floats run in double, so that a partial product overflows only when the result does.
template <class T>
struct Prod {
  using Element = T;
  using Lane = WideOf<T>;
  using Total = WideOf<T>;
  using Wide = Prod<double>;
  static constexpr Total identity = 1;
  static Lane lane(T x) { return static_cast<Lane>(x); }
  static Lane combine(Lane a, Lane b) { return wrapping_multiply(a, b); }
  static Vec<T> combine_vectors(Vec<T> a, Vec<T> b) { return a * b; }
  static Total fold(Total a, Total b) { return wrapping_multiply(a, b); }
};

template <class T>
struct Max {
  using Element = T;
  using Lane = T;
  using Total = T;
  static constexpr Total identity = least<T>();
  static T lane(T x) { return x; }
  static T combine(T a, T b) { return ((b > a) | (b != b)) ? b : a; }
  static Vec<T> combine_vectors(Vec<T> a, Vec<T> b) { return max_nan(a, b); }
  static T fold(T a, T b) { return combine(a, b); }
};

template <class T>
struct Min {
  using Element = T;
  using Lane = T;
  using Total = T;
  static constexpr Total identity = greatest<T>();
  static T lane(T x) { return x; }
  static T combine(T a, T b) { return ((b < a) | (b != b)) ? b : a; }
  static Vec<T> combine_vectors(Vec<T> a, Vec<T> b) { return min_nan(a, b); }
  static T fold(T a, T b) { return combine(a, b); }
};

/// Of bytes that are bool.
struct Any {
  using Element = uint8_t;
  using Lane = uint8_t;
  using Total = uint8_t;
  static constexpr Total identity = 0;
  static Lane lane(uint8_t x) { return x != 0; }
  static Lane combine(Lane a, Lane b) { return a | b; }
  static Total fold(Total a, Total b) { return a | b; }
};

struct All {
  using Element = uint8_t;
  using Lane = uint8_t;
  using Total = uint8_t;
  static constexpr Total identity = 1;
  static Lane lane(uint8_t x) { return x != 0; }
  static Lane combine(Lane a, Lane b) { return a & b; }
  static Total fold(Total a, Total b) { return a & b; }
};

/// Whether Op gives one of its operands, so that nothing is rounded.
template <class Op>
constexpr bool kChooses =
    std::is_same_v<Op, Max<typename Op::Element>> || std::is_same_v<Op, Min<typename Op::Element>>;

/// Whether Op combines whole vectors of its elements.
template <class Op, class = void>
constexpr bool kCombinesVectors = false;
template <class Op>
constexpr bool kCombinesVectors<
    Op, std::enable_if_t<kFloating<typename Op::Element> &&
                         std::is_same_v<typename Op::Lane, typename Op::Element>>> = true;

/// Combines two lanes, or two vectors of them.
template <class Op, class V>
[[gnu::always_inline]] inline V combine(V a, V b) {
  if constexpr (std::is_arithmetic_v<V>)
    return Op::combine(a, b);
  else
    return Op::combine_vectors(a, b);
}

/// Of `count` vectors, a power of two: each with the one that is half of all further on, and so on.
template <class Op, int count, int step = 1, class V>
[[gnu::always_inline]] inline V combine_all(const V* lanes) {
  if constexpr (count == 1) {
    return lanes[0];
  } else {
    const V even = combine_all<Op, count / 2, 2 * step>(lanes);
    return combine<Op>(even, combine_all<Op, count / 2, 2 * step>(lanes + step));
  }
}

constexpr int64_t kStretch = 2048;  // elements whose float sum is carried in float lanes

/// Lanes of T from numbers of the same or a narrower type.
template <class T, class From>
[[gnu::always_inline]] inline Vec<T> load_widened(const From* x) {
  if constexpr (std::is_same_v<T, From>) {
    return Vec<T>::load(x);
  } else {
    typedef From Narrow __attribute__((vector_size(sizeof(From) * Vec<T>::width)));
    Narrow narrow;
    __builtin_memcpy(&narrow, x, sizeof narrow);
    return Vec<T>(__builtin_convertvector(narrow, typename Vec<T>::Register));
  }
}

/// The total of a vector's lanes: each half with the other, until one is left.
template <class Op>
[[gnu::always_inline]] inline typename Op::Total fold_lanes(const typename Op::Element* lanes) {
  constexpr int width = Vec<typename Op::Element>::width;
  typename Op::Total totals[width];
#pragma GCC unroll 16
  for (int k = 0; k < width; ++k) totals[k] = lanes[k];
#pragma GCC unroll 4
  for (int half = width / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int k = 0; k < half; ++k) totals[k] = Op::fold(totals[k], totals[k + half]);
  }
  return totals[0];
}

/// The total of elements, or of numbers that become elements, in vectors: of at most kStretch if
/// it is rounded.
template <class Op, class From = typename Op::Element>
typename Op::Total fold_vectors(const From* x, int64_t n) {
  using T = typename Op::Element;
  constexpr int width = Vec<T>::width;
  constexpr int chains = 8;  // latency of an addition times additions per cycle
  const Vec<T> start(static_cast<T>(Op::identity));
  Vec<T> lanes[chains];
#pragma GCC unroll 8
  for (int k = 0; k < chains; ++k) lanes[k] = start;
  int64_t i = 0;
  for (; i + chains * width <= n; i += chains * width) {
#pragma GCC unroll 8
    for (int k = 0; k < chains; ++k) {
      lanes[k] = combine<Op>(lanes[k], load_widened<T>(x + i + k * width));
    }
  }
  for (; i + width <= n; i += width) lanes[0] = combine<Op>(lanes[0], load_widened<T>(x + i));
  T last[width];
  combine_all<Op, chains>(lanes).store(last);
  typename Op::Total total = fold_lanes<Op>(last);
  for (; i < n; ++i) total = Op::fold(total, x[i]);
  return total;
}

/// The total of n elements that lie side by side.
template <class Op>
typename Op::Total fold_run(const typename Op::Element* x, int64_t n) {
  using T = typename Op::Element;
  typename Op::Total total = Op::identity;
  if constexpr (kCombinesVectors<Op>) {
    if (n < Vec<T>::width) {
      for (int64_t i = 0; i < n; ++i) total = Op::fold(total, x[i]);
      return total;
    }
    const int64_t stretch = kChooses<Op> ? n : kStretch;
    for (int64_t i = 0; i < n; i += stretch) {
      total = Op::fold(total, fold_vectors<Op>(x + i, n - i < stretch ? n - i : stretch));
    }
  } else if constexpr (kFloating<typename Op::Lane>) {
    for (int64_t i = 0; i < n; i += kStretch) {
      const int64_t count = n - i < kStretch ? n - i : kStretch;
      total = Op::fold(total, fold_vectors<typename Op::Wide>(x + i, count));
    }
  } else {
    // One plain loop: the order does not matter, so the compiler makes its own chains. (Chains
    // written out, with lanes wider than the elements, are vectorised wrongly by GCC 12.)
    typename Op::Lane lane = static_cast<typename Op::Lane>(Op::identity);
    for (int64_t i = 0; i < n; ++i) lane = Op::combine(lane, Op::lane(x[i]));
    total = Op::fold(total, lane);
  }
  return total;
}

}  // namespace symk::cpu::SYMK_ISA
