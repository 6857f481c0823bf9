// Compiled programs in the driver, which takes machine code while the process runs; the CUDA
// runtime of all releases cannot. The driver's library is open already. In tests without a GPU,
// host/module.cpp stands for this file.
#ifdef __CUDACC__

#include <dlfcn.h>

#include "cuda/compiler.h"
#include "cuda/members.h"

namespace symk::cuda {
namespace {

// As cuda.h declares them.
struct Driver {
  int (*load)(void** module, const void* code) = nullptr;
  int (*find)(void** function, void* module, const char* name) = nullptr;
  int (*launch)(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                unsigned block_y, unsigned block_z, unsigned shared_bytes, cudaStream_t stream,
                void** arguments, void** extra) = nullptr;

  static const Driver& get() {
    static const Driver driver;
    return driver;
  }
  bool is_whole() const { return load != nullptr && find != nullptr && launch != nullptr; }

 private:
  Driver() {
    void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    load = reinterpret_cast<decltype(load)>(dlsym(library, "cuModuleLoadData"));
    find = reinterpret_cast<decltype(find)>(dlsym(library, "cuModuleGetFunction"));
    launch = reinterpret_cast<decltype(launch)>(dlsym(library, "cuLaunchKernel"));
  }
};

void require(bool condition, const char* reason) {
  if (!condition) throw Error(ErrorCode::kDevice, reason);
}

class DriverProgram final : public CompiledProgram {
 public:
  explicit DriverProgram(const std::vector<char>& code) {
    const Driver& driver = Driver::get();
    void* module = nullptr;  // stays as long as the process
    require(driver.is_whole(), "the driver takes no code");
    require(driver.load(&module, code.data()) == 0, "the driver refuses the code of libnvrtc");
    require(driver.find(&one_, module, "one") == 0, "the driver refuses the code of libnvrtc");
    if (driver.find(&many_, module, "many") != 0) many_ = nullptr;  // of a program that runs alone
  }

 private:
  /// The driver knows how many bytes a function takes.
  void start(bool many, const Queue& queue, int64_t tiles, int threads, const void* members,
             size_t) const override {
    check(cudaSetDevice(queue.device), "cudaSetDevice");
    void* arguments[] = {const_cast<void*>(members), &tiles};
    const auto grid = static_cast<unsigned>(tiles < kMostBlocks ? tiles : kMostBlocks);
    const int status =
        Driver::get().launch(many ? many_ : one_, grid, 1, 1, static_cast<unsigned>(threads), 1, 1,
                             0, queue.stream(), arguments, nullptr);
    check(static_cast<cudaError_t>(status), "launch");  // the numbers are the runtime's
  }

  void *one_ = nullptr, *many_ = nullptr;
};

}  // namespace

std::shared_ptr<const CompiledProgram> make_compiled(const Queue& queue, const std::string& library,
                                                     const std::string& text) {
  const std::vector<char> code = compile_by_nvrtc(library, text, queue.architecture);
  check(cudaSetDevice(queue.device), "cudaSetDevice");
  return std::make_shared<DriverProgram>(code);
}

}  // namespace symk::cuda

#endif
