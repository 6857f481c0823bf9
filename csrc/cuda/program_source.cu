// Writes the text of a program. Loads of a thread come before all its stores: outputs may lie over
// inputs, so the compiler could not move them by itself.
#include "cuda/program_source.h"

#include <cctype>

namespace symk::cuda {
namespace {

// Elements whose operands a thread holds at once: with many operands they would not all fit.
constexpr size_t kMostHeldInputs = 16;

/// What a value is in registers.
const char* type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat64: return "double";
    case DType::kInt8: return "int8_t";
    case DType::kInt16: return "int16_t";
    case DType::kInt32: return "int32_t";
    case DType::kInt64: return "int64_t";
    case DType::kUInt8: return "uint8_t";
    case DType::kBool: return "bool";
    default: return "float";  // float16 too
  }
}

/// What it is in memory.
std::string stored_type(DType dtype) {
  if (dtype == DType::kFloat16) return "uint16_t";
  return dtype == DType::kBool ? "uint8_t" : type_of(dtype);
}

/// "sigmoid_cross_entropy" -> "symk::math::SigmoidCrossEntropy()", as csrc/math calls its functors.
std::string functor_of(const std::string& op) {
  std::string name = "symk::math::";
  bool first = true;
  for (char letter : op) {
    if (letter != '_') name += static_cast<char>(first ? std::toupper(letter) : letter);
    first = letter == '_';
  }
  return name + "()";
}

std::string value(int number) { return "v" + std::to_string(number); }

std::string statement_text(const SourceProgram::Statement& statement) {
  std::string call;
  if (statement.op == "cast") {
    call = statement.result == DType::kFloat16
               ? "symk::math::rounded_to_half"
               : std::string("symk::math::convert<") + type_of(statement.operand) + ", " +
                     type_of(statement.result) + ">";
  } else {
    call = functor_of(statement.op);
  }
  std::string operands;
  for (int operand : statement.operands)
    operands += (operands.empty() ? "" : ", ") + value(operand);
  const std::string type = type_of(statement.result);
  return "      const " + type + " " + value(statement.made) + " = static_cast<" + type + ">(" +
         call + "(" + operands + "));\n";
}

std::string from_memory(DType dtype, const std::string& item) {
  if (dtype == DType::kFloat16) return "symk::math::half_to_float(" + item + ")";
  return dtype == DType::kBool ? item + " != 0" : item;
}

std::string to_memory(DType dtype, const std::string& item) {
  if (dtype == DType::kFloat16) return "symk::math::float_to_half(" + item + ")";
  return dtype == DType::kBool ? "static_cast<uint8_t>(" + item + ")" : item;
}

}  // namespace

std::string source_of(const SourceProgram& program) {
  const size_t inputs = program.inputs.size();
  std::string readers, loads, values, stores;
  for (size_t i = 0; i < inputs; ++i) {
    const std::string number = std::to_string(i), type = stored_type(program.inputs[i]);
    const char* const reader = static_cast<int>(i) == program.sums ? "SumReader" : "InputReader";
    readers += std::string("  const ") + reader + "<" + type + "> in" + number +
               "(members, member, " + number + ");\n";
    readers += "  " + type + " x" + number + "[kHeld];\n";
    loads += "      x" + number + "[e] = in" + number + ".at(index);\n";
    values += std::string("      const ") + type_of(program.inputs[i]) + " v" + number + " = " +
              from_memory(program.inputs[i], "x" + number + "[e]") + ";\n";
  }
  for (const auto& statement : program.statements) values += statement_text(statement);
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const std::string number = std::to_string(i), type = stored_type(program.output_dtypes[i]);
    readers += "  " + type + "* const y" + number + " = reinterpret_cast<" + type +
               "*>(members.operand(member, " + std::to_string(inputs + i) + "));\n";
    stores += "      y" + number +
              "[index] = " + to_memory(program.output_dtypes[i], value(program.outputs[i])) + ";\n";
  }
  const bool has_sums = program.sums >= 0;
  const std::string one =
      has_sums ? std::string("symk::cuda::ScatterMember<") +
                     type_of(program.inputs[static_cast<size_t>(program.sums)]) + ">"
               : "symk::cuda::OneMember";
  const std::string each_element =
      "    for (int e = 0; e < kHeld; ++e) {\n"
      "      const int64_t index = first + int64_t{held + e} * blockDim.x;\n"
      "      if (index >= count) break;\n";
  return "#include \"cuda/members.h\"\n#include \"math/binary.h\"\n#include \"math/cast.h\"\n"
         "#include \"math/ternary.h\"\n#include \"math/unary.h\"\n\n"
         "namespace symk::cuda {\n\n"
         "constexpr int kHeld = " +
         std::string(inputs <= kMostHeldInputs ? "kPerThread" : "1") +
         ";\n\n"
         "template <class Members>\n"
         "SYMK_HD void run_program(const Members& members, int64_t tile) {\n" +
         (has_sums ? "  if (*members.sums.refused != 0) return;\n" : "") +
         "  const int member = members.member_of(tile);\n"
         "  const int64_t count = members.count_of(member), turn = tile - "
         "members.first_tile(member);\n"
         "  const int64_t first = turn * kPerThread * blockDim.x + threadIdx.x;\n" +
         readers +
         "  for (int held = 0; held < kPerThread; held += kHeld) {\n"
         "#pragma unroll\n" +
         each_element + loads + "    }\n#pragma unroll\n" + each_element + values + stores +
         "    }\n  }\n}\n\n}  // namespace symk::cuda\n\n"
         "SYMK_PROGRAM_KERNEL(one, " +
         one + ")\n" +
         (program.joins ? "SYMK_PROGRAM_KERNEL(many, symk::cuda::ManyMembers)\n" : "");
}

}  // namespace symk::cuda
