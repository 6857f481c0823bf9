// What a product does to finished values before they are written:
//   min(activation(product * scale + bias + addend), limit) * factor
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/epilogue_plan.h"
#include "cuda/activation.h"
#include "cuda/device.h"

namespace symk::cuda {

/// Each part may be missing. `scale` and `bias` have one element per column.
template <class T>
struct Epilogue {
  const T* parts[cpu::EpiloguePlan::kParts] = {};  // scale, bias, addend, factor
  int activation = -1;
  T limit = INFINITY;  // of relu; NaN stays

  SYMK_HD T operator()(T x, int64_t column, int64_t place) const {
    if (parts[0] != nullptr) x = x * parts[0][column];
    if (parts[1] != nullptr) x = x + parts[1][column];
    if (parts[2] != nullptr) x = x + parts[2][place];
    x = activate(activation, x);
    if (x > limit) x = limit;
    return parts[3] != nullptr ? x * parts[3][place] : x;
  }
};

/// The same by a tile itself, whose activation is relu or none: a call of any other would put all
/// of csrc/math into each kernel.
template <class T>
struct TileEpilogue {
  const T* parts[cpu::EpiloguePlan::kParts] = {};
  bool has_relu = false;
  T limit = INFINITY;

  /// Whether there is nothing to do.
  bool is_plain() const {
    return !has_relu && limit == static_cast<T>(INFINITY) &&
           std::all_of(parts, parts + cpu::EpiloguePlan::kParts,
                       [](const T* part) { return part == nullptr; });
  }

  SYMK_HD T operator()(T x, int64_t column, int64_t place) const {
    if (parts[0] != nullptr) x = x * parts[0][column];
    if (parts[1] != nullptr) x = x + parts[1][column];
    if (parts[2] != nullptr) x = x + parts[2][place];
    if (has_relu) x = math::Relu()(x);
    if (x > limit) x = limit;
    return parts[3] != nullptr ? x * parts[3][place] : x;
  }
};

/// What becomes of the sums of a product of matrices with `columns` columns.
template <class T>
struct FinishProduct {
  T* c;
  int64_t columns;
  Epilogue<T> epilogue;
  SYMK_HD void operator()(int64_t i, T sum) const { c[i] = epilogue(sum, i % columns, i); }
};

/// What `plan_epilogue` finds, for elements of type T.
template <class T>
class EpilogueOperands {
 public:
  EpilogueOperands() = default;  // nothing is done
  /// Throws Error unless the operands fit the result.
  EpilogueOperands(const Binding& binding, const char* kernel)
      : plan_(cpu::plan_epilogue(binding, kernel)),
        activation_(find_activation<T>(plan_.activation)) {}

  Epilogue<T> of(const Operands& operands) const {
    Epilogue<T> epilogue;
    for (int part = 0; part < cpu::EpiloguePlan::kParts; ++part) {
      const auto place = static_cast<int>(plan_.places[part]);
      if (place != 0) epilogue.parts[part] = input<T>(operands, place);
    }
    epilogue.activation = activation_;
    epilogue.limit = static_cast<T>(plan_.limit);
    return epilogue;
  }

  /// Whether tiles can do it; else their sums are finished by another kernel.
  bool is_of_tiles() const { return activation_ < 0 || plan_.is_relu(); }
  TileEpilogue<T> of_tiles(const Operands& operands) const {
    const Epilogue<T> whole = of(operands);
    TileEpilogue<T> epilogue;
    std::copy(whole.parts, whole.parts + cpu::EpiloguePlan::kParts, epilogue.parts);
    epilogue.has_relu = plan_.is_relu();
    epilogue.limit = whole.limit;
    return epilogue;
  }

 private:
  cpu::EpiloguePlan plan_;
  int activation_ = -1;
};

}  // namespace symk::cuda
