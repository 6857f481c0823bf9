// The elementwise ops of one operand: a name, the dtypes it takes, and the arithmetic, on scalars
// and on Vec<float>, Vec<double>. A new op is one struct here and its name in the list at the end.
#pragma once

#include "math/error_function.h"
#include "math/exponential.h"
#include "math/list.h"
#include "math/logarithm.h"
#include "math/trigonometric.h"

namespace symk::math {
inline namespace SYMK_ISA {

// --- numbers -> same ---
struct Neg {
  static constexpr const char* name = "neg";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x) const {
    if constexpr (kIsInteger<V>) {
      return static_cast<V>(Wrapping<V>(0) - static_cast<Wrapping<V>>(x));
    } else {
      return -x;
    }
  }
};
struct Abs {
  static constexpr const char* name = "abs";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x) const {
    if constexpr (kIsInteger<V>) {
      return x < V(0) ? Neg()(x) : x;
    } else {
      return abs(x);
    }
  }
};
struct Sign {
  static constexpr const char* name = "sign";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x) const {
    if constexpr (kIsInteger<V>) {
      return static_cast<V>((x > V(0)) - (x < V(0)));
    } else {
      const V zero = V(Lane<V>(0)), one = V(Lane<V>(1));
      return select(x > zero, one, select(x < zero, -one, select(x == zero, zero, x)));
    }
  }
};
struct Square {
  static constexpr const char* name = "square";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x) const {
    if constexpr (kIsInteger<V>) {
      return static_cast<V>(static_cast<Wrapping<V>>(x) * static_cast<Wrapping<V>>(x));
    } else {
      return x * x;
    }
  }
};
struct Relu {
  static constexpr const char* name = "relu";
  static constexpr Domain domain = Domain::kNumbers;
  template <class V>
  SYMK_HD V operator()(V x) const {
    // NaN is the second operand, and so stays.
    return max(V(Lane<V>(0)), x);
  }
};

// --- floats -> same: exponentials, powers ---
struct Exp {
  static constexpr const char* name = "exp";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return exp(x);
  }
};
struct Expm1 {
  static constexpr const char* name = "expm1";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return expm1(x);
  }
};
struct Log {
  static constexpr const char* name = "log";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return log(x);
  }
};
struct Log1p {
  static constexpr const char* name = "log1p";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return log1p(x);
  }
};
struct Sqrt {
  static constexpr const char* name = "sqrt";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return sqrt(x);
  }
};
struct Rsqrt {
  static constexpr const char* name = "rsqrt";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return V(Lane<V>(1)) / sqrt(x);
  }
};
struct Reciprocal {
  static constexpr const char* name = "reciprocal";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return V(Lane<V>(1)) / x;
  }
};

// --- trigonometric and hyperbolic ---
struct Sin {
  static constexpr const char* name = "sin";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return sin(x);
  }
};
struct Cos {
  static constexpr const char* name = "cos";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return cos(x);
  }
};
struct Tan {
  static constexpr const char* name = "tan";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return tan(x);
  }
};
struct Asin {
  static constexpr const char* name = "asin";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return asin(x);
  }
};
struct Acos {
  static constexpr const char* name = "acos";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return acos(x);
  }
};
struct Atan {
  static constexpr const char* name = "atan";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return atan(x);
  }
};
struct Sinh {
  static constexpr const char* name = "sinh";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return sinh(x);
  }
};
struct Cosh {
  static constexpr const char* name = "cosh";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return cosh(x);
  }
};
struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return tanh(x);
  }
};
struct Asinh {
  static constexpr const char* name = "asinh";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return asinh(x);
  }
};
struct Acosh {
  static constexpr const char* name = "acosh";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return acosh(x);
  }
};
struct Atanh {
  static constexpr const char* name = "atanh";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return atanh(x);
  }
};

// --- activations ---
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return sigmoid(x);
  }
};
struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return softplus(x);
  }
};
struct Softsign {
  static constexpr const char* name = "softsign";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return x / (V(Lane<V>(1)) + abs(x));
  }
};
struct Erf {
  static constexpr const char* name = "erf";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return erf(x);
  }
};
struct Erfinv {
  static constexpr const char* name = "erfinv";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return erfinv(x);
  }
};

// --- rounding ---
struct Floor {
  static constexpr const char* name = "floor";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return floor(x);
  }
};
struct Ceil {
  static constexpr const char* name = "ceil";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return ceil(x);
  }
};
struct Round {
  static constexpr const char* name = "round";
  static constexpr Domain domain = Domain::kFloats;
  template <class V>
  SYMK_HD V operator()(V x) const {
    return round(x);
  }
};

using UnaryOps = List<Neg, Abs, Sign, Square, Relu, Exp, Expm1, Log, Log1p, Sqrt, Rsqrt, Reciprocal,
                      Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh,
                      Sigmoid, Softplus, Softsign, Erf, Erfinv, Floor, Ceil, Round>;

// --- scalars -> bool ---
struct Isnan {
  static constexpr const char* name = "isnan";
  static constexpr Domain domain = Domain::kFloats;
  template <class T>
  SYMK_HD bool operator()(T x) const {
    return x != x;
  }
};
struct Isinf {
  static constexpr const char* name = "isinf";
  static constexpr Domain domain = Domain::kFloats;
  template <class T>
  SYMK_HD bool operator()(T x) const {
    return abs(x) == Format<T>::infinity;
  }
};
struct LogicalNot {
  static constexpr const char* name = "logical_not";
  static constexpr Domain domain = Domain::kBool;
  SYMK_HD bool operator()(bool x) const { return !x; }
};

using UnaryTests = List<Isnan, Isinf, LogicalNot>;

}  // namespace SYMK_ISA
}  // namespace symk::math
