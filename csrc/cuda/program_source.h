// An elementwise program as text, to be compiled by NVRTC: the functors of csrc/math, one statement
// per instruction, over the members of members.h. It gives the interpreter's bits.
#pragma once

#include <string>
#include <vector>

#include "runtime/view.h"

namespace symk::cuda {

struct SourceProgram {
  struct Statement {
    std::string op;
    DType operand, result;      // of the last operand, as the tables of loops.h have them
    int made = 0;               // the number of the value
    std::vector<int> operands;  // values
  };
  std::vector<DType> inputs;  // values 0 .. inputs - 1
  std::vector<Statement> statements;
  std::vector<int> outputs;
  std::vector<DType> output_dtypes;
  bool joins = false;  // whether it also runs for many members
  int sums = -1;       // the input that is sums of rows; such a program runs for such members alone
};

/// Text with the kernels `one` and, if it joins, `many`.
std::string source_of(const SourceProgram& program);

}  // namespace symk::cuda
