// Stands for NVRTC and the driver's modules: the same text is compiled by the C++ compiler of this
// machine and runs in a loop. `symk_cuda_host_compiler` says whether there is one.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "cuda/compiler.h"
#include "cuda/members.h"

namespace symk::cuda {
namespace {

struct Settings {
  std::mutex lock;
  std::string compiler;  // its command; empty if there is none
  std::vector<std::string> texts;
};
Settings& settings() {
  static Settings* const made = new Settings;
  return *made;
}

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorCode::kDevice, reason); }

/// A folder that goes when this does.
class Folder {
 public:
  Folder() {
    if (mkdtemp(path_) == nullptr) refuse("no folder can be made");
    make("");
    make("/cuda");
    make("/math");
  }
  ~Folder() { run("rm -rf " + path()); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path() const { return path_; }
  void write(const std::string& name, const std::string& text) const {
    std::FILE* const file = std::fopen((path() + "/" + name).c_str(), "w");
    if (file == nullptr) refuse("a file cannot be written");
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  static bool run(const std::string& command) { return std::system(command.c_str()) == 0; }

 private:
  void make(const std::string& name) const { run("mkdir -p " + path() + name); }

  char path_[32] = "/tmp/symk_program_XXXXXX";
};

class LoopedProgram final : public CompiledProgram {
 public:
  explicit LoopedProgram(void* library)
      : one_(reinterpret_cast<Loop>(dlsym(library, "one"))),
        many_(reinterpret_cast<Loop>(dlsym(library, "many"))) {}

 private:
  using Loop = void (*)(const void* members, int64_t tiles, int threads);

  void start(bool many, const Queue& queue, int64_t tiles, int threads, const void* members,
             size_t bytes) const override {
    const char* const first = static_cast<const char*>(members);
    const std::vector<char> copy(first, first + bytes);  // a launch keeps its arguments
    const Loop loop = many ? many_ : one_;
    check(host::launch(queue.stream(), [=] { loop(copy.data(), tiles, threads); }), "launch");
  }

  const Loop one_, many_;
};

}  // namespace

std::shared_ptr<const CompiledProgram> make_compiled(const Queue&, const std::string&,
                                                     const std::string& text) {
  const std::lock_guard<std::mutex> guard(settings().lock);
  if (settings().compiler.empty()) refuse("libnvrtc was not found");
  settings().texts.push_back(text);
  const Folder folder;
  for (const IncludedFile& file : included_files()) {
    const bool is_standard = std::strchr(file.name, '/') == nullptr;  // C++ has its own
    if (!is_standard) folder.write(file.name, file.text);
  }
  folder.write("program.cpp", text);
  const std::string library = folder.path() + "/program.so";
  // The flags of the kernels that it stands beside.
  const std::string flags =
      " -std=c++17 -O0 -fno-math-errno -fno-trapping-math -ffp-contract=off -shared -fPIC -w -I";
  if (!Folder::run(settings().compiler + flags + folder.path() + " " + folder.path() +
                   "/program.cpp -o " + library + " 2> /dev/null"))
    refuse("the compiler refuses the program");
  void* const opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open
  if (opened == nullptr) refuse("the program cannot be opened");
  return std::make_shared<LoopedProgram>(opened);
}

}  // namespace symk::cuda

extern "C" {

/// The command of a compiler that stands for NVRTC from now on; "" for none.
__attribute__((visibility("default"))) void symk_cuda_host_compiler(const char* command) {
  const std::lock_guard<std::mutex> guard(symk::cuda::settings().lock);
  symk::cuda::settings().compiler = command;
  symk::cuda::settings().texts.clear();
}

/// The text of a program that was compiled since then, by number; null behind the last one.
__attribute__((visibility("default"))) const char* symk_cuda_host_text(int number) {
  const std::lock_guard<std::mutex> guard(symk::cuda::settings().lock);
  const auto& texts = symk::cuda::settings().texts;
  return static_cast<size_t>(number) < texts.size() ? texts[static_cast<size_t>(number)].c_str()
                                                    : nullptr;
}

/// How many bytes of machine code libnvrtc makes of a text, or -1 with what it says.
__attribute__((visibility("default"))) long long symk_cuda_host_nvrtc(const char* library,
                                                                      const char* text,
                                                                      int architecture,
                                                                      char* message, int size) {
  try {
    return static_cast<long long>(symk::cuda::compile_by_nvrtc(library, text, architecture).size());
  } catch (const symk::Error& error) {
    std::snprintf(message, static_cast<size_t>(size), "%s", error.what());
    return -1;
  }
}

}  // extern "C"
