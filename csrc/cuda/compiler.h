// Kernels of elementwise programs that are made from their text while the process runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "cuda/launch.h"
#include "runtime/lock.h"

namespace symk::cuda {

struct ManyMembers;

/// A program that was compiled for a device: a function `one` and, if it may run beside others,
/// `many`.
class CompiledProgram {
 public:
  virtual ~CompiledProgram() = default;

  /// `members` is what the text takes: ManyMembers, or the only one that it was written for.
  template <class Members>
  void launch(const Queue& queue, int64_t tiles, int threads, const Members& members) const {
    start(std::is_same_v<Members, ManyMembers>, queue, tiles, threads, &members, sizeof(Members));
  }

 private:
  virtual void start(bool many, const Queue& queue, int64_t tiles, int threads, const void* members,
                     size_t bytes) const = 0;
};

/// Machine code of a text by libnvrtc, for an architecture such as 90. `library` is its path, or
/// "1" for where the system finds it. Throws Error(kDevice) saying what is missing or refused.
std::vector<char> compile_by_nvrtc(const std::string& library, const std::string& text,
                                   int architecture);

/// A program for the device of a queue, by libnvrtc and the driver, or what stands for them in
/// tests. Throws Error(kDevice).
std::shared_ptr<const CompiledProgram> make_compiled(const Queue& queue, const std::string& library,
                                                     const std::string& text);

/// The files that a text may include: names and contents.
struct IncludedFile {
  const char* name;
  const char* text;
};
const std::vector<IncludedFile>& included_files();

/// The compiled programs of a device, each text once. They live as long as the process. May be used
/// from many threads.
class Compiler {
 public:
  struct Outcome {
    std::shared_ptr<const CompiledProgram> program;  // or null:
    std::string reason;                              // why
  };

  /// From now on: "0" compiles nothing; else as `library` of `compile_by_nvrtc`.
  void use(const std::string& library);
  Outcome compile(const Queue& queue, const std::string& text);

 private:
  SharedLock lock_;
  std::string library_ = "1";
  std::map<std::string, Outcome> made_;  // by library and text
};

}  // namespace symk::cuda
