// The C door over models and programs: arguments are checked, no exception crosses, the error text
// is kept per thread.
#include "capi/symk_runtime.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <shared_mutex>
#include <string>

#include "capi/arguments.h"
#include "capi/load_kernels.h"
#include "cpu/dispatch.h"
#include "runtime/error.h"
#include "runtime/model.h"
#include "runtime/program.h"
#include "runtime/text.h"

namespace {

/// What programs and contexts hold together: one function, and the model that it is from.
struct Loaded {
  Loaded(std::shared_ptr<const symk::Model> from, size_t number)
      : model(std::move(from)),
        program(model->functions[number].plan, model->functions[number].tensors) {
    for (const auto& input : program.plan().inputs)
      input_shapes.push_back(program.shape_text(input.buffer));
    for (const auto& output : program.plan().outputs)
      output_shapes.push_back(program.shape_text(output.buffer));
  }

  std::shared_ptr<const symk::Model> model;
  symk::Program program;
  std::vector<std::string> input_shapes, output_shapes;
};

}  // namespace

struct symk_program {
  std::shared_ptr<Loaded> loaded;
};

struct symk_context {
  std::shared_ptr<Loaded> loaded;
  symk::Context own;
};

namespace {

using symk::Error;
using symk::ErrorCode;
using symk::door::Arguments;
using symk::door::refuse;

static_assert(static_cast<int>(ErrorCode::kKernel) == SYMK_KERNEL);
static_assert(static_cast<int>(symk::DType::kBool) == SYMK_BOOL);
static_assert(symk::kMaxRank == SYMK_MAX_RANK);

thread_local std::string last_error;
thread_local int last_status = SYMK_OK;

int keep_error(ErrorCode code, const char* text) noexcept {
  last_status = static_cast<int>(code);
  try {
    last_error = text;
  } catch (...) {
    last_error.clear();  // no memory for the text: the code alone must do
  }
  return last_status;
}

/// Calls f; its exceptions become a status and the thread's error text.
template <class F>
int guarded(F&& f) noexcept {
  try {
    f();
    return SYMK_OK;
  } catch (const Error& error) {
    return keep_error(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return keep_error(ErrorCode::kMemory, "[symk] memory is required; the system refused it.");
  } catch (const std::exception& error) {
    return keep_error(ErrorCode::kInternal, error.what());
  } catch (...) {
    return keep_error(ErrorCode::kInternal, "[symk] an unknown error.");
  }
}

/// The same for a function that returns something; `otherwise` is returned on failure.
template <class T, class F>
T guarded_value(T otherwise, F&& f) noexcept {
  T value = otherwise;
  guarded([&] { value = f(); });
  return value;
}

void require(const void* pointer, const char* what) {
  if (pointer == nullptr)
    refuse(ErrorCode::kArgument, symk::joined({"[symk] ", what, " is required; NULL was given."}));
}

Loaded& loaded_of(const symk_program* program) {
  require(program, "a program");
  return *program->loaded;
}

Loaded& loaded_of(const symk_context* context) {
  require(context, "a context");
  return *context->loaded;
}

const symk::Plan& plan_of(const symk_program* program) { return loaded_of(program).program.plan(); }

symk_program* make_program(std::shared_ptr<const symk::Model> model, size_t number) {
  return new symk_program{std::make_shared<Loaded>(std::move(model), number)};
}

template <class Item>
const Item& at(const std::vector<Item>& all, int number, const char* what) {
  if (number >= 0 && static_cast<size_t>(number) < all.size())
    return all[static_cast<size_t>(number)];
  refuse(ErrorCode::kArgument, symk::joined({"[symk] the number of ", what, " must be below ",
                                             all.size(), "; ", number, " was given."}));
}

void fill_type(const symk::Type& type, symk_array* array) {
  array->dtype = static_cast<int32_t>(type.dtype);
  array->rank = type.rank;
  std::copy(type.shape, type.shape + type.rank, array->shape);
}

void fill_known_type(const symk::Plan& plan, uint32_t buffer, symk_array* type) {
  require(type, "a place for the type");
  const std::vector<int64_t> shape = plan.known_shape(buffer);
  *type = symk_array{};
  type->dtype = static_cast<int32_t>(plan.buffers[buffer].dtype);
  type->rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), type->shape);
}

symk::Call begin_call(symk_program* program, const Arguments& arguments) {
  return symk::Call(program->loaded->program, arguments.shapes());
}

symk::Call begin_call(symk_context* context, const Arguments& arguments) {
  return symk::Call(context->loaded->program, arguments.shapes(), context->own);
}

template <class Owner>
int output_types(Owner* owner, const symk_array* inputs, int input_count, symk_array* outputs,
                 int output_count) {
  return guarded([&] {
    const Arguments arguments(loaded_of(owner).program.plan(), inputs, input_count, outputs,
                              output_count);
    const symk::Call call = begin_call(owner, arguments);
    for (size_t i = 0; i < call.outputs().size(); ++i) fill_type(call.outputs()[i], &outputs[i]);
  });
}

template <class Owner>
int run(Owner* owner, const symk_array* inputs, int input_count, const symk_array* outputs,
        int output_count) {
  return guarded([&] {
    Arguments arguments(loaded_of(owner).program.plan(), inputs, input_count, outputs,
                        output_count);
    symk::Call call = begin_call(owner, arguments);
    arguments.check_memory(call.outputs());
    call.run(arguments.input_data(), arguments.output_data());
  });
}

symk::Tensor& state_of(const symk_program* program, int number) {
  return *at(loaded_of(program).program.shared(), number, "a state");
}

/// The memory of an array that must have the type of a state.
void* state_memory(const symk_array* array, const symk::Tensor& tensor) {
  require(array, "an array");
  const symk::Type& type = tensor.type();
  if (!symk::door::has_type(*array, type)) {
    refuse(ErrorCode::kShape, symk::joined({"[state] the array must be ", symk::type_text(type),
                                            "; another type was given. Ask symk_state_type."}));
  }
  if (type.bytes() > 0) require(array->data, "memory");
  return array->data;
}

}  // namespace

extern "C" {

int symk_abi_version(void) { return SYMK_ABI_VERSION; }

const char* symk_version(void) { return SYMK_VERSION; }

const char* symk_last_error(void) { return last_error.c_str(); }

int symk_last_status(void) { return last_status; }

const char* symk_isa(void) {
  return guarded_value<const char*>(nullptr,
                                    [] { return symk::cpu::isa_name(symk::cpu::active_isa()); });
}

int symk_threads(void) {
  return guarded_value(0, [] { return symk::thread_count(); });
}

int symk_set_threads(int count) {
  return guarded([&] { symk::set_thread_count(count); });
}

int symk_load_kernels(const char* path) {
  return guarded([&] {
    require(path, "a path");
    symk::door::load_kernels(path);
  });
}

symk_program* symk_load_file(const char* path) {
  return guarded_value<symk_program*>(nullptr, [&] {
    require(path, "a path");
    return make_program(symk::read_model(symk::Bytes::map(path)), 0);
  });
}

symk_program* symk_load_memory(const void* bytes, size_t count) {
  return guarded_value<symk_program*>(nullptr, [&] {
    require(bytes, "a model");
    return make_program(symk::read_model(symk::Bytes::copy(bytes, count)), 0);
  });
}

symk_program* symk_load_in_place(const void* bytes, size_t count) {
  return guarded_value<symk_program*>(nullptr, [&] {
    require(bytes, "a model");
    return make_program(symk::read_model(symk::Bytes::lend(bytes, count)), 0);
  });
}

int symk_function_count(const symk_program* program) {
  return guarded_value(
      -1, [&] { return static_cast<int>(loaded_of(program).model->functions.size()); });
}

const char* symk_function_name(const symk_program* program, int number) {
  return guarded_value<const char*>(nullptr, [&] {
    return at(loaded_of(program).model->functions, number, "a function").name.c_str();
  });
}

symk_program* symk_function(const symk_program* program, const char* name) {
  return guarded_value<symk_program*>(nullptr, [&] {
    require(name, "a name");
    const std::shared_ptr<const symk::Model>& model = loaded_of(program).model;
    std::string names;
    for (size_t i = 0; i < model->functions.size(); ++i) {
      if (model->functions[i].name == name) return make_program(model, i);
      names += (names.empty() ? "" : ", ") + model->functions[i].name;
    }
    refuse(ErrorCode::kArgument,
           symk::joined({"[symk] the name of a function of the file is required (", names, "); \"",
                         name, "\" was given."}));
  });
}

void symk_free(symk_program* program) { delete program; }

const char* symk_metadata(const symk_program* program, const char* key) {
  return guarded_value<const char*>(nullptr, [&]() -> const char* {
    require(key, "a key");
    for (const auto& [name, value] : loaded_of(program).model->metadata) {
      if (name == key) return value.c_str();
    }
    return nullptr;
  });
}

int symk_metadata_count(const symk_program* program) {
  return guarded_value(-1,
                       [&] { return static_cast<int>(loaded_of(program).model->metadata.size()); });
}

const char* symk_metadata_key(const symk_program* program, int number) {
  return guarded_value<const char*>(nullptr, [&] {
    return at(loaded_of(program).model->metadata, number, "a text").first.c_str();
  });
}

int symk_input_count(const symk_program* program) {
  return guarded_value(-1, [&] { return static_cast<int>(plan_of(program).inputs.size()); });
}

int symk_output_count(const symk_program* program) {
  return guarded_value(-1, [&] { return static_cast<int>(plan_of(program).outputs.size()); });
}

const char* symk_input_name(const symk_program* program, int number) {
  return guarded_value<const char*>(
      nullptr, [&] { return at(plan_of(program).inputs, number, "an input").name.c_str(); });
}

const char* symk_output_name(const symk_program* program, int number) {
  return guarded_value<const char*>(
      nullptr, [&] { return at(plan_of(program).outputs, number, "an output").name.c_str(); });
}

int symk_input_type(const symk_program* program, int number, symk_array* type) {
  return guarded([&] {
    fill_known_type(plan_of(program), at(plan_of(program).inputs, number, "an input").buffer, type);
  });
}

int symk_output_type(const symk_program* program, int number, symk_array* type) {
  return guarded([&] {
    fill_known_type(plan_of(program), at(plan_of(program).outputs, number, "an output").buffer,
                    type);
  });
}

const char* symk_input_shape(const symk_program* program, int number) {
  return guarded_value<const char*>(
      nullptr, [&] { return at(loaded_of(program).input_shapes, number, "an input").c_str(); });
}

const char* symk_output_shape(const symk_program* program, int number) {
  return guarded_value<const char*>(
      nullptr, [&] { return at(loaded_of(program).output_shapes, number, "an output").c_str(); });
}

int symk_output_types(symk_program* program, const symk_array* inputs, int input_count,
                      symk_array* outputs, int output_count) {
  return output_types(program, inputs, input_count, outputs, output_count);
}

int symk_run(symk_program* program, const symk_array* inputs, int input_count,
             const symk_array* outputs, int output_count) {
  return run(program, inputs, input_count, outputs, output_count);
}

int64_t symk_arena_bytes(symk_program* program) {
  return guarded_value<int64_t>(
      -1, [&] { return loaded_of(program).program.memory_use().arena_bytes; });
}

symk_context* symk_context_new(const symk_program* program) {
  return guarded_value<symk_context*>(nullptr, [&] {
    require(program, "a program");
    return new symk_context{program->loaded, symk::Context()};
  });
}

void symk_context_free(symk_context* context) { delete context; }

int symk_context_output_types(symk_context* context, const symk_array* inputs, int input_count,
                              symk_array* outputs, int output_count) {
  return output_types(context, inputs, input_count, outputs, output_count);
}

int symk_context_run(symk_context* context, const symk_array* inputs, int input_count,
                     const symk_array* outputs, int output_count) {
  return run(context, inputs, input_count, outputs, output_count);
}

int64_t symk_context_arena_bytes(const symk_context* context) {
  return guarded_value<int64_t>(-1, [&] {
    require(context, "a context");
    const symk::Bound* const latest = context->own.latest();
    return latest != nullptr ? latest->arena_bytes() : 0;
  });
}

int symk_state_count(const symk_program* program) {
  return guarded_value(-1, [&] { return static_cast<int>(plan_of(program).shared.size()); });
}

const char* symk_state_name(const symk_program* program, int number) {
  return guarded_value<const char*>(
      nullptr, [&] { return at(plan_of(program).shared, number, "a state").name.c_str(); });
}

int symk_state_type(const symk_program* program, int number, symk_array* type) {
  return guarded([&] {
    require(type, "a place for the type");
    *type = symk_array{};
    fill_type(state_of(program, number).type(), type);
  });
}

int symk_state_read(const symk_program* program, int number, const symk_array* into) {
  return guarded([&] {
    symk::Tensor& tensor = state_of(program, number);
    void* const memory = state_memory(into, tensor);
    const std::shared_lock<symk::SharedLock> locked(tensor.lock());
    std::memcpy(memory, tensor.data(), static_cast<size_t>(tensor.type().bytes()));
  });
}

int symk_state_write(symk_program* program, int number, const symk_array* from) {
  return guarded([&] {
    symk::Tensor& tensor = state_of(program, number);
    const void* const memory = state_memory(from, tensor);
    const symk::Locked locked(tensor.lock());
    std::memcpy(tensor.data(), memory, static_cast<size_t>(tensor.type().bytes()));
    tensor.changed();
  });
}

int symk_save_file(const symk_program* program, const char* path) {
  return guarded([&] {
    require(path, "a path");
    symk::write_model(*loaded_of(program).model, path);
  });
}

}  // extern "C"
