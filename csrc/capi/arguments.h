// The arrays of one call through the C door, checked. Allocates only to say what is wrong.
#pragma once

#include <string>
#include <vector>

#include "capi/symk_runtime.h"
#include "runtime/error.h"
#include "runtime/few.h"
#include "runtime/program.h"

namespace symk::door {

class Arguments {
 public:
  /// Checks the counts, and dtypes, ranks and sizes of the inputs. Throws Error.
  Arguments(const Plan& plan, const symk_array* inputs, int input_count, const symk_array* outputs,
            int output_count);

  const Shape* shapes() const { return shapes_.data(); }

  /// Checks the rest, for which the types of the outputs must be known: memory is there and
  /// aligned, outputs have these types and overlap nothing. Throws Error.
  void check_memory(const std::vector<Type>& types);

  /// After check_memory.
  const void* const* input_data() const { return input_data_.data(); }
  void* const* output_data() const { return output_data_.data(); }

 private:
  struct Range {
    uintptr_t begin = 0, end = 0;
  };

  void take_input(size_t number);
  Range place(const symk_array& array, const Type& type, const char* what,
              const NamedBuffer& named) const;
  void check_overlap() const;

  const Plan& plan_;
  const symk_array* const inputs_;
  const symk_array* const outputs_;
  Few<Shape> shapes_;
  Few<Range> ranges_;  // of the inputs, then of the outputs
  Few<const void*> input_data_;
  Few<void*> output_data_;
};

bool has_type(const symk_array& array, const Type& type);

[[noreturn]] void refuse(ErrorCode code, const std::string& text);

}  // namespace symk::door
