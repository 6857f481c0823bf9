// The arithmetic of every elementwise op, as its loops compute it, against the C library in a wider
// type: over all exponents, at special values, for lengths around the width of a vector. SYMK_ISA
// chooses the instruction set.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/loops.h"
#include "outcome.h"

using namespace symk;
using namespace symk::test;
using symk::cpu::ElementwiseKernels;
using symk::cpu::Loop;

namespace {

const ElementwiseKernels& table() { return cpu::kernels<ElementwiseKernels>(); }

Loop find_loop(const std::string& name, DType operand) {
  ++cases;
  for (const DType result : {operand, DType::kBool}) {
    for (int arity = 1; arity <= 3; ++arity) {
      const cpu::LoopEntry* const entry = cpu::find_loop(name.c_str(), arity, operand, result);
      if (entry != nullptr) return entry->loop;
    }
  }
  std::printf("no loop for %s\n", name.c_str());
  ++failures;
  return nullptr;
}

/// The distance of a result from the exact value in units of the last place; infinite if a NaN, an
/// infinity or the sign of a zero is wrong.
template <class T>
double distance(T actual, long double exact) {
  const double wrong = std::numeric_limits<double>::infinity();
  if (std::isnan(exact) || std::isnan(actual))
    return std::isnan(exact) && std::isnan(actual) ? 0 : wrong;
  const T rounded = static_cast<T>(exact);
  if (actual == rounded && std::signbit(actual) == std::signbit(rounded)) return 0;
  const T largest = std::numeric_limits<T>::max();
  if (std::isinf(actual))
    return std::fabs(exact) >= largest * (1 - 4 * std::numeric_limits<T>::epsilon()) ? 1 : wrong;
  if (std::isinf(rounded))
    return std::fabs(actual) >= largest * (1 - 4 * std::numeric_limits<T>::epsilon()) ? 1 : wrong;
  if (actual == 0 && rounded == 0) return wrong;
  const T unit = std::nextafter(std::fabs(rounded), largest) - std::fabs(rounded);
  return static_cast<double>(std::fabs(static_cast<long double>(actual) - exact) / unit);
}

/// Numbers of every exponent and sign, the neighbourhood of zero on a fine grid, and special ones.
template <class T>
std::vector<T> numbers() {
  std::vector<T> x;
  const T limits = std::numeric_limits<T>::max_exponent + T(30);
  for (T power = -limits; power < limits; power += T(0.0371)) {
    const T value = static_cast<T>(std::exp2(static_cast<long double>(power)));
    x.push_back(value);
    x.push_back(-value);
  }
  for (int i = -30000; i <= 30000; ++i) {
    x.push_back(static_cast<T>(i * 0.000137L));
    x.push_back(static_cast<T>(i * 0.0259L));
  }
  const T inf = std::numeric_limits<T>::infinity(), tiny = std::numeric_limits<T>::denorm_min();
  for (T special : {T(0), inf, std::numeric_limits<T>::quiet_NaN(), tiny,
                    std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), T(0.5), T(1),
                    T(1.5), T(2.5), T(88.7228394), T(103.97208), T(709.7827), T(745.13),
                    std::nextafter(T(1), T(0)), std::nextafter(T(1), T(2)), T(8192), T(8193)}) {
    x.push_back(special);
    x.push_back(-special);
  }
  return x;
}

struct Unary {
  const char* name;
  long double (*exact)(long double);
  double float_limit, double_limit;  // units in the last place
};

long double exact_erfinv(long double x) {
  const long double size = std::fabs(x);
  if (!(size < 1))
    return size == 1 ? std::copysign(std::numeric_limits<long double>::infinity(), x)
                     : std::nanl("");
  if (size < 1e-10L) return x * 0.886226925452758013649L;
  long double low = 0, high = 20;
  for (int i = 0; i < 140; ++i) {
    const long double middle = (low + high) / 2;
    const bool below = size < 0.5L ? std::erf(middle) < size : std::erfc(middle) > 1 - size;
    (below ? low : high) = middle;
  }
  return std::copysign((low + high) / 2, x);
}

// The C library's own limit is half a unit or little more; ours are what the arithmetic gives,
// rounded up.
const Unary kUnary[] = {
    {"neg", [](long double x) { return -x; }, 0, 0},
    {"abs", [](long double x) { return std::fabs(x); }, 0, 0},
    {"sign",
     [](long double x) { return std::isnan(x) ? x
                                : x == 0      ? 0.0L * x
                                              : std::copysign(1.0L, x); },
     0, 0},
    {"square", [](long double x) { return x * x; }, 0.51, 0.51},
    {"relu", [](long double x) { return std::isnan(x) ? x
                                        : x > 0       ? x
                                        : x == 0      ? x
                                                      : 0.0L; }, 0, 0},
    {"exp", [](long double x) { return std::exp(x); }, 1.1, 1.1},
    {"expm1", [](long double x) { return std::expm1(x); }, 1.5, 2.0},
    {"log", [](long double x) { return std::log(x); }, 1.0, 1.0},
    {"log1p", [](long double x) { return std::log1p(x); }, 1.5, 1.5},
    {"sqrt", [](long double x) { return std::sqrt(x); }, 0.51, 0.51},
    {"rsqrt", [](long double x) { return 1 / std::sqrt(x); }, 1.5, 1.5},
    {"reciprocal", [](long double x) { return 1 / x; }, 0.51, 0.51},
    {"sin", [](long double x) { return std::sin(x); }, 2.0, 0.6},
    {"cos", [](long double x) { return std::cos(x); }, 2.0, 0.6},
    {"tan", [](long double x) { return std::tan(x); }, 3.0, 0.8},
    {"asin", [](long double x) { return std::asin(x); }, 2.5, 0.6},
    {"acos", [](long double x) { return std::acos(x); }, 1.5, 0.6},
    {"atan", [](long double x) { return std::atan(x); }, 1.5, 0.6},
    {"sinh", [](long double x) { return std::sinh(x); }, 2.5, 2.5},
    {"cosh", [](long double x) { return std::cosh(x); }, 1.5, 1.5},
    {"tanh", [](long double x) { return std::tanh(x); }, 2.5, 2.7},
    {"asinh", [](long double x) { return std::asinh(x); }, 2.0, 2.0},
    {"acosh", [](long double x) { return std::acosh(x); }, 2.0, 2.0},
    {"atanh", [](long double x) { return std::atanh(x); }, 2.0, 2.0},
    {"sigmoid", [](long double x) { return 1 / (1 + std::exp(-x)); }, 2.5, 2.5},
    {"softplus", [](long double x) { return x > 11000 ? x : std::log1p(std::exp(x)); }, 2.0, 2.0},
    {"softsign", [](long double x) { return x / (1 + std::fabs(x)); }, 1.6, 1.6},
    {"erf", [](long double x) { return std::erf(x); }, 1.5, 1.0},
    {"erfinv", exact_erfinv, 2.5, 1.5},
    {"floor", [](long double x) { return std::floor(x); }, 0, 0},
    {"ceil", [](long double x) { return std::ceil(x); }, 0, 0},
    {"round", [](long double x) { return std::nearbyint(x); }, 0, 0},
};

/// True for the one freedom there is: relu and sign may give either zero for -0.
bool is_free_zero(const char* name, long double exact) {
  return exact == 0 && (std::strcmp(name, "relu") == 0 || std::strcmp(name, "sign") == 0);
}

template <class T>
void check_unary(const Unary& op, double limit) {
  const Loop loop = find_loop(op.name, dtype_of<T>());
  if (!loop) return;
  const std::vector<T> x = numbers<T>();
  std::vector<T> y(x.size());
  const void* in[] = {x.data()};
  loop(in, y.data(), static_cast<int64_t>(x.size()));
  double worst = 0;
  T where = 0, got = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact = op.exact(x[i]);
    if (is_free_zero(op.name, exact) && y[i] == 0) continue;
    const double away = distance(y[i], exact);
    if (away > worst) worst = away, where = x[i], got = y[i];
  }
  if (worst <= limit) return;
  ++failures;
  std::printf("%s float%d: %.3g units at %a, limit %.3g; got %a, exact %La\n", op.name,
              static_cast<int>(sizeof(T) * 8), worst, static_cast<double>(where), limit,
              static_cast<double>(got), op.exact(where));
}

struct Binary {
  const char* name;
  long double (*exact)(long double, long double);
  double limit;
};

/// Python's rule, from the exact remainder of C.
long double exact_mod(long double x, long double y) {
  const long double r = std::fmod(x, y);
  if (r == 0) return std::copysign(0.0L, y);
  return (r < 0) != (y < 0) ? r + y : r;
}
long double exact_floor_div(long double x, long double y) {
  if (y == 0 || std::isnan(x) || std::isnan(y) || std::isinf(x))
    return y == 0 ? x / y : std::nanl("");
  if (std::isinf(y)) return x == 0 ? x / y : (x < 0) != (y < 0) ? -1.0L : 0.0L;
  const long double quotient = std::floor(x / y);
  return quotient == 0 ? std::copysign(0.0L, x / y) : quotient;
}

const Binary kBinary[] = {
    {"add", [](long double x, long double y) { return x + y; }, 0.51},
    {"sub", [](long double x, long double y) { return x - y; }, 0.51},
    {"mul", [](long double x, long double y) { return x * y; }, 0.51},
    {"div", [](long double x, long double y) { return x / y; }, 0.51},
    {"pow", [](long double x, long double y) { return std::pow(x, y); }, 0.6},
    {"atan2", [](long double x, long double y) { return std::atan2(x, y); }, 2.0},
    {"mod", exact_mod, 0.51},
    {"floor_div", exact_floor_div, 0.51},
    {"maximum",
     [](long double x, long double y) {
       return std::isnan(x) || std::isnan(y) ? x + y : x > y ? x : y;
     },
     0},
    {"minimum",
     [](long double x, long double y) {
       return std::isnan(x) || std::isnan(y) ? x + y : x < y ? x : y;
     },
     0},
    {"elu", [](long double x, long double a) { return x > 0 ? x : a * std::expm1(x); }, 2.5},
};

template <class T>
void check_binary(const Binary& op) {
  const Loop loop = find_loop(op.name, dtype_of<T>());
  if (!loop) return;
  const T inf = std::numeric_limits<T>::infinity();
  std::vector<T> values = {0,        -T(0),    1,      -1,      2,
                           -2,       3,        -3,     T(0.5),  T(-0.5),
                           T(1e-20), T(-7.25), inf,    -inf,    std::numeric_limits<T>::quiet_NaN(),
                           T(1e20),  T(100.5), T(-63), T(0.999)};
  for (int i = 0; i < 60; ++i)
    values.push_back(static_cast<T>(std::sin(i * 12.9898L) * std::exp2(i % 13 - 5)));
  for (int i = 1; i < 30; ++i) values.push_back(T(i) * T(0.1));  // quotients next to integers
  std::vector<T> x, y;
  for (T a : values) {
    for (T b : values) x.push_back(a), y.push_back(b);
  }
  std::vector<T> z(x.size());
  const void* in[] = {x.data(), y.data()};
  loop(in, z.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact = op.exact(x[i], y[i]);
    const bool free_zero = exact == 0 && z[i] == 0 && op.limit == 0;  // the larger of 0 and -0
    // A quotient that rounds to an integer is that integer's floor in long double but not in T, and
    // the reverse.
    const bool at_step = std::strcmp(op.name, "floor_div") == 0 &&
                         std::fabs(exact) > 1 / std::numeric_limits<T>::epsilon();
    if (free_zero || at_step || distance(z[i], exact) <= op.limit) continue;
    ++failures;
    std::printf("%s(%a, %a) float%d: got %a, exact %La\n", op.name, static_cast<double>(x[i]),
                static_cast<double>(y[i]), static_cast<int>(sizeof(T) * 8),
                static_cast<double>(z[i]), exact);
    return;
  }
}

/// Integers against 128-bit arithmetic, cut to the type.
template <class T>
void check_integers() {
  const T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  const std::vector<T> values = {0,
                                 1,
                                 2,
                                 3,
                                 7,
                                 10,
                                 high,
                                 static_cast<T>(high - 1),
                                 static_cast<T>(high / 2),
                                 low,
                                 static_cast<T>(low + 1),
                                 static_cast<T>(-1),
                                 static_cast<T>(-2),
                                 static_cast<T>(-7)};
  using Wide = __int128;
  auto floor_div = [](Wide x, Wide y) -> Wide {
    if (y == 0) return 0;
    return x / y - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0);
  };
  auto power = [](Wide x, Wide y) -> Wide {
    if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
    T r = 1;
    for (Wide i = 0; i < (y > 300 ? 300 + y % 2 : y); ++i)
      r = static_cast<T>(static_cast<uint64_t>(r) * static_cast<uint64_t>(x));
    return r;
  };
  for (T x : values) {
    for (T y : values) {
      auto expect = [&](const char* name, Wide exact) {
        const Loop loop = find_loop(name, dtype_of<T>());
        T got = 0;
        const void* in[] = {&x, &y};
        if (loop) loop(in, &got, 1);
        if (got == static_cast<T>(exact)) return;
        ++failures;
        std::printf("%s(%lld, %lld) of %d bytes: got %lld\n", name, static_cast<long long>(x),
                    static_cast<long long>(y), static_cast<int>(sizeof(T)),
                    static_cast<long long>(got));
      };
      const Wide a = x, b = y;
      expect("add", a + b), expect("sub", a - b), expect("mul", a * b);
      expect("maximum", a > b ? a : b), expect("minimum", a < b ? a : b);
      expect("neg", -a), expect("abs", a < 0 ? -a : a), expect("square", a * a),
          expect("relu", a > 0 ? a : 0);
      expect("sign", a > 0 ? 1 : a < 0 ? -1 : 0);
      expect("floor_div", floor_div(a, b)), expect("mod", b == 0 ? 0 : a - b * floor_div(a, b));
      // Powers repeat with a short period modulo 2^bits for odd x and are 0 for even x; 300 of them
      // show it for 8 bits.
      if (sizeof(T) == 1 || (y >= 0 && y <= 10) || y < 0) expect("pow", power(a, b));
    }
  }
}

template <class From, class To>
void check_cast(const std::vector<From>& values, const std::vector<To>& expected) {
  std::vector<To> got(values.size());
  const void* in[] = {values.data()};
  cpu::find_cast(dtype_of<From>(), dtype_of<To>())(in, got.data(),
                                                   static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (got[i] == expected[i]) continue;
    ++failures;
    std::printf("cast of %g: got %lld, not %lld\n", static_cast<double>(values[i]),
                static_cast<long long>(got[i]), static_cast<long long>(expected[i]));
  }
}

template <class From, class To>
void check_saturation() {
  const From inf = std::numeric_limits<From>::infinity(),
             nan = std::numeric_limits<From>::quiet_NaN();
  const To low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
  const From above = std::ldexp(From(1), std::numeric_limits<To>::digits);
  check_cast<From, To>(
      {nan, inf, -inf, From(1e30), From(-1e30), above, std::nextafter(-above, -inf) - From(1),
       From(1.9), From(-0.9), From(100), From(0)},
      {0, high, low, high, low, high, low, 1, 0, 100, 0});
}

/// All float16 numbers widen and narrow to themselves; the halfway cases go to even.
void check_half() {
  std::vector<uint16_t> half(65536), back(65536);
  std::vector<float> wide(65536);
  for (size_t i = 0; i < half.size(); ++i) half[i] = static_cast<uint16_t>(i);
  const void* in[] = {half.data()};
  table().widen_half(in, wide.data(), 65536);
  in[0] = wide.data();
  table().narrow_half(in, back.data(), 65536);
  for (int i = 0; i < 65536; ++i) {
    const bool is_nan = (i & 0x7fff) > 0x7c00;
    const int exponent = (i >> 10) & 31, mantissa = i & 1023;
    const double size =
        exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
    const bool right =
        is_nan
            ? std::isnan(wide[i]) && (back[i] & 0x7fff) > 0x7c00
            : (exponent == 31 ? std::isinf(wide[i]) : std::fabs(wide[i]) == size) && back[i] == i;
    if (right) continue;
    ++failures;
    std::printf("float16 bits %04x widen to %g\n", i, static_cast<double>(wide[i]));
    return;
  }
  for (int i = 0; i < 0x7bff; ++i) {
    const float middle = (wide[i] + wide[i + 1]) / 2;  // exact in float
    const float below = std::nextafterf(middle, 0.0f), above = std::nextafterf(middle, 1e9f);
    const float given[] = {middle, below, above};
    const uint16_t expected[] = {static_cast<uint16_t>(i + (i & 1)), static_cast<uint16_t>(i),
                                 static_cast<uint16_t>(i + 1)};
    uint16_t got[3];
    in[0] = given;
    table().narrow_half(in, got, 3);
    if (std::memcmp(got, expected, sizeof(got)) == 0) continue;
    ++failures;
    std::printf("narrowing near float16 bits %04x\n", i);
    return;
  }
  // Rounded to float32 first, this would look like a halfway case.
  const double tricky = 1.0 + 0x1p-11 + 0x1p-40;
  float rounded = 0;
  in[0] = &tricky;
  cpu::find_cast(DType::kFloat64, DType::kFloat16)(in, &rounded, 1);
  if (rounded != 1.0f + 0x1p-10f) {
    ++failures;
    std::printf("float64 to float16 rounds twice\n");
  }
}

/// Every length up to some vectors writes its elements and nothing behind them.
void check_lengths() {
  for (int i = 0; i < table().loop_count; ++i) {
    const cpu::LoopEntry& entry = table().loops[i];
    const int64_t item = item_bytes(entry.result), operand = item_bytes(entry.operand);
    for (int64_t n : {0, 1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 65, 100}) {
      const std::vector<char> x(static_cast<size_t>(n * operand)),
          condition(static_cast<size_t>(n * operand));
      std::vector<char> y(static_cast<size_t>(n * item) + 64, 0x5a);
      const void* in[] = {condition.data(), x.data(), x.data()};
      entry.loop(in, y.data(), n);
      bool kept = true;
      for (size_t k = static_cast<size_t>(n * item); k < y.size(); ++k) kept = kept && y[k] == 0x5a;
      if (kept) continue;
      ++failures;
      std::printf("%s writes behind %lld elements\n", cpu::loop_name(entry),
                  static_cast<long long>(n));
    }
  }
}

/// An element's bits do not depend on its neighbours: not on their values, nor on where it stands.
void check_neighbours() {
  const float values[] = {0.1f, -3.0f, 1e30f, 0.7f, INFINITY, NAN, 1e-40f, -0.0f, 90.0f, 0.999f};
  for (int i = 0; i < table().loop_count; ++i) {
    const cpu::LoopEntry& entry = table().loops[i];
    if (entry.arity != 1 || entry.operand != DType::kFloat32 || entry.result != entry.operand) {
      continue;
    }
    std::vector<float> x, y(70);
    for (int k = 0; k < 70; ++k) x.push_back(values[k * 7 % 10]);
    const void* in[] = {x.data()};
    entry.loop(in, y.data(), 70);
    for (size_t k = 0; k < x.size(); ++k) {
      float alone = 0;
      in[0] = &x[k];
      entry.loop(in, &alone, 1);
      if (std::isnan(alone) ? std::isnan(y[k]) : std::memcmp(&alone, &y[k], 4) == 0) continue;
      ++failures;
      std::printf("%s(%g) depends on its neighbours\n", cpu::loop_name(entry),
                  static_cast<double>(x[k]));
      break;
    }
  }
}

}  // namespace

int main() {
  for (const Unary& op : kUnary) {
    check_unary<float>(op, op.float_limit);
    check_unary<double>(op, op.double_limit);
  }
  for (const Binary& op : kBinary) {
    check_binary<float>(op);
    if (std::strcmp(op.name, "pow") != 0 && std::strcmp(op.name, "mul") != 0)
      check_binary<double>(op);
  }
  check_integers<int8_t>(), check_integers<int16_t>(), check_integers<int32_t>(),
      check_integers<int64_t>();
  check_integers<uint8_t>();
  check_saturation<float, int8_t>(), check_saturation<float, int16_t>(),
      check_saturation<float, int32_t>();
  check_saturation<float, int64_t>(), check_saturation<float, uint8_t>(),
      check_saturation<double, int8_t>();
  check_saturation<double, int16_t>(), check_saturation<double, int32_t>(),
      check_saturation<double, int64_t>();
  check_saturation<double, uint8_t>();
  check_half();
  check_lengths();
  check_neighbours();
  return report(cpu::isa_name(cpu::active_isa()));
}
