// The elementwise ops of three operands: a name, the dtypes it takes, and the arithmetic: `where`
// on scalars, `clip` on Vec too.
#pragma once

#include "math/list.h"

namespace symk::math {
inline namespace SYMK_ISA {

struct Where {
  static constexpr const char* name = "where";
  static constexpr Domain domain = Domain::kAny;
  template <class T>
  SYMK_HD T operator()(bool condition, T yes, T no) const {
    return condition ? yes : no;
  }
};

/// min(max(x, low), high); NaN in any operand stays.
struct Clip {
  static constexpr const char* name = "clip";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V low, V high) const {
    return min_nan(max_nan(x, low), high);
  }
};

using TernaryOps = List<Clip>;
// A condition, and two of one dtype.
using Choices = List<Where>;

}  // namespace SYMK_ISA
}  // namespace symk::math
