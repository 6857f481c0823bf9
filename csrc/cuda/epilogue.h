// What a product does to finished values before they are written:
//   activation(product * scale + bias + addend) * factor
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/require.h"
#include "cuda/activation.h"
#include "cuda/device.h"

namespace symk::cuda {

/// Each part may be missing. `scale` and `bias` have one element per column.
template <class T>
struct Epilogue {
  const T* parts[4] = {};  // scale, bias, addend, factor
  int activation = -1;

  SYMK_HD T operator()(T x, int64_t column, int64_t place) const {
    if (parts[0] != nullptr) x = x * parts[0][column];
    if (parts[1] != nullptr) x = x + parts[1][column];
    if (parts[2] != nullptr) x = x + parts[2][place];
    x = activate(activation, x);
    return parts[3] != nullptr ? x * parts[3][place] : x;
  }
};

/// The same by a tile itself, whose activation is relu or none: a call of any other would put all
/// of csrc/math into each kernel.
template <class T>
struct TileEpilogue {
  const T* parts[4] = {};
  bool has_relu = false;

  SYMK_HD T operator()(T x, int64_t column, int64_t place) const {
    if (parts[0] != nullptr) x = x * parts[0][column];
    if (parts[1] != nullptr) x = x + parts[1][column];
    if (parts[2] != nullptr) x = x + parts[2][place];
    if (has_relu) x = math::Relu()(x);
    return parts[3] != nullptr ? x * parts[3][place] : x;
  }
};

/// The attributes `epilogue`, which names the operands from the third on, and `activation`.
template <class T>
class EpilogueOperands {
 public:
  EpilogueOperands() = default;  // nothing is done
  /// Throws Error unless the operands fit the result.
  EpilogueOperands(const Binding& binding, const char* kernel)
      : activation_(find_activation<T>(binding.text("activation", ""))),
        has_relu_(binding.text("activation", "") == "relu") {
    std::vector<std::string> names;
    if (binding.has("epilogue")) names = binding.texts("epilogue");
    cpu::require(binding.inputs().size() == 2 + names.size(), kernel,
                 "`epilogue` must name all operands from the third on");
    for (size_t i = 0; i < names.size(); ++i) {
      const int part = part_named(names[i], kernel);
      cpu::require(places_[part] == 0, kernel, "an operand of the epilogue may be named once");
      places_[part] = 2 + static_cast<int>(i);
      check(binding.inputs()[2 + i], binding.outputs()[0], part < 2, kernel);
    }
  }

  Epilogue<T> of(const Operands& operands) const {
    Epilogue<T> epilogue;
    for (int part = 0; part < 4; ++part) {
      if (places_[part] != 0) epilogue.parts[part] = input<T>(operands, places_[part]);
    }
    epilogue.activation = activation_;
    return epilogue;
  }

  /// Whether tiles can do it; else their sums are finished by another kernel.
  bool is_of_tiles() const { return activation_ < 0 || has_relu_; }
  TileEpilogue<T> of_tiles(const Operands& operands) const {
    const Epilogue<T> whole = of(operands);
    TileEpilogue<T> epilogue;
    std::copy(whole.parts, whole.parts + 4, epilogue.parts);
    epilogue.has_relu = has_relu_;
    return epilogue;
  }

 private:
  static int part_named(const std::string& name, const char* kernel) {
    const char* const names[] = {"scale", "bias", "addend", "factor"};
    for (int part = 0; part < 4; ++part) {
      if (name == names[part]) return part;
    }
    cpu::require(false, kernel, "an epilogue has scale, bias, addend and factor");
    return 0;
  }

  static void check(const Type& type, const Type& result, bool per_column, const char* kernel) {
    cpu::require_dtype(type, result.dtype, kernel);
    if (per_column) {
      cpu::require(
          result.rank > 0 && type.rank == 1 && type.shape[0] == result.shape[result.rank - 1],
          kernel, "scale and bias must have one element per column");
    } else {
      cpu::require(cpu::same_shape(type, result), kernel,
                   "addend and factor must have the result's shape");
    }
  }

  int activation_ = -1;
  bool has_relu_ = false;
  int places_[4] = {};  // of the operands; 0: there is none
};

}  // namespace symk::cuda
