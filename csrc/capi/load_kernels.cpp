// A user's kernel as a Step: its operands as symk_arrays, its attributes kept since binding.
#include "capi/load_kernels.h"

#include <dlfcn.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "capi/symk_kernel.h"
#include "runtime/error.h"
#include "runtime/kernel.h"
#include "runtime/text.h"

namespace symk::door {
namespace {

constexpr size_t kMessageBytes = 512;

// --- what a kernel may ask while it runs ---

struct Asked {
  const std::vector<NamedValue>* attributes;
  ThreadPool* pool;
};

const Asked& asked(const symk_kernel_call* call) {
  return *static_cast<const Asked*>(call->runtime);
}

const NamedValue* find(const symk_kernel_call* call, const char* name) {
  for (const NamedValue& value : *asked(call).attributes) {
    if (value.name == name) return &value;
  }
  return nullptr;
}

int64_t integer(const symk_kernel_call* call, const char* name, int64_t otherwise) {
  const NamedValue* const found = find(call, name);
  return found != nullptr && found->integers.size() == 1 ? found->integers[0] : otherwise;
}

double real(const symk_kernel_call* call, const char* name, double otherwise) {
  const NamedValue* const found = find(call, name);
  if (found != nullptr && found->reals.size() == 1) return found->reals[0];
  if (found != nullptr && found->integers.size() == 1)
    return static_cast<double>(found->integers[0]);
  return otherwise;
}

const char* text(const symk_kernel_call* call, const char* name, const char* otherwise) {
  const NamedValue* const found = find(call, name);
  return found != nullptr && found->texts.size() == 1 ? found->texts[0].c_str() : otherwise;
}

template <class T>
int64_t list(const std::vector<T>& values, const T** items) {
  *items = values.data();
  return static_cast<int64_t>(values.size());
}

int64_t integers(const symk_kernel_call* call, const char* name, const int64_t** items) {
  const NamedValue* const found = find(call, name);
  return found != nullptr ? list(found->integers, items) : 0;
}

int64_t reals(const symk_kernel_call* call, const char* name, const double** items) {
  const NamedValue* const found = find(call, name);
  return found != nullptr ? list(found->reals, items) : 0;
}

void parallel(const symk_kernel_call* call, int64_t parts, void (*task)(void*, int64_t),
              void* context) {
  asked(call).pool->run(parts, task, context);
}

// --- the step ---

std::vector<symk_array> arrays_of(const std::vector<Type>& types) {
  std::vector<symk_array> arrays(types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    arrays[i].data = nullptr;
    arrays[i].dtype = static_cast<int32_t>(types[i].dtype);
    arrays[i].rank = types[i].rank;
    std::copy(types[i].shape, types[i].shape + types[i].rank, arrays[i].shape);
  }
  return arrays;
}

class UserStep final : public Step {
 public:
  UserStep(std::string name, symk_kernel_function function, const Binding& binding)
      : name_(std::move(name)), function_(function), inputs_(arrays_of(binding.inputs())),
        outputs_(arrays_of(binding.outputs())), attributes_(binding.attributes()) {}

  Status run(const Operands& operands, ThreadPool& pool) override {
    for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i].data = const_cast<void*>(operands.in[i]);
    for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i].data = operands.out[i];
    const Asked asked = {&attributes_, &pool};
    const symk_kernel_call call = {inputs_.data(),
                                   outputs_.data(),
                                   static_cast<int32_t>(inputs_.size()),
                                   static_cast<int32_t>(outputs_.size()),
                                   integer,
                                   real,
                                   text,
                                   integers,
                                   reals,
                                   parallel,
                                   &asked};
    char message[kMessageBytes] = "";
    const int status = function_(&call, message, sizeof message);
    if (status == SYMK_OK) return {};
    message[kMessageBytes - 1] = '\0';
    throw Error(ErrorCode::kKernel,
                joined({"[", name_, "] the kernel must succeed; it gave status ", status,
                        message[0] != '\0' ? ": " : ".", message}));
  }

 private:
  const std::string name_;
  const symk_kernel_function function_;
  std::vector<symk_array> inputs_, outputs_;
  const std::vector<NamedValue> attributes_;
};

// --- loading ---

/// An Error cannot cross the user's C code: it waits here.
using Refused = std::optional<Error>;

int add(const symk_kernel_registry* registry, const char* name, symk_kernel_function function) {
  try {
    if (name == nullptr || *name == '\0' || function == nullptr) {
      throw Error(ErrorCode::kArgument,
                  "[load_kernels] a name and a function are required; NULL was given.");
    }
    add_user_kernel(name, [name = std::string(name), function](Binding& binding) {
      return std::make_unique<UserStep>(name, function, binding);
    });
    return SYMK_OK;
  } catch (const Error& error) {
    static_cast<Refused*>(registry->runtime)->emplace(error);
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    return SYMK_MEMORY;
  }
}

[[noreturn]] void refuse_file(const char* path, const std::string& why) {
  throw Error(ErrorCode::kFile, joined({"[load_kernels] a shared object that exports "
                                        "symk_register_kernels is required; ",
                                        path, ": ", why}));
}

}  // namespace

void load_kernels(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) refuse_file(path, dlerror());
  using Register = int (*)(const symk_kernel_registry*);
  const auto enter = reinterpret_cast<Register>(dlsym(library, "symk_register_kernels"));
  if (enter == nullptr) {
    dlclose(library);
    refuse_file(path, "it exports no such function. See symk_kernel.h.");
  }
  Refused refused;
  const symk_kernel_registry registry = {SYMK_KERNEL_ABI_VERSION, add, &refused};
  const int status = enter(&registry);
  if (refused) throw *refused;
  if (status != SYMK_OK)
    refuse_file(path, "it gave status " + std::to_string(status) + " and was not loaded.");
}

}  // namespace symk::door
