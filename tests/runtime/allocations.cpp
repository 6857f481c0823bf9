// Counts the allocations of a program in its steady state: every call of the allocator goes through
// the functions below. Usage: allocations PLAN BATCH. Prints the number of allocations during 100
// calls after the first ones.
#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "capi/symk_runtime.h"

namespace {

std::atomic<long> allocations{0};

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" void* malloc(size_t bytes) noexcept {
  static const auto real = next<void* (*)(size_t)>("malloc");
  ++allocations;
  return real(bytes);
}

extern "C" void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  static const auto real = next<void* (*)(size_t, size_t)>("aligned_alloc");
  ++allocations;
  return real(alignment, bytes);
}

extern "C" void* realloc(void* old, size_t bytes) noexcept {
  static const auto real = next<void* (*)(void*, size_t)>("realloc");
  ++allocations;
  return real(old, bytes);
}

int main(int, char** arguments) {
  symk_program* const program = symk_load_file(arguments[1]);
  symk_array input = {}, output = {};
  if (program == nullptr || symk_input_type(program, 0, &input) != 0) {
    std::fprintf(stderr, "%s\n", symk_last_error());
    return 1;
  }
  input.shape[0] = std::atoi(arguments[2]);
  int status = symk_output_types(program, &input, 1, &output, 1);
  long counts[2] = {1, 1};
  for (int axis = 0; axis < input.rank; ++axis) counts[0] *= input.shape[axis];
  for (int axis = 0; axis < output.rank; ++axis) counts[1] *= output.shape[axis];
  std::vector<float> in(static_cast<size_t>(counts[0]), 0.5f), out(static_cast<size_t>(counts[1]));
  input.data = in.data();
  output.data = out.data();
  for (int call = 0; call < 3; ++call) status |= symk_run(program, &input, 1, &output, 1);
  const long before = allocations.load();
  for (int call = 0; call < 100; ++call) status |= symk_run(program, &input, 1, &output, 1);
  const long counted = allocations.load() - before;
  std::printf("%ld\n", counted);
  symk_free(program);
  return status;
}
