// Every elementwise op by number, which takes less room in tables than its name.
#pragma once

#include <cstdint>

#include "math/binary.h"
#include "math/ternary.h"
#include "math/unary.h"

namespace symk::math {
inline namespace SYMK_ISA {

template <class... A, class... B, class... C, class... D, class... E, class... F, class... G>
List<A..., B..., C..., D..., E..., F..., G...> all_of(List<A...>, List<B...>, List<C...>,
                                                      List<D...>, List<E...>, List<F...>,
                                                      List<G...>);
using AllOps = decltype(all_of(UnaryOps(), UnaryTests(), BinaryOps(), BinaryScalarOps(),
                               BinaryTests(), Choices(), TernaryOps()));

template <class Op, class... Ops>
constexpr uint8_t number_in(List<Ops...>) {
  static_assert((std::is_same_v<Op, Ops> || ...), "an op must be in one of the lists above");
  static_assert(sizeof...(Ops) <= UINT8_MAX, "numbers of ops are bytes");
  uint8_t number = 0;
  (void)((std::is_same_v<Op, Ops> || (++number, false)) || ...);
  return number;
}
template <class Op>
constexpr uint8_t kNumber = number_in<Op>(AllOps());

template <class... Ops>
const char* name_in(uint8_t number, List<Ops...>) {
  static constexpr const char* names[] = {Ops::name...};
  return names[number];
}
inline const char* op_name(uint8_t number) { return name_in(number, AllOps()); }

}  // namespace SYMK_ISA
}  // namespace symk::math
