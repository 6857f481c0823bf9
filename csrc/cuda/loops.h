// The instructions of elementwise programs on the device: one function per op and dtype, over the
// arithmetic of csrc/math. A function computes the elements of one thread, which stand a block's
// width apart in the registers of the program.
#pragma once

#include "cuda/members.h"
#include "math/binary.h"
#include "math/cast.h"
#include "math/ternary.h"
#include "math/unary.h"
#include "runtime/view.h"

namespace symk::cuda {

using Loop = void (*)(void* out, const void* a, const void* b, const void* c);

struct LoopEntry {
  const char* name = nullptr;
  DType operand = DType::kFloat32;  // of the last operand: the first of `where` is bool
  DType result = DType::kFloat32;
  int arity = 0;
  Loop loop = nullptr;
};

/// What stands in a register for T: bool is a byte.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

namespace loops {

template <class Op, class T, class R>
SYMK_CALLED void unary(void* out, const void* a, const void*, const void*) {
  const auto* x = static_cast<const Stored<T>*>(a);
  auto* y = static_cast<Stored<R>*>(out);
  for (int e = 0, i = 0; e < kPerThread; ++e, i += blockDim.x)
    y[i] = static_cast<R>(Op()(static_cast<T>(x[i])));
}

template <class Op, class T, class R>
SYMK_CALLED void binary(void* out, const void* a, const void* b, const void*) {
  const auto *x = static_cast<const Stored<T>*>(a), *z = static_cast<const Stored<T>*>(b);
  auto* y = static_cast<Stored<R>*>(out);
  for (int e = 0, i = 0; e < kPerThread; ++e, i += blockDim.x)
    y[i] = static_cast<R>(Op()(static_cast<T>(x[i]), static_cast<T>(z[i])));
}

/// C is the dtype of the first operand.
template <class Op, class C, class T>
SYMK_CALLED void ternary(void* out, const void* a, const void* b, const void* c) {
  const auto* x = static_cast<const Stored<C>*>(a);
  const auto *z = static_cast<const Stored<T>*>(b), *w = static_cast<const Stored<T>*>(c);
  auto* y = static_cast<Stored<T>*>(out);
  for (int e = 0, i = 0; e < kPerThread; ++e, i += blockDim.x)
    y[i] = Op()(static_cast<C>(x[i]), static_cast<T>(z[i]), static_cast<T>(w[i]));
}

template <class From, class To>
SYMK_CALLED void cast(void* out, const void* a, const void*, const void*) {
  const auto* x = static_cast<const Stored<From>*>(a);
  auto* y = static_cast<Stored<To>*>(out);
  for (int e = 0, i = 0; e < kPerThread; ++e, i += blockDim.x)
    y[i] = math::convert<From, To>(static_cast<From>(x[i]));
}

/// To the nearest number that float16 has, in float32 form.
template <class From>
SYMK_CALLED void round_half(void* out, const void* a, const void*, const void*) {
  const auto* x = static_cast<const Stored<From>*>(a);
  auto* y = static_cast<float*>(out);
  for (int e = 0, i = 0; e < kPerThread; ++e, i += blockDim.x)
    y[i] = math::rounded_to_half(static_cast<From>(x[i]));
}

template <class... Ts>
struct Types {};
using Numbers = Types<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t>;
using All = Types<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, bool>;

}  // namespace loops

struct LoopTable {
  LoopEntry entries[720] = {};
  int count = 0;

  constexpr void add(const char* name, DType operand, DType result, int arity, Loop loop) {
    entries[count].name = name;
    entries[count].operand = operand;
    entries[count].result = result;
    entries[count].arity = arity;
    entries[count++].loop = loop;
  }
};

namespace loops {

template <class Op, class T>
constexpr void add_unary(LoopTable& table) {
  if constexpr (math::in_domain<T>(Op::domain))
    table.add(Op::name, dtype_of<T>(), dtype_of<T>(), 1, &unary<Op, T, T>);
}
template <class Op, class T>
constexpr void add_unary_test(LoopTable& table) {
  if constexpr (math::in_domain<T>(Op::domain))
    table.add(Op::name, dtype_of<T>(), DType::kBool, 1, &unary<Op, T, bool>);
}
template <class Op, class T>
constexpr void add_binary(LoopTable& table) {
  if constexpr (math::in_domain<T>(Op::domain))
    table.add(Op::name, dtype_of<T>(), dtype_of<T>(), 2, &binary<Op, T, T>);
}
template <class Op, class T>
constexpr void add_binary_test(LoopTable& table) {
  if constexpr (math::in_domain<T>(Op::domain))
    table.add(Op::name, dtype_of<T>(), DType::kBool, 2, &binary<Op, T, bool>);
}
template <class Op, class T>
constexpr void add_ternary(LoopTable& table) {
  if constexpr (math::in_domain<T>(Op::domain))
    table.add(Op::name, dtype_of<T>(), dtype_of<T>(), 3, &ternary<Op, T, T>);
}
template <class Op, class T>
constexpr void add_choice(LoopTable& table) {
  if constexpr (math::in_domain<T>(Op::domain))
    table.add(Op::name, dtype_of<T>(), dtype_of<T>(), 3, &ternary<Op, bool, T>);
}

template <class T, class... Unary, class... Binary, class... BinaryScalar, class... Ternary>
constexpr void add_numbers(LoopTable& table, math::List<Unary...>, math::List<Binary...>,
                           math::List<BinaryScalar...>, math::List<Ternary...>) {
  (add_unary<Unary, T>(table), ...);
  (add_binary<Binary, T>(table), ...);
  (add_binary<BinaryScalar, T>(table), ...);
  (add_ternary<Ternary, T>(table), ...);
}
template <class T, class... Unary, class... Binary, class... Choice>
constexpr void add_tests(LoopTable& table, math::List<Unary...>, math::List<Binary...>,
                         math::List<Choice...>) {
  (add_unary_test<Unary, T>(table), ...);
  (add_binary_test<Binary, T>(table), ...);
  (add_choice<Choice, T>(table), ...);
}
template <class From, class... To>
constexpr void add_casts(LoopTable& table, Types<To...>) {
  (table.add("cast", dtype_of<From>(), dtype_of<To>(), 1, &cast<From, To>), ...);
  table.add("cast", dtype_of<From>(), DType::kFloat16, 1, &round_half<From>);
}

template <class... Ts>
constexpr void add_numbers_of(LoopTable& table, Types<Ts...>) {
  (add_numbers<Ts>(table, math::UnaryOps(), math::BinaryOps(), math::BinaryScalarOps(),
                   math::TernaryOps()),
   ...);
}
template <class... Ts>
constexpr void add_all_of(LoopTable& table, Types<Ts...> all) {
  (add_tests<Ts>(table, math::UnaryTests(), math::BinaryTests(), math::Choices()), ...);
  (add_casts<Ts>(table, all), ...);
}

constexpr LoopTable make_table() {
  LoopTable table;
  add_numbers_of(table, Numbers());
  add_all_of(table, All());
  return table;
}

}  // namespace loops

}  // namespace symk::cuda
