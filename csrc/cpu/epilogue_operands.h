// Which operands of a product are those of its epilogue. For *_step.cpp files.
#pragma once

#include <string>
#include <vector>

#include "cpu/epilogue.h"
#include "cpu/require.h"
#include "runtime/kernel.h"

namespace symk::cpu {

/// The attributes `epilogue`, which names the operands from the third on, and `activation`.
template <class T>
class EpilogueOperands {
 public:
  EpilogueOperands() = default;  // nothing is done
  /// Throws Error unless the operands fit the result.
  EpilogueOperands(const Binding& binding, const char* kernel)
      : activation_(find_activation<T>(binding.text("activation", "").c_str())),
        is_relu_(binding.text("activation", "") == "relu") {
    std::vector<std::string> names;
    if (binding.has("epilogue")) names = binding.texts("epilogue");
    require(binding.inputs().size() == 2 + names.size(), kernel,
            "`epilogue` must name all operands from the third on");
    for (size_t i = 0; i < names.size(); ++i) {
      size_t& place = place_of(names[i], kernel);
      require(place == 0, kernel, "an operand of the epilogue may be named once");
      place = 2 + i;
      check(binding.inputs()[place], binding.outputs()[0], &place == &scale_ || &place == &bias_,
            kernel);
    }
  }

  /// The epilogue of the whole result in one run.
  Epilogue<T> of(const Operands& operands) const {
    Epilogue<T> epilogue;
    epilogue.scale = operand(operands, scale_);
    epilogue.bias = operand(operands, bias_);
    epilogue.addend = operand(operands, addend_);
    epilogue.activation = activation_;
    epilogue.is_relu = is_relu_;
    epilogue.factor = operand(operands, factor_);
    return epilogue;
  }

 private:
  size_t& place_of(const std::string& name, const char* kernel) {
    if (name == "scale") return scale_;
    if (name == "bias") return bias_;
    if (name == "addend") return addend_;
    require(name == "factor", kernel, "an epilogue has scale, bias, addend and factor");
    return factor_;
  }

  static void check(const Type& type, const Type& result, bool per_column, const char* kernel) {
    require_dtype(type, result.dtype, kernel);
    if (per_column) {
      require(result.rank > 0 && type.rank == 1 && type.shape[0] == result.shape[result.rank - 1],
              kernel, "scale and bias must have one element per column");
    } else {
      require(same_shape(type, result), kernel, "addend and factor must have the result's shape");
    }
  }

  static const T* operand(const Operands& operands, size_t place) {
    return place == 0 ? nullptr : static_cast<const T*>(operands.in[place]);
  }

  Activation<T> activation_;
  bool is_relu_ = false;
  size_t scale_ = 0, bias_ = 0, addend_ = 0, factor_ = 0;  // 0: there is none
};

}  // namespace symk::cpu
