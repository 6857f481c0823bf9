// Loops over the arithmetic of csrc/math. Floating ops that keep their dtype run on Vec; the rest
// are plain loops, which the compiler turns into vectors. Arithmetic of integers is compiled once,
// for all machines.
#include "cpu/elementwise.h"

#include "cpu/vector_loops.h"
#include "math/cast.h"
#include "math/ops.h"

// Iterations are independent: an output is one of the inputs or apart from them.
#if defined(__clang__)
#define SYMK_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define SYMK_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace symk::cpu::SYMK_ISA {
namespace {

/// What stands in memory for T: bool is a byte.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class T>
const Stored<T>* read(const void* p) {
  return static_cast<const Stored<T>*>(p);
}
template <class T>
Stored<T>* write(void* p) {
  return static_cast<Stored<T>*>(p);
}

// --- loops on scalars ---

template <class Op, class T, class R>
void unary_scalar(const void* const* in, void* out, int64_t n) {
  const auto* x = read<T>(in[0]);
  auto* y = write<R>(out);
  SYMK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<R>(Op()(static_cast<T>(x[i])));
}

template <class Op, class T, class R>
[[gnu::noinline]] void binary_scalar(const void* const* in, void* out, int64_t n) {
  const auto *a = read<T>(in[0]), *b = read<T>(in[1]);
  auto* y = write<R>(out);
  SYMK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i)
    y[i] = static_cast<R>(Op()(static_cast<T>(a[i]), static_cast<T>(b[i])));
}

/// C is the dtype of the first operand.
template <class Op, class C, class T>
void ternary_scalar(const void* const* in, void* out, int64_t n) {
  const auto* a = read<C>(in[0]);
  const auto *b = read<T>(in[1]), *c = read<T>(in[2]);
  auto* y = write<T>(out);
  SYMK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const T yes = static_cast<T>(b[i]), no = static_cast<T>(c[i]);
    y[i] = Op()(static_cast<C>(a[i]), yes, no);
  }
}

/// A loop of two operands, which trade places.
template <Loop loop>
void traded(const void* const* in, void* out, int64_t n) {
  const void* const operands[] = {in[1], in[0]};
  loop(operands, out, n);
}

/// Op of integers by the code for signed ones, if it asks for their bits alone.
template <class Op, class T>
using Signless =
    std::conditional_t<(std::is_same_v<Op, math::Add> || std::is_same_v<Op, math::Sub> ||
                        std::is_same_v<Op, math::Mul> || std::is_same_v<Op, math::Equal> ||
                        std::is_same_v<Op, math::NotEqual> || std::is_same_v<Op, math::Where>) &&
                           std::is_same_v<T, uint8_t>,
                       int8_t, T>;

template <class Op, class T>
constexpr Loop test_of_two() {
  // a > b as b < a.
  if constexpr (std::is_same_v<Op, math::Greater>) {
    return traded<&binary_scalar<math::Less, T, bool>>;
  } else if constexpr (std::is_same_v<Op, math::GreaterEqual>) {
    return traded<&binary_scalar<math::LessEqual, T, bool>>;
  } else {
    return binary_scalar<Op, Signless<Op, T>, bool>;
  }
}

// --- casts ---

template <class From, class To>
void cast(const void* const* in, void* out, int64_t n) {
  const auto* x = read<From>(in[0]);
  auto* y = write<To>(out);
  SYMK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = math::convert<From, To>(static_cast<From>(x[i]));
}

/// From float, as math::saturate: seven instructions, of which compilers would make twice as many.
template <class From>
void cast_to_int32(const void* const* in, void* out, int64_t n) {
  using V = Vec<From>;
  const From* x = read<From>(in[0]);
  int32_t* y = write<int32_t>(out);
  const V above(0x1p31f);
  for (int64_t i = 0; i < n; i += V::width) {
    const int lanes = n - i < V::width ? static_cast<int>(n - i) : V::width;
    const V value = lanes == V::width ? V::load(x + i) : V::load_partial(x + i, lanes);
    const V inside = max(select(value < above, value, V::zero()), V(-0x1p31f));
    const Mask<int32_t> large = mask_cast<int32_t>(value >= above);
    const Vec<int32_t> cut = select(large, Vec<int32_t>(INT32_MAX), to_integer(trunc(inside)));
    if (lanes == V::width) {
      cut.store(y + i);
    } else {
      cut.store_partial(y + i, lanes);
    }
  }
}

// --- float16, in float32 form while it is computed with ---

void widen_half(const void* const* in, void* out, int64_t n) {
  const uint16_t* x = read<uint16_t>(in[0]);
  float* y = write<float>(out);
  SYMK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = math::half_to_float(x[i]);
}
void narrow_half(const void* const* in, void* out, int64_t n) {
  const float* x = read<float>(in[0]);
  uint16_t* y = write<uint16_t>(out);
  SYMK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = math::float_to_half(x[i]);
}
/// As math::rounded_to_half, by the machine's own instructions, which keep the digits of a NaN.
struct RoundHalf {
  template <class V>
  [[gnu::always_inline]] V operator()(V x) const {
    return select(is_nan(x), copysign(V(math::Format<float>::nan), x), rounded_to_half(x));
  }
};
template <class From>
void cast_to_half(const void* const* in, void* out, int64_t n) {
  const auto* x = read<From>(in[0]);
  float* y = write<float>(out);
  SYMK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (sizeof(From) == 1) {
      y[i] = static_cast<float>(x[i]);  // float16 has them all
    } else {
      y[i] = math::rounded_to_half(x[i]);
    }
  }
}

template <class From>
constexpr Loop to_half() {
  if constexpr (kRoundsToHalf && std::is_same_v<From, float>) {
    return unary_vector<RoundHalf, From>;
  } else {
    return &cast_to_half<From>;
  }
}

template <class T>
void fill_items(void* out, const void* item, int64_t n) {
  T value;
  __builtin_memcpy(&value, item, sizeof(T));
  T* y = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) y[i] = value;
}

void fill(void* out, const void* item, int item_bytes, int64_t n) {
  switch (item_bytes) {
    case 1: return fill_items<uint8_t>(out, item, n);
    case 2: return fill_items<uint16_t>(out, item, n);
    case 4: return fill_items<uint32_t>(out, item, n);
    default: return fill_items<uint64_t>(out, item, n);
  }
}

// --- the table ---

constexpr bool kForIntegers = is_for_integers(Isa::SYMK_ISA);

struct Table {
  LoopEntry entries[kForIntegers ? 240 : 160] = {};
  int count = 0;
  constexpr void add(LoopEntry entry) { entries[count++] = entry; }
};

template <class... Ts>
struct Types {};
using All = Types<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, bool>;
using Integers = Types<int8_t, int16_t, int32_t, int64_t, uint8_t>;
using Numbers = std::conditional_t<kForIntegers, Integers, Types<float, double>>;
using Compared = std::conditional_t<kForIntegers, Integers, Types<float, double, bool>>;

/// Calls f.template operator()<Op, T>() for every op and every type in its domain.
template <class T, class F, class... Ops>
constexpr void each_op(F& f, math::List<Ops...>) {
  (
      [&] {
        if constexpr (math::in_domain<T>(Ops::domain)) f.template operator()<Ops, T>();
      }(),
      ...);
}
template <class Ops, class F, class... Ts>
constexpr void each(F f, Ops ops, Types<Ts...>) {
  (each_op<Ts>(f, ops), ...);
}

struct AddUnary {
  Table& table;
  template <class Op, class T>
  constexpr void operator()() const {
    if constexpr (std::is_floating_point_v<T>) {
      table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 1, unary_vector<Op, T>});
    } else {
      table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 1, &unary_scalar<Op, T, T>});
    }
  }
};
struct AddUnaryTest {
  Table& table;
  template <class Op, class T>
  constexpr void operator()() const {
    table.add({math::kNumber<Op>, dtype_of<T>(), DType::kBool, 1, &unary_scalar<Op, T, bool>});
  }
};
struct AddBinary {
  Table& table;
  template <class Op, class T>
  constexpr void operator()() const {
    if constexpr (std::is_floating_point_v<T>) {
      table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 2, binary_vector<Op, T>});
    } else {
      using S = Signless<Op, T>;
      table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 2, &binary_scalar<Op, S, S>});
    }
  }
};
struct AddBinaryScalar {
  Table& table;
  template <class Op, class T>
  constexpr void operator()() const {
    table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 2, &binary_scalar<Op, T, T>});
  }
};
struct AddBinaryTest {
  Table& table;
  template <class Op, class T>
  constexpr void operator()() const {
    table.add({math::kNumber<Op>, dtype_of<T>(), DType::kBool, 2, test_of_two<Op, T>()});
  }
};
struct AddWhere {
  Table& table;
  template <class Op, class T>
  constexpr void operator()() const {
    table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 3,
               &ternary_scalar<Op, bool, Signless<Op, T>>});
  }
};
struct AddTernary {
  Table& table;
  template <class Op, class T>
  constexpr void operator()() const {
    if constexpr (std::is_floating_point_v<T>) {
      table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 3, ternary_vector<Op, T>});
    } else {
      table.add({math::kNumber<Op>, dtype_of<T>(), dtype_of<T>(), 3, &ternary_scalar<Op, T, T>});
    }
  }
};

constexpr Table make_table() {
  Table table;
  each(AddUnary{table}, math::UnaryOps(), Numbers());
  each(AddUnaryTest{table}, math::UnaryTests(), Compared());
  each(AddBinary{table}, math::BinaryOps(), Numbers());
  each(AddBinaryScalar{table}, math::BinaryScalarOps(), Numbers());
  each(AddBinaryTest{table}, math::BinaryTests(), Compared());
  each(AddWhere{table}, math::Choices(), Compared());
  each(AddTernary{table}, math::TernaryOps(), Numbers());
  return table;
}

constexpr Table kTable = make_table();

/// Whether every set has a cast of its own.
template <class From, class To>
constexpr bool is_in_sets() {
  constexpr bool same = std::is_same_v<From, To>, to_bool = std::is_same_v<To, bool>;
  if (std::is_same_v<From, float>) return sizeof(To) >= 4 || to_bool;
  return std::is_same_v<To, float> || (same && (to_bool || std::is_same_v<To, double>));
}

template <class From, class To>
constexpr void add_cast(ElementwiseKernels& kernels) {
  if constexpr (is_in_sets<From, To>() != kForIntegers) {
    constexpr bool of_vectors = Isa::SYMK_ISA != Isa::portable && std::is_same_v<From, float> &&
                                std::is_same_v<To, int32_t>;
    Loop loop = &cast<From, To>;
    if constexpr (of_vectors) loop = &cast_to_int32<From>;
    kernels.casts[static_cast<int>(dtype_of<From>())][static_cast<int>(dtype_of<To>())] = loop;
  }
}
template <class From, class... To>
constexpr void add_casts(ElementwiseKernels& kernels, Types<To...>) {
  (add_cast<From, To>(kernels), ...);
  if constexpr (std::is_same_v<From, float> != kForIntegers) {
    kernels.casts[static_cast<int>(dtype_of<From>())][static_cast<int>(DType::kFloat16)] =
        to_half<From>();
  }
}
template <class... From>
constexpr void add_all_casts(ElementwiseKernels& kernels, Types<From...> all) {
  (add_casts<From>(kernels, all), ...);
}

constexpr ElementwiseKernels make_kernels() {
  ElementwiseKernels kernels = {};
  kernels.loops = kTable.entries;
  kernels.loop_count = kTable.count;
  add_all_casts(kernels, All());
  constexpr int f32 = static_cast<int>(DType::kFloat32), f16 = static_cast<int>(DType::kFloat16);
  for (int to = 0; to < kDTypeCount; ++to) kernels.casts[f16][to] = kernels.casts[f32][to];
  kernels.casts[f16][f16] = kernels.casts[f32][f32];
  if constexpr (!kForIntegers) {
    kernels.widen_half = &widen_half;
    kernels.narrow_half = &narrow_half;
    kernels.round_half = to_half<float>();
    kernels.fill = &fill;
  }
  return kernels;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const ElementwiseKernels& ElementwiseKernels::of<Isa::SYMK_ISA>() {
  static constexpr ElementwiseKernels kernels = SYMK_ISA::make_kernels();
  return kernels;
}

}  // namespace symk::cpu
