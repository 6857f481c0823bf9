// The C door over Program: arguments are checked, no exception crosses, the error text is kept per
// thread.
#include "capi/symk_runtime.h"

#include <algorithm>
#include <new>
#include <string>

#include "capi/arguments.h"
#include "capi/load_kernels.h"
#include "cpu/dispatch.h"
#include "runtime/error.h"
#include "runtime/program.h"

struct symk_program {
  symk::Program program;
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
    refuse(ErrorCode::kArgument, "[symk] " + std::string(what) + " is required; NULL was given.");
}

const symk::Plan& plan_of(const symk_program* program) {
  require(program, "a program");
  return program->program.plan();
}

symk_program* make_program(std::shared_ptr<const symk::Plan> plan) {
  if (!plan->shared.empty()) {
    throw Error(ErrorCode::kFormat,
                "[load] a Plan without shared values is required; this one has " +
                    std::to_string(plan->shared.size()) +
                    ". Write it with symk.deploy.export, which embeds them.");
  }
  return new symk_program{symk::Program(std::move(plan), {})};
}

const symk::NamedBuffer& at(const std::vector<symk::NamedBuffer>& all, int number,
                            const char* what) {
  if (number >= 0 && static_cast<size_t>(number) < all.size())
    return all[static_cast<size_t>(number)];
  refuse(ErrorCode::kArgument, "[symk] the number of an " + std::string(what) + " must be below " +
                                   std::to_string(all.size()) + "; " + std::to_string(number) +
                                   " was given.");
}

void fill_known_type(const symk::Plan& plan, uint32_t buffer, symk_array* type) {
  require(type, "a place for the type");
  const std::vector<int64_t> shape = plan.known_shape(buffer);
  *type = symk_array{};
  type->dtype = static_cast<int32_t>(plan.buffers[buffer].dtype);
  type->rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), type->shape);
}

}  // namespace

extern "C" {

int symk_abi_version(void) { return SYMK_ABI_VERSION; }

const char* symk_last_error(void) { return last_error.c_str(); }

int symk_last_status(void) { return last_status; }

int symk_load_kernels(const char* path) {
  return guarded([&] {
    require(path, "a path");
    symk::door::load_kernels(path);
  });
}

symk_program* symk_load_file(const char* path) {
  return guarded_value<symk_program*>(nullptr, [&] {
    require(path, "a path");
    return make_program(symk::read_plan_file(path));
  });
}

symk_program* symk_load_memory(const void* bytes, size_t count) {
  return guarded_value<symk_program*>(nullptr, [&] {
    require(bytes, "a Plan");
    return make_program(symk::read_plan(bytes, count));
  });
}

void symk_free(symk_program* program) { delete program; }

const char* symk_metadata(const symk_program* program, const char* key) {
  return guarded_value<const char*>(nullptr, [&]() -> const char* {
    require(key, "a key");
    for (const auto& [name, value] : plan_of(program).metadata) {
      if (name == key) return value.c_str();
    }
    return nullptr;
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
      nullptr, [&] { return at(plan_of(program).inputs, number, "input").name.c_str(); });
}

const char* symk_output_name(const symk_program* program, int number) {
  return guarded_value<const char*>(
      nullptr, [&] { return at(plan_of(program).outputs, number, "output").name.c_str(); });
}

int symk_input_type(const symk_program* program, int number, symk_array* type) {
  return guarded([&] {
    fill_known_type(plan_of(program), at(plan_of(program).inputs, number, "input").buffer, type);
  });
}

int symk_output_type(const symk_program* program, int number, symk_array* type) {
  return guarded([&] {
    fill_known_type(plan_of(program), at(plan_of(program).outputs, number, "output").buffer, type);
  });
}

int symk_output_types(symk_program* program, const symk_array* inputs, int input_count,
                      symk_array* outputs, int output_count) {
  return guarded([&] {
    const Arguments arguments(plan_of(program), inputs, input_count, outputs, output_count);
    const symk::Call call(program->program, arguments.shapes());
    for (size_t i = 0; i < call.outputs().size(); ++i) {
      const symk::Type& type = call.outputs()[i];
      outputs[i].dtype = static_cast<int32_t>(type.dtype);
      outputs[i].rank = type.rank;
      std::copy(type.shape, type.shape + type.rank, outputs[i].shape);
    }
  });
}

int symk_run(symk_program* program, const symk_array* inputs, int input_count,
             const symk_array* outputs, int output_count) {
  return guarded([&] {
    Arguments arguments(plan_of(program), inputs, input_count, outputs, output_count);
    symk::Call call(program->program, arguments.shapes());
    arguments.check_memory(call.outputs());
    call.run(arguments.input_data(), arguments.output_data());
  });
}

int64_t symk_arena_bytes(symk_program* program) {
  return guarded_value<int64_t>(-1, [&] {
    plan_of(program);
    return program->program.memory_use().arena_bytes;
  });
}

int symk_threads(void) {
  return guarded_value(0, [] { return symk::thread_count(); });
}

int symk_set_threads(int count) {
  return guarded([&] { symk::set_thread_count(count); });
}

const char* symk_isa(void) {
  return guarded_value<const char*>(nullptr,
                                    [] { return symk::cpu::isa_name(symk::cpu::active_isa()); });
}

}  // extern "C"
