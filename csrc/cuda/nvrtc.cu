// libnvrtc, opened when it is first asked for: nothing of it is needed to build or to run.
#include <dlfcn.h>

#include <algorithm>

#include "cuda/compiler.h"

namespace symk::cuda {
namespace {

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorCode::kDevice, reason); }

// As nvrtc.h declares them; every function returns 0 when all is well.
struct Nvrtc {
  int (*create)(void** program, const char* text, const char* name, int files,
                const char* const* texts, const char* const* names) = nullptr;
  int (*compile)(void* program, int count, const char* const* options) = nullptr;
  int (*log_size)(void* program, size_t* size) = nullptr;
  int (*log)(void* program, char* log) = nullptr;
  int (*code_size)(void* program, size_t* size) = nullptr;
  int (*code)(void* program, char* code) = nullptr;
  int (*destroy)(void** program) = nullptr;

  /// Whether the library has all of them.
  bool find_in(void* library) {
    return find(library, "nvrtcCreateProgram", create) &&
           find(library, "nvrtcCompileProgram", compile) &&
           find(library, "nvrtcGetProgramLogSize", log_size) &&
           find(library, "nvrtcGetProgramLog", log) &&
           find(library, "nvrtcGetCUBINSize", code_size) && find(library, "nvrtcGetCUBIN", code) &&
           find(library, "nvrtcDestroyProgram", destroy);
  }

 private:
  template <class Function>
  static bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
  }
};

/// The library of a path, or that which the system finds: of this release of CUDA first, since the
/// driver need not take the code of a later one.
void* open_library(const std::string& path) {
  int release = 0;
  cudaRuntimeGetVersion(&release);
  const std::vector<std::string> places =
      path != "1"
          ? std::vector<std::string>{path}
          : std::vector<std::string>{"libnvrtc.so." + std::to_string(release / 1000),
                                     "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
                                     "/usr/local/cuda/lib64/libnvrtc.so"};
  for (const std::string& place : places) {
    if (void* const library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  }
  refuse(path == "1" ? "libnvrtc was not found" : path + " cannot be opened");
}

Nvrtc open_nvrtc(const std::string& path) {
  Nvrtc nvrtc;
  if (!nvrtc.find_in(open_library(path))) refuse("libnvrtc is older than CUDA 12");
  return nvrtc;
}

class Program {
 public:
  Program(const Nvrtc& nvrtc, const std::string& text) : nvrtc_(nvrtc) {
    std::vector<const char*> names, texts;
    for (const IncludedFile& file : included_files()) {
      names.push_back(file.name);
      texts.push_back(file.text);
    }
    if (nvrtc.create(&program_, text.c_str(), "program.cu", static_cast<int>(names.size()),
                     texts.data(), names.data()) != 0)
      refuse("libnvrtc takes no program");
  }
  ~Program() { nvrtc_.destroy(&program_); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// As nvcc compiles the interpreter: nothing is fused, so the bits are the same.
  std::vector<char> compile(int architecture) {
    const std::string target = "--gpu-architecture=sm_" + std::to_string(architecture);
    const char* const options[] = {target.c_str(), "--std=c++17", "--fmad=false",
                                   "-default-device"};
    if (nvrtc_.compile(program_, 4, options) != 0)
      refuse("libnvrtc refuses the program: " + first_line());
    size_t size = 0;
    if (nvrtc_.code_size(program_, &size) != 0 || size == 0) refuse("libnvrtc gives no code");
    std::vector<char> code(size);
    if (nvrtc_.code(program_, code.data()) != 0) refuse("libnvrtc gives no code");
    return code;
  }

 private:
  std::string first_line() const {
    size_t size = 0;
    if (nvrtc_.log_size(program_, &size) != 0 || size < 2) return "it does not say why";
    std::string log(size, '\0');
    if (nvrtc_.log(program_, &log[0]) != 0) return "it does not say why";
    return log.substr(0, std::min(log.find('\n'), log.find('\0')));
  }

  const Nvrtc nvrtc_;
  void* program_ = nullptr;
};

}  // namespace

std::vector<char> compile_by_nvrtc(const std::string& library, const std::string& text,
                                   int architecture) {
  return Program(open_nvrtc(library), text).compile(architecture);
}

}  // namespace symk::cuda
