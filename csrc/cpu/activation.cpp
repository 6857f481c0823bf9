// Every op of math::UnaryOps applied in place.
#include "cpu/activation.h"

#include "cpu/vec/vec.h"
#include "math/unary.h"

namespace symk::cpu::SYMK_ISA {
namespace {

template <class Op, class T>
void apply(T* x, int64_t count) {
  constexpr int64_t width = Vec<T>::width;
  const Op op;
  int64_t i = 0;
  for (; i + width <= count; i += width) op(Vec<T>::load(x + i)).store(x + i);
  if (i < count) {
    const int lanes = static_cast<int>(count - i);
    op(Vec<T>::load_partial(x + i, lanes)).store_partial(x + i, lanes);
  }
}

template <class... Ops>
const ActivationKernels& table_of(math::List<Ops...>) {
  static constexpr NamedActivation all[] = {
      {Ops::name, &apply<Ops, float>, &apply<Ops, double>}...};
  static constexpr ActivationKernels table = {all, static_cast<int>(sizeof...(Ops))};
  return table;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const ActivationKernels& ActivationKernels::of<Isa::SYMK_ISA>() {
  return SYMK_ISA::table_of(math::UnaryOps());
}

}  // namespace symk::cpu
