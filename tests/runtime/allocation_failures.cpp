// Lets every allocation of a program's life fail once: loading, binding, running, freeing. Usage:
// allocation_failures PLAN BATCH. Each failure must be an error that says so, or not matter; a call
// after it must give what it gave before, and nothing may be lost. Prints how many allocations
// failed.
#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "capi/symk_runtime.h"

namespace {

std::atomic<long> countdown{-1};  // allocations until one fails; below 0: none fails
std::atomic<long> alive{0};       // blocks that are not freed yet

bool fails() { return countdown.load() >= 0 && countdown.fetch_sub(1) == 0; }

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

template <class Allocate>
void* counted(Allocate allocate) {
  void* const block = fails() ? nullptr : allocate();
  if (block != nullptr) ++alive;
  return block;
}

}  // namespace

extern "C" void* malloc(size_t bytes) noexcept {
  static const auto real = next<void* (*)(size_t)>("malloc");
  return counted([&] { return real(bytes); });
}

extern "C" void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  static const auto real = next<void* (*)(size_t, size_t)>("aligned_alloc");
  return counted([&] { return real(alignment, bytes); });
}

extern "C" void free(void* block) noexcept {
  static const auto real = next<void (*)(void*)>("free");
  if (block != nullptr) --alive;
  real(block);
}

namespace {

struct Memory {
  std::vector<char> plan;
  std::vector<float> in, out;
  long batch = 0;
};

int run(symk_program* program, Memory& memory) {
  symk_array input = {}, output = {};
  int status = symk_input_type(program, 0, &input);
  input.shape[0] = memory.batch;
  input.data = memory.in.data();
  if (status == 0) status = symk_output_types(program, &input, 1, &output, 1);
  output.data = memory.out.data();
  return status == 0 ? symk_run(program, &input, 1, &output, 1) : status;
}

/// Loads, runs and frees; a status, which is 0 if all went well.
int live(Memory& memory) {
  symk_program* const program = symk_load_memory(memory.plan.data(), memory.plan.size());
  if (program == nullptr) return symk_last_status();
  int status = run(program, memory);
  if (status == SYMK_MEMORY) {  // the program must still be of use
    countdown = -1;
    status = run(program, memory) == 0 ? SYMK_MEMORY : SYMK_INTERNAL;
  }
  symk_free(program);
  return status;
}

bool read_file(const char* path, std::vector<char>& bytes) {
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  char chunk[4096];
  for (size_t count; (count = std::fread(chunk, 1, sizeof chunk, file)) > 0;) {
    bytes.insert(bytes.end(), chunk, chunk + count);
  }
  return std::fclose(file) == 0;
}

}  // namespace

int main(int, char** arguments) {
  Memory memory;
  memory.batch = std::atol(arguments[2]);
  memory.in.assign(1 << 20, 0.5f);
  memory.out.assign(1 << 20, 0.0f);
  if (!read_file(arguments[1], memory.plan) || live(memory) != 0) {
    std::fprintf(stderr, "%s\n", symk_last_error());
    return 1;
  }
  const std::vector<float> expected = memory.out;
  countdown = 0;  // the text of the first error stays for the thread: before blocks are counted
  live(memory);
  countdown = -1;
  live(memory);
  const long before = alive.load();
  long failed = 0;
  for (bool reached = true; reached; ++failed) {
    std::memset(memory.out.data(), 0, memory.out.size() * sizeof(float));
    countdown = failed;
    const int status = live(memory);
    reached = countdown.load() < 0;
    countdown = -1;
    const bool loaded = status == 0 || memory.out[0] != 0;
    const bool fine = status == 0 || status == SYMK_MEMORY;
    if (!fine || (loaded && memory.out != expected) || alive.load() != before) {
      std::fprintf(stderr, "allocation %ld: status %d (%s), %ld blocks lost\n", failed, status,
                   symk_last_error(), alive.load() - before);
      return 1;
    }
  }
  std::printf("%ld\n", failed - 1);
  return 0;
}
