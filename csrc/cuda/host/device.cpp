// The device "cuda-host": CUDA kernels over the memory of the host, for tests without a GPU.
#include <cstdio>
#include <cstring>

#include "cuda/device.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

class HostCuda final : public QueuedDevice {
 public:
  const std::string& name() const override {
    static const std::string name = "cuda-host";
    return name;
  }
  void* allocate(int64_t bytes) override { return allocate_bytes(bytes); }
  void release(void* memory, int64_t bytes) noexcept override { release_bytes(memory, bytes); }
  void copy_in(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy_out(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  void clear(void* to, int64_t bytes) override { std::memset(to, 0, static_cast<size_t>(bytes)); }
  void synchronize() override {}
  BindFunction find_kernel(const std::string& name) const override {
    return symk::find_kernel(name);
  }
  std::vector<std::string> kernel_names() const override { return symk::kernel_names(); }
};

}  // namespace
}  // namespace symk::cuda

extern "C" __attribute__((visibility("default"))) symk::Device* symk_open_device(int number,
                                                                                 char* message,
                                                                                 int size) {
  static symk::cuda::HostCuda device;
  if (number == 0) return &device;
  std::snprintf(message, static_cast<size_t>(size), "there is one device of this kind, number 0.");
  return nullptr;
}
