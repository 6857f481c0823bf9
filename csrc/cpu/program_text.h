// What an elementwise program says, read from the attributes of its step and checked: the ops, the
// numbers of their operands, and how inputs lie over the result. Every device builds from this.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/error.h"
#include "runtime/kernel.h"

namespace symk::cpu {

/// How an operand lies over the result: axes from the outermost, neighbours joined where possible.
struct OperandLayout {
  int rank = 0;
  int64_t size[kMaxRank] = {}, stride[kMaxRank] = {};  // in elements; a repeated axis has stride 0

  bool dense() const { return rank == 0 || (rank == 1 && stride[0] == 1); }

  /// The least number of elements after which the operand repeats.
  int64_t period() const {
    int64_t n = 1;
    for (int i = rank > 0 && stride[0] == 0 ? 1 : 0; i < rank; ++i) n *= size[i];
    return n;
  }
};

/// An op over values of the program, which are numbered: the inputs, then a value for each op.
struct ProgramOp {
  std::string name;
  std::vector<int> operands;
  DType dtype;
};

[[noreturn]] inline void refuse_program(const std::string& text) {
  throw Error(ErrorCode::kFormat, "[elementwise] " + text);
}

/// What values of a dtype are computed in: float16 is float32 inside.
inline DType dtype_inside(DType dtype) {
  return dtype == DType::kFloat16 ? DType::kFloat32 : dtype;
}

/// Whether an op gives numbers that float16 has, if its operands are such.
inline bool keeps_half(const std::string& op) {
  return op == "where" || op == "neg" || op == "abs" || op == "maximum" || op == "minimum" ||
         op == "relu";
}

inline DType dtype_named(const std::string& name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (name == dtype_name(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  refuse_program("a dtype must be one of float32, ..., bool; the program says \"" + name + "\".");
}

/// The shape to which the inputs of a binding broadcast; layout_of() refuses those that do not.
inline Type broadcast_inputs(const Binding& binding) {
  Type result;
  for (const Type& type : binding.inputs()) result.rank = std::max(result.rank, type.rank);
  for (int i = 0; i < result.rank; ++i) {
    result.shape[i] = 1;
    for (const Type& type : binding.inputs()) {
      const int axis = i - (result.rank - type.rank);
      if (axis >= 0 && type.shape[axis] != 1) result.shape[i] = type.shape[axis];
    }
  }
  return result;
}

inline OperandLayout layout_of(const Type& operand, const Type& result) {
  if (operand.rank > result.rank)
    refuse_program("inputs must broadcast to the shape of the outputs.");
  int64_t stride[kMaxRank], step = 1;
  for (int i = result.rank - 1; i >= 0; --i) {
    const int axis = i - (result.rank - operand.rank);
    const int64_t size = axis < 0 ? 1 : operand.shape[axis];
    if (size != 1 && size != result.shape[i])
      refuse_program("inputs must broadcast to the shape of the outputs.");
    stride[i] = size == 1 ? 0 : step;
    step *= size;
  }
  OperandLayout layout;
  for (int i = 0; i < result.rank; ++i) {
    if (result.shape[i] == 1) continue;
    const int last = layout.rank - 1;
    if (last >= 0 && layout.stride[last] == stride[i] * result.shape[i]) {
      layout.size[last] *= result.shape[i];
      layout.stride[last] = stride[i];
    } else {
      layout.size[layout.rank] = result.shape[i];
      layout.stride[layout.rank++] = stride[i];
    }
  }
  return layout;
}

/// The number of a value, of which there are `values` so far.
inline int value_number(const std::vector<int64_t>& list, size_t position, size_t values) {
  if (position >= list.size()) refuse_program("`args` must hold as many numbers as `arity` says.");
  const int64_t number = list[position];
  if (number < 0 || number >= static_cast<int64_t>(values)) {
    refuse_program("a value must be made before it is used; there is none of number " +
                   std::to_string(number) + " yet.");
  }
  return static_cast<int>(number);
}

inline std::vector<ProgramOp> read_ops(const Binding& binding, size_t inputs) {
  const std::vector<std::string> ops = binding.texts("ops"), dtypes = binding.texts("dtypes");
  const std::vector<int64_t> arity = binding.integers("arity"), args = binding.integers("args");
  if (dtypes.size() != ops.size() || arity.size() != ops.size())
    refuse_program("`ops`, `dtypes` and `arity` must be equally long.");
  std::vector<ProgramOp> read;
  size_t next = 0;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (arity[i] < 1 || arity[i] > 3)
      refuse_program("an op must have 1 to 3 operands; \"" + ops[i] + "\" has others.");
    ProgramOp op = {ops[i], {}, dtype_named(dtypes[i])};
    for (int64_t k = 0; k < arity[i]; ++k, ++next)
      op.operands.push_back(value_number(args, next, inputs + i));
    read.push_back(op);
  }
  if (next != args.size()) refuse_program("`args` must hold as many numbers as `arity` says.");
  return read;
}

/// The number of the value that each output is, of `values`.
inline std::vector<int> read_outputs(const Binding& binding, size_t values) {
  const std::vector<int64_t> outs = binding.integers("outs");
  if (outs.size() != binding.outputs().size())
    refuse_program("`outs` must name one value per output.");
  std::vector<int> read;
  for (size_t i = 0; i < outs.size(); ++i) read.push_back(value_number(outs, i, values));
  return read;
}

/// Refuses operands of different dtypes; the first of `where` is a bool.
inline void require_one_dtype(const std::string& op, const std::vector<DType>& operands) {
  for (size_t i = 0; i < operands.size(); ++i) {
    const DType wanted = op == "where" && i == 0 ? DType::kBool : operands.back();
    if (operands[i] != wanted) {
      refuse_program("operands of " + op + " must have one dtype; got " +
                     dtype_name(operands[i]) + " and " + dtype_name(wanted) + ".");
    }
  }
}

/// The Error of a device, as a message says it, that has no loop for an op.
inline Error no_loop(const char* device, const std::string& op, size_t arity, DType operand,
                     DType dtype) {
  return Error(ErrorCode::kDevice, std::string("[elementwise] ") + device + " has no loop for " +
                                       op + " of " + std::to_string(arity) + " operands from " +
                                       dtype_name(operand) + " to " + dtype_name(dtype) + ".");
}

}  // namespace symk::cpu
