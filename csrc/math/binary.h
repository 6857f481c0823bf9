// The elementwise ops of two operands: a name, the dtypes it takes, and the arithmetic, on scalars
// and on Vec<float>, Vec<double>. A new op is one struct here and its name in the list at the end.
// Overflow of integers wraps.
#pragma once

#include "math/exponential.h"
#include "math/list.h"
#include "math/logarithm.h"
#include "math/power.h"
#include "math/trigonometric.h"

namespace symk::math {
inline namespace SYMK_ISA {

// --- numbers -> same ---
struct Add {
  static constexpr const char* name = "add";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    if constexpr (kIsInteger<V>) {
      return static_cast<V>(static_cast<Wrapping<V>>(x) + static_cast<Wrapping<V>>(y));
    } else {
      return x + y;
    }
  }
};
struct Sub {
  static constexpr const char* name = "sub";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    if constexpr (kIsInteger<V>) {
      return static_cast<V>(static_cast<Wrapping<V>>(x) - static_cast<Wrapping<V>>(y));
    } else {
      return x - y;
    }
  }
};
struct Mul {
  static constexpr const char* name = "mul";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    if constexpr (kIsInteger<V>) {
      return static_cast<V>(static_cast<Wrapping<V>>(x) * static_cast<Wrapping<V>>(y));
    } else {
      return x * y;
    }
  }
};
struct Maximum {
  static constexpr const char* name = "maximum";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    return max_nan(x, y);
  }
};
struct Minimum {
  static constexpr const char* name = "minimum";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    return min_nan(x, y);
  }
};

// --- floats -> same ---
struct Div {
  static constexpr const char* name = "div";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    return x / y;
  }
};
struct Atan2 {
  static constexpr const char* name = "atan2";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V y, V x) const {
    return atan2(y, x);
  }
};
/// x where it is positive, else alpha (exp(x) - 1).
struct Elu {
  static constexpr const char* name = "elu";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x, V alpha) const {
    return select(x > V(Lane<V>(0)), x, alpha * expm1(x));
  }
};
/// -targets log(s) - (1 - targets) log(1 - s) with s = sigmoid(logits), without overflow.
struct SigmoidCrossEntropy {
  static constexpr const char* name = "sigmoid_cross_entropy";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x, V target) const {
    return max(V(Lane<V>(0)), x) - x * target + log1p_exp(x);
  }
};

struct FloorDiv {
  static constexpr const char* name = "floor_div";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    return floor_div(x, y);
  }
};
struct Mod {
  static constexpr const char* name = "mod";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    return mod(x, y);
  }
};

using BinaryOps = List<Add, Sub, Mul, Maximum, Minimum, Div, Atan2, Elu, SigmoidCrossEntropy,
                       FloorDiv, Mod>;

// --- numbers -> same, on scalars only ---
struct Pow {
  static constexpr const char* name = "pow";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x, V y) const {
    return pow(x, y);
  }
};

using BinaryScalarOps = List<Pow>;

// --- scalars -> bool ---
struct Equal {
  static constexpr const char* name = "equal";
  static constexpr Domain domain = Domain::kAny;
  template <class T>
  SYMK_HD bool operator()(T x, T y) const {
    return x == y;
  }
};
struct NotEqual {
  static constexpr const char* name = "not_equal";
  static constexpr Domain domain = Domain::kAny;
  template <class T>
  SYMK_HD bool operator()(T x, T y) const {
    return x != y;
  }
};
// Of vectors, the comparisons give a mask.
struct Less {
  static constexpr const char* name = "less";
  static constexpr Domain domain = Domain::kNumbers;
  template <class T>
  SYMK_HD auto operator()(T x, T y) const {
    return x < y;
  }
};
struct LessEqual {
  static constexpr const char* name = "less_equal";
  static constexpr Domain domain = Domain::kNumbers;
  template <class T>
  SYMK_HD auto operator()(T x, T y) const {
    return x <= y;
  }
};
struct Greater {
  static constexpr const char* name = "greater";
  static constexpr Domain domain = Domain::kNumbers;
  template <class T>
  SYMK_HD auto operator()(T x, T y) const {
    return x > y;
  }
};
struct GreaterEqual {
  static constexpr const char* name = "greater_equal";
  static constexpr Domain domain = Domain::kNumbers;
  template <class T>
  SYMK_HD auto operator()(T x, T y) const {
    return x >= y;
  }
};
struct LogicalAnd {
  static constexpr const char* name = "logical_and";
  static constexpr Domain domain = Domain::kBool;
  SYMK_HD bool operator()(bool x, bool y) const { return x & y; }
};
struct LogicalOr {
  static constexpr const char* name = "logical_or";
  static constexpr Domain domain = Domain::kBool;
  SYMK_HD bool operator()(bool x, bool y) const { return x | y; }
};
struct LogicalXor {
  static constexpr const char* name = "logical_xor";
  static constexpr Domain domain = Domain::kBool;
  SYMK_HD bool operator()(bool x, bool y) const { return x ^ y; }
};

using BinaryTests = List<Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, LogicalAnd,
                         LogicalOr, LogicalXor>;

}  // namespace SYMK_ISA
}  // namespace symk::math
