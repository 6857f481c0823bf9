// Checks of arrays that come from C, where nothing else would notice a mistake.
#include "capi/arguments.h"
#include "runtime/text.h"

#include <algorithm>

namespace symk::door {
namespace {

void check_count(const char* what, size_t wanted, int given, const symk_array* arrays) {
  if (given < 0 || static_cast<size_t>(given) != wanted || (wanted > 0 && arrays == nullptr)) {
    refuse(ErrorCode::kArgument,
           joined({"[run] ", wanted, " ", what, " are required; ",
                   arrays == nullptr ? "NULL" : std::to_string(given), " was given."}));
  }
}

std::string label(const char* what, const NamedBuffer& named) {
  return "[" + std::string(what) + " " + named.name + "] ";
}

}  // namespace

bool has_type(const symk_array& array, const Type& type) {
  return array.dtype == static_cast<int32_t>(type.dtype) && array.rank == type.rank &&
         std::equal(type.shape, type.shape + type.rank, array.shape);
}

void refuse(ErrorCode code, const std::string& text) { throw Error(code, text); }

Arguments::Arguments(const Plan& plan, const symk_array* inputs, int input_count,
                     const symk_array* outputs, int output_count)
    : plan_(plan), inputs_(inputs), outputs_(outputs), shapes_(plan.inputs.size()),
      ranges_(plan.inputs.size() + plan.outputs.size()), input_data_(plan.inputs.size()),
      output_data_(plan.outputs.size()) {
  check_count("inputs", plan.inputs.size(), input_count, inputs);
  check_count("outputs", plan.outputs.size(), output_count, outputs);
  for (size_t i = 0; i < plan.inputs.size(); ++i) take_input(i);
}

void Arguments::take_input(size_t number) {
  const symk_array& given = inputs_[number];
  const NamedBuffer& named = plan_.inputs[number];
  const DType dtype = plan_.buffers[named.buffer].dtype;
  if (given.dtype != static_cast<int32_t>(dtype)) {
    refuse(ErrorCode::kDtype,
           joined({label("input", named), "the dtype must be ", dtype_name(dtype), " (number ",
                   static_cast<int>(dtype), "); number ", given.dtype, " was given."}));
  }
  const bool rank_fits = given.rank >= 0 && given.rank <= SYMK_MAX_RANK;
  if (!rank_fits ||
      std::any_of(given.shape, given.shape + given.rank, [](int64_t size) { return size < 0; })) {
    refuse(ErrorCode::kShape, joined({label("input", named),
                                      "a shape must have 0 to 8 sizes, none of them negative; "
                                      "rank ",
                                      given.rank, " was given."}));
  }
  shapes_[number].rank = given.rank;
  std::copy(given.shape, given.shape + given.rank, shapes_[number].size);
}

void Arguments::check_memory(const std::vector<Type>& types) {
  const size_t inputs = plan_.inputs.size();
  for (size_t i = 0; i < inputs; ++i) {
    Type type;
    type.dtype = plan_.buffers[plan_.inputs[i].buffer].dtype;
    type.rank = shapes_[i].rank;
    std::copy(shapes_[i].size, shapes_[i].size + type.rank, type.shape);
    ranges_[i] = place(inputs_[i], type, "input", plan_.inputs[i]);
    input_data_[i] = inputs_[i].data;
  }
  for (size_t i = 0; i < types.size(); ++i) {
    if (!has_type(outputs_[i], types[i])) {
      refuse(ErrorCode::kShape,
             joined({label("output", plan_.outputs[i]), "the array must be ", type_text(types[i]),
                     "; another type was given. Ask symk_output_types."}));
    }
    ranges_[inputs + i] = place(outputs_[i], types[i], "output", plan_.outputs[i]);
    output_data_[i] = outputs_[i].data;
  }
  check_overlap();
}

Arguments::Range Arguments::place(const symk_array& array, const Type& type, const char* what,
                                  const NamedBuffer& named) const {
  const auto begin = reinterpret_cast<uintptr_t>(array.data);
  const auto bytes = static_cast<uintptr_t>(type.bytes());
  if (bytes > 0 && array.data == nullptr) {
    refuse(ErrorCode::kArgument,
           joined({label(what, named), "memory is required; NULL was given."}));
  }
  if (begin % static_cast<uintptr_t>(item_bytes(type.dtype)) != 0) {
    refuse(ErrorCode::kArgument,
           joined({label(what, named), "the memory must be aligned to the item size; it is not."}));
  }
  return {begin, begin + bytes};
}

void Arguments::check_overlap() const {
  const size_t inputs = plan_.inputs.size();
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    const Range& written = ranges_[inputs + i];
    for (size_t j = 0; j < inputs + i; ++j) {
      if (written.begin < ranges_[j].end && ranges_[j].begin < written.end) {
        refuse(ErrorCode::kArgument,
               joined({label("output", plan_.outputs[i]),
                       "outputs must not overlap other arrays; this one does."}));
      }
    }
  }
}

}  // namespace symk::door
