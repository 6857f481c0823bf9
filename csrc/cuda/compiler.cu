// The memory of what was compiled, and the headers that go with a text: they are kept inside of
// this shared object, as they were when it was built.
#include "cuda/compiler.h"

#include <mutex>

namespace symk::cuda {

const std::vector<IncludedFile>& included_files() {
  static const std::vector<IncludedFile> files = {
#include "files.inc"
  };
  return files;
}

void Compiler::use(const std::string& library) {
  const std::lock_guard<SharedLock> guard(lock_);
  library_ = library;
}

Compiler::Outcome Compiler::compile(const Queue& queue, const std::string& text) {
  const std::lock_guard<SharedLock> guard(lock_);
  if (library_ == "0") return {nullptr, "the setting nvrtc is 0"};
  const auto [found, is_new] = made_.try_emplace(library_ + "\n" + text);
  if (!is_new) return found->second;
  try {
    found->second.program = make_compiled(queue, library_, text);
  } catch (const Error& error) {
    found->second.reason = error.what();
  }
  return found->second;
}

}  // namespace symk::cuda
