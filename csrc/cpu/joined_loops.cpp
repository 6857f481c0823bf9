// Pairs of ops that optimizers, normalisations and gradients of activations are made of, in
// float32: float64 has the same bits without them.
#include "cpu/joined_loops.h"

#include <type_traits>

#include "cpu/vector_loops.h"
#include "math/binary.h"
#include "math/ternary.h"
#include "math/unary.h"

namespace symk::cpu::SYMK_ISA {
namespace {

using math::Add;
using math::Div;
using math::Mul;
using math::Relu;
using math::Sqrt;
using math::Square;
using math::Sub;

/// outer(inner(a, b), c)
template <class Outer, class Inner>
struct First {
  template <class V>
  [[gnu::always_inline]] V operator()(V a, V b, V c) const {
    return Outer()(Inner()(a, b), c);
  }
};
/// outer(a, inner(b, c))
template <class Outer, class Inner>
struct Second {
  template <class V>
  [[gnu::always_inline]] V operator()(V a, V b, V c) const {
    return Outer()(a, Inner()(b, c));
  }
};
/// outer(a b, inner(c, d)): the product has been joined before.
template <class Outer>
struct TwoProducts {
  template <class V>
  [[gnu::always_inline]] V operator()(V a, V b, V c, V d) const {
    return Outer()(Mul()(a, b), Mul()(c, d));
  }
};
/// outer(unary(a), b)
template <class Outer, class Unary>
struct FirstUnary {
  template <class V>
  [[gnu::always_inline]] V operator()(V a, V b) const {
    return Outer()(Unary()(a), b);
  }
};
/// outer(a, unary(b))
template <class Outer, class Unary>
struct SecondUnary {
  template <class V>
  [[gnu::always_inline]] V operator()(V a, V b) const {
    return Outer()(a, Unary()(b));
  }
};
/// unary(inner(a, b))
template <class Unary, class Inner>
struct UnaryOf {
  template <class V>
  [[gnu::always_inline]] V operator()(V a, V b) const {
    return Unary()(Inner()(a, b));
  }
};
/// where(compare(a, b), c, d), as gradients of relu, maximum and clip are.
template <class Compare>
struct WhereOf {
  template <class V>
  [[gnu::always_inline]] V operator()(V a, V b, V c, V d) const {
    return select(Compare()(a, b), c, d);
  }
};
/// K.sqrt: no negative number has a root.
struct SafeRoot {
  static constexpr const char* name = "sqrt(relu)";
  template <class V>
  [[gnu::always_inline]] V operator()(V a) const {
    return Sqrt()(Relu()(a));
  }
};

struct Table {
  JoinedLoop loops[is_spare(Isa::SYMK_ISA) ? 1 : 68] = {};
  int count = 0;

  constexpr void add(JoinedLoop loop) { loops[count++] = loop; }
};

/// What a product plus or minus something is called: a further product can join it.
template <class Outer, class Inner>
constexpr const char* name_of_sum() {
  if (!std::is_same_v<Inner, Mul>) return nullptr;
  return std::is_same_v<Outer, Add> ? "mul+" : (std::is_same_v<Outer, Sub> ? "mul-" : nullptr);
}

template <class Outer, class Inner>
constexpr void add_binary(Table& table) {
  table.add({Outer::name, Inner::name, 0, name_of_sum<Outer, Inner>(),
             ternary_vector<First<Outer, Inner>, float>});
  table.add(
      {Outer::name, Inner::name, 1, nullptr, ternary_vector<Second<Outer, Inner>, float>});
}
template <class Outer, class Unary>
constexpr void add_unary(Table& table) {
  table.add({Outer::name, Unary::name, 0, nullptr,
             binary_vector<FirstUnary<Outer, Unary>, float>});
  table.add({Outer::name, Unary::name, 1, nullptr,
             binary_vector<SecondUnary<Outer, Unary>, float>});
}
template <class Unary, class Inner>
constexpr void add_unary_of(Table& table) {
  table.add(
      {Unary::name, Inner::name, 0, nullptr, binary_vector<UnaryOf<Unary, Inner>, float>});
}

template <class Compare>
constexpr void add_where(Table& table) {
  table.add({math::Where::name, Compare::name, 0, nullptr,
             quaternary_vector<WhereOf<Compare>, float>});
}

template <class Outer>
constexpr void add_outer(Table& table) {
  add_binary<Outer, Add>(table);
  add_binary<Outer, Sub>(table);
  add_binary<Outer, Mul>(table);
  add_binary<Outer, Div>(table);
  add_unary<Outer, Square>(table);
  add_unary<Outer, Sqrt>(table);
  add_unary<Outer, SafeRoot>(table);
}

constexpr void add_all(Table& table) {
  add_outer<Add>(table);
  add_outer<Sub>(table);
  add_outer<Mul>(table);
  add_outer<Div>(table);
  table.add({"mul+", Mul::name, 2, nullptr, quaternary_vector<TwoProducts<Add>, float>});
  table.add({"mul-", Mul::name, 2, nullptr, quaternary_vector<TwoProducts<Sub>, float>});
  table.add({Sqrt::name, Relu::name, 0, SafeRoot::name, unary_vector<SafeRoot, float>});
  add_unary_of<Relu, Add>(table);
  add_unary_of<Relu, Sub>(table);
  add_unary_of<Square, Sub>(table);
  add_where<math::Greater>(table);
  add_where<math::GreaterEqual>(table);
  add_where<math::Less>(table);
  add_where<math::LessEqual>(table);
}

constexpr Table make_table() {
  Table table;
  if constexpr (!is_spare(Isa::SYMK_ISA)) add_all(table);
  return table;
}

constexpr Table kTable = make_table();

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const JoinedLoops& JoinedLoops::of<Isa::SYMK_ISA>() {
  static constexpr JoinedLoops loops = {SYMK_ISA::kTable.loops, SYMK_ISA::kTable.count};
  return loops;
}

}  // namespace symk::cpu
