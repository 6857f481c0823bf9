// Runs blocks of threads for native tests, and what they say when they fail.
#pragma once

#include <string>

#include "cuda/launch.h"
#include "expect.h"

namespace symk::test {

/// What a block says of a body; empty if it ends.
template <class F>
std::string failure_of(int threads, int64_t shared, F body) {
  try {
    cuda::host::run_block(
        threads, shared, [](void* context) { (*static_cast<F*>(context))(); }, &body);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// The first place of a block's memory where a box may begin.
inline char* first_box() {
  char* const memory = cuda::shared_memory<char>();
  const auto misplaced = cuda::host::shared_address(memory) % 1024;
  return memory + (1024 - misplaced) % 1024;
}

}  // namespace symk::test
