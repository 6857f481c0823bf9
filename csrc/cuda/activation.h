// Unary ops by name, for the epilogues of products: a table of functions of one number, which the
// device calls by its number in the table.
#pragma once

#include <string>

#include "cuda/launch.h"
#include "math/unary.h"

namespace symk::cuda {

template <class T>
struct ActivationTable {
  using Function = T (*)(T);
  struct Entry {
    const char* name;
    Function function;
  };
  Entry entries[64] = {};
  int count = 0;
};

namespace activations {

template <class Op, class T>
SYMK_CALLED T apply(T x) {
  return Op()(x);
}

template <class T, class... Ops>
constexpr ActivationTable<T> make_table(math::List<Ops...>) {
  ActivationTable<T> table;
  ((table.entries[table.count++] = {Ops::name, &apply<Ops, T>}), ...);
  return table;
}

template <class T>
SYMK_DEVICE_TABLE constexpr ActivationTable<T> kOnDevice = make_table<T>(math::UnaryOps());
template <class T>
constexpr ActivationTable<T> kNames = make_table<T>(math::UnaryOps());

}  // namespace activations

/// The number of an activation; -1 for "". Throws Error when there is none of that name.
template <class T>
int find_activation(const std::string& name) {
  if (name.empty()) return -1;
  for (int i = 0; i < activations::kNames<T>.count; ++i) {
    if (name == activations::kNames<T>.entries[i].name) return i;
  }
  throw Error(ErrorCode::kFormat, "[activation] a unary op is required; \"" + name + "\" is none.");
}

template <class T>
SYMK_HD T activate(int number, T x) {
  return number < 0 ? x : activations::kOnDevice<T>.entries[number].function(x);
}

}  // namespace symk::cuda
