// Vec<T> and Mask<T> lane by lane against scalars. Compiled once per instruction set, as kernels
// are.
#include "cpu/vec/vec.h"
#include "cpu/dispatch.h"
#include "outcome.h"

#include <cmath>
#include <cstdio>
#include <initializer_list>

using namespace symk::cpu::SYMK_ISA;
using namespace symk::test;

namespace {

void expect(bool condition, const char* what, double x = 0, double y = 0) {
  ++cases;
  if (condition) return;
  ++failures;
  std::printf("FAIL %s of %g, %g\n", what, x, y);
}

template <class T>
bool same(T a, T b) {
  return a == b && std::signbit(a) == std::signbit(b);
}

/// The bits of a mask whose lanes all agree.
template <class T>
uint32_t all(bool set) {
  return set ? (uint32_t{1} << Vec<T>::width) - 1 : 0;
}

template <class T>
void test_memory() {
  using V = Vec<T>;
  T from[64], to[64];
  for (int i = 0; i < 64; ++i) from[i] = static_cast<T>(i);
  for (int n = 0; n <= V::width; ++n) {
    const V part = V::load_partial(from + 1, n);
    for (int i = 0; i < V::width; ++i)
      expect(part[i] == (i < n ? from[i + 1] : T(0)), "load_partial", n, i);
    for (T& value : to) value = T(-1);
    V::load(from + 3).store_partial(to + 2, n);
    for (int i = 0; i < 64; ++i)
      expect(to[i] == (i >= 2 && i < 2 + n ? from[i + 1] : T(-1)), "store_partial", n, i);
  }
  alignas(64) T line[16] = {};
  V(T(5)).stream(line);
  stream_fence();
  for (int i = 0; i < V::width; ++i) expect(line[i] == T(5), "stream", i);
}

template <class T>
void test_one(T x) {
  using V = Vec<T>;
  const V v(x);
  const double shown = static_cast<double>(x);
  for (int i : {0, V::width - 1}) {
    expect(same(v[i], x), "broadcast", shown);
    expect(same(round(v)[i], std::nearbyint(x)), "round", shown);
    expect(same(floor(v)[i], std::floor(x)), "floor", shown);
    expect(same(ceil(v)[i], std::ceil(x)), "ceil", shown);
    expect(same(trunc(v)[i], std::trunc(x)), "trunc", shown);
    expect(same(abs(v)[i], std::fabs(x)), "abs", shown);
    expect(same((-v)[i], -x), "negation", shown);
    expect(same(copysign(V(T(3)), v)[i], std::copysign(T(3), x)), "copysign", shown);
    if (std::fabs(x) < T(4194304)) {
      expect(static_cast<T>(to_integer(v)[i]) == std::nearbyint(x), "to_integer", shown);
      expect(to_float(to_integer(v))[i] == std::nearbyint(x), "to_float", shown);
    }
  }
}

template <class T>
void test_pair(T x, T y) {
  const Vec<T> a(x), b(y);
  const double p = static_cast<double>(x), q = static_cast<double>(y);
  expect(mask_bits(a < b) == all<T>(x < y), "<", p, q);
  expect(mask_bits(a <= b) == all<T>(x <= y), "<=", p, q);
  expect(mask_bits(a > b) == all<T>(x > y), ">", p, q);
  expect(mask_bits(a >= b) == all<T>(x >= y), ">=", p, q);
  expect(mask_bits(a == b) == all<T>(x == y), "==", p, q);
  expect(mask_bits(a != b) == all<T>(x != y), "!=", p, q);
  const auto equal = [](T r, T s) { return std::isnan(s) ? std::isnan(r) : r == s; };
  expect(equal(min(a, b)[0], x < y ? x : y), "min", p, q);
  expect(equal(max(a, b)[0], x > y ? x : y), "max", p, q);
  expect(equal(min_nan(a, b)[0], std::isnan(x) ? x : (x < y ? x : y)), "min_nan", p, q);
  expect(equal(max_nan(a, b)[0], std::isnan(x) ? x : (x > y ? x : y)), "max_nan", p, q);
  expect(equal(select(a < b, a, b)[0], x < y ? x : y), "select", p, q);
  expect(mask_bits((a < b) | ~(a < b)) == all<T>(true), "or, not", p, q);
  expect(mask_bits((a < b) & (a > b)) == 0, "and", p, q);
}

template <class T>
void test_lanes() {
  using V = Vec<T>;
  constexpr int width = V::width;
  T count[width];
  for (int i = 0; i < width; ++i) count[i] = static_cast<T>(i);
  const V v = V::load(count);
  expect(reduce_add(v) == static_cast<T>(width * (width - 1) / 2), "reduce_add");
  expect(reduce_max(v) == static_cast<T>(width - 1) && reduce_min(v) == T(0),
         "reduce_max, reduce_min");
  for (int i = 0; i < width; ++i) {
    expect(fma(v, v, v)[i] == count[i] * count[i] + count[i], "fma", i);
    expect(sqrt(v * v)[i] == count[i], "sqrt", i);
    expect(pick(v, IVec<T>(static_cast<typename IntegerOf<T>::type>(i)) + width)[0] == count[i],
           "pick", i);
    expect(mask_bits(first_lanes<T>(i)) == (uint32_t{1} << i) - 1, "first_lanes", i);
  }
  V rows[width];
  for (int i = 0; i < width; ++i) rows[i] = v + static_cast<T>(100 * i);
  transpose(rows);
  for (int i = 0; i < width; ++i) {
    for (int k = 0; k < width; ++k)
      expect(rows[i][k] == static_cast<T>(100 * k + i), "transpose", i, k);
  }
}

template <class I>
void test_integers() {
  const Vec<I> v(I(-8));
  expect(shift_right(v, 1)[0] == I(-4), "shift_right");
  expect(shift_left(v, 1)[0] == I(-16), "shift_left");
  expect(shift_right_logical(v, static_cast<int>(8 * sizeof(I)) - 3)[0] == I(7),
         "shift_right_logical");
  expect(mask_bits(v < Vec<I>(I(0))) == all<I>(true), "integer <");
  expect(bit_and(v, bit_not(v))[0] == 0 && bit_xor(v, v)[0] == 0 && bit_or(v, v)[0] == I(-8),
         "bit operations");
  expect(select(v == v, v, v + v)[0] == I(-8), "integer select");
  expect(mask_bits(mask_cast<typename FloatOf<I>::type>(v == v)) == all<I>(true), "mask_cast");
}

template <class T>
void test_floats() {
  const T inf = static_cast<T>(INFINITY);
  const T values[] = {T(0),      T(-0.0),       T(0.5),       T(-0.5),      T(1.5),
                      T(-1.5),   T(2.5),        T(0.3),       T(-0.3),      T(-0.7),
                      T(1000.5), T(-7.9),       T(123456.75), T(4194303.5), T(8388609),
                      T(-1e30),  T(0.49999997), inf,          -inf};
  const T nan = static_cast<T>(NAN);
  for (T x : values) {
    test_one(x);
    for (T y : values) test_pair(x, y);
    test_pair(x, nan);
    test_pair(nan, x);
  }
  test_pair(nan, nan);
  expect(std::isnan(round(Vec<T>(nan))[0]) && std::isnan(floor(Vec<T>(nan))[0]), "rounding NaN");
  test_memory<T>();
  test_lanes<T>();
}

}  // namespace

int main() {
  if (symk::cpu::active_isa() != symk::cpu::Isa::SYMK_ISA) {
    std::printf("set SYMK_ISA to the set that this test was compiled for\n");
    return 1;
  }
  test_floats<float>();
  test_floats<double>();
  test_memory<int32_t>();
  test_memory<int64_t>();
  test_integers<int32_t>();
  test_integers<int64_t>();
  const auto product =
      multiply_low_halves(Vec<int64_t>(int64_t{0x1ffffffff}), Vec<int64_t>(int64_t{0xffffffff}));
  expect(static_cast<uint64_t>(product[0]) == uint64_t{0xffffffff} * uint64_t{0xffffffff},
         "multiply_low_halves");
  return report("vec");
}
