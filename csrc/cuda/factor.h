// What products multiply: the attribute `products`, and how an operand is rounded for it.
#pragma once

#include <string>

#include "cpu/require.h"
#include "cuda/launch.h"
#include "math/bfloat16.h"
#include "math/tf32.h"

namespace symk::cuda {

/// The numbers that operands of float32 are rounded to. Sums are of float32 for all of them.
enum class Factor { kFloat32, kTf32, kBfloat16, kFloat16 };

/// "winograd" allows sums of another order, which no kernel here takes.
inline Factor factor_of(const Binding& binding, const char* kernel) {
  const std::string products = binding.text("products", "float32");
  if (products == "float32" || products == "winograd") return Factor::kFloat32;
  cpu::require(products == "tf32" || products == "bfloat16" || products == "float16", kernel,
               "products must be of float32, winograd, tf32, bfloat16 or float16");
  cpu::require_dtype(binding.outputs()[0], DType::kFloat32, kernel);
  if (products == "tf32") return Factor::kTf32;
  return products == "bfloat16" ? Factor::kBfloat16 : Factor::kFloat16;
}

/// An operand as it is multiplied.
template <class T>
SYMK_HD T as_factor(T x, Factor factor) {
  if constexpr (sizeof(T) == 4) {
    switch (factor) {
      case Factor::kTf32: return math::rounded_to_tf32(x);
      case Factor::kBfloat16: return math::rounded_to_bfloat16(x);
      case Factor::kFloat16: return math::half_to_float(math::float_to_half(x));
      default: return x;
    }
  } else {
    return x;
  }
}

}  // namespace symk::cuda
