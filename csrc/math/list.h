// What the lists of ops at the end of unary.h, binary.h and ternary.h are made of.
#pragma once

#include "math/lanes.h"

namespace symk::math {

/// The dtypes that an op takes.
enum class Domain { kFloats, kNumbers, kBool, kAny };

template <class T>
constexpr bool in_domain(Domain domain) {
  if (std::is_same_v<T, bool>) return domain == Domain::kBool || domain == Domain::kAny;
  return domain != Domain::kBool && (domain != Domain::kFloats || std::is_floating_point_v<T>);
}

template <class... Ops>
struct List {};

inline namespace SYMK_ISA {

/// Integer arithmetic modulo 2^bits: overflow wraps, as in NumPy. Small types would become int
/// before they wrap.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

template <class T>
constexpr bool kIsInteger = std::is_integral_v<T>;

}  // namespace SYMK_ISA
}  // namespace symk::math
