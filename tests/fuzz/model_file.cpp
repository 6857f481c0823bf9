// What a damaged or hostile model file may do: be refused with a code, or load and run within its
// bounds. The entry point is libFuzzer's; mutate.cpp drives it where there is no libFuzzer.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "capi/symk_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
// As in sanitizer/allocator_interface.h, which not every compiler brings along.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void*,
                                                                           size_t),
                                                         void (*released)(const volatile void*));
#endif

namespace {

constexpr int64_t kLargestRun = 1 << 22;         // bytes: more is laid out, and not run
constexpr size_t kFactor = 64, kRest = 1 << 16;  // what loading may allocate per byte, and besides

// --- what is allocated while a file is loaded ---

size_t allocated = 0;

#if defined(__SANITIZE_ADDRESS__)
void count_allocation(const volatile void*, size_t bytes) { allocated += bytes; }
void ignore_release(const volatile void*) {}
const int hooks = __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_release);
#endif

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "FINDING: %s\n", what);
  std::abort();
}

/// Refusals have a code and a text.
void require_reason() {
  if (symk_last_status() == SYMK_OK || symk_last_error()[0] == '\0')
    fail("a refusal without a reason");
}

int64_t bytes_of(const symk_array& array) {
  constexpr int64_t item_bytes[] = {4, 8, 2, 1, 2, 4, 8, 1, 1};
  int64_t bytes = item_bytes[array.dtype];
  for (int axis = 0; axis < array.rank; ++axis) {
    if (__builtin_mul_overflow(bytes, array.shape[axis], &bytes)) return INT64_MAX;
  }
  return bytes;
}

/// Memory for an array, or false if it would be too much.
bool place(symk_array* array, std::vector<std::vector<int64_t>>* memory) {
  const int64_t bytes = bytes_of(*array);
  if (bytes > kLargestRun) return false;
  memory->emplace_back(static_cast<size_t>(bytes / 8 + 1), 0);
  array->data = memory->back().data();
  return true;
}

void run(symk_program* program, int64_t free_size) {
  std::vector<symk_array> inputs(static_cast<size_t>(symk_input_count(program)));
  std::vector<symk_array> outputs(static_cast<size_t>(symk_output_count(program)));
  std::vector<std::vector<int64_t>> memory;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (symk_input_type(program, static_cast<int>(i), &inputs[i]) != SYMK_OK)
      fail("an input without a type");
    if (symk_input_name(program, static_cast<int>(i)) == nullptr ||
        symk_input_shape(program, static_cast<int>(i)) == nullptr)
      fail("an input without a name");
    for (int axis = 0; axis < inputs[i].rank; ++axis) {
      if (inputs[i].shape[axis] < 0) inputs[i].shape[axis] = free_size;
    }
    if (!place(&inputs[i], &memory)) return;
  }
  const int in = static_cast<int>(inputs.size()), out = static_cast<int>(outputs.size());
  if (symk_output_types(program, inputs.data(), in, outputs.data(), out) != SYMK_OK)
    return require_reason();
  if (symk_arena_bytes(program) > kLargestRun) return;
  for (symk_array& output : outputs) {
    if (!place(&output, &memory)) return;
  }
  if (symk_run(program, inputs.data(), in, outputs.data(), out) != SYMK_OK) require_reason();
}

void run_all(symk_program* program) {
  for (int i = 0; i < symk_function_count(program); ++i) {
    symk_program* const function = symk_function(program, symk_function_name(program, i));
    if (function == nullptr) {
      require_reason();
      continue;
    }
    for (int64_t size : {0, 1, 3}) run(function, size);
    symk_free(function);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  allocated = 0;
  symk_program* const program = symk_load_memory(bytes, count);
  if (allocated > kFactor * count + kRest) {
    std::fprintf(stderr, "%zu bytes allocated for %zu\n", allocated, count);
    fail("loading allocates too much");
  }
  if (program == nullptr) {
    require_reason();
    return 0;
  }
  run_all(program);
  symk_free(program);
  return 1;
}
