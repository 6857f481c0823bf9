// A GPU as a Device: memory, copies, a stream. The CUDA runtime is part of this shared object; the
// driver is looked for when the first device is opened.
#include "cuda/device.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>

#include "runtime/memory.h"

namespace symk::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kDevice, std::string("[cuda] ") + what +
                                      " failed: " + cudaGetErrorString(status) +
                                      ". The device may be lost; start the program again.");
}

namespace {

class Gpu final : public QueuedDevice {
 public:
  Gpu(int number, bool tensor_cores) : name_("cuda:" + std::to_string(number)) {
    queue_.device = number;
    queue_.tensor_cores = tensor_cores;
    enter();
    check(cudaStreamCreateWithFlags(&queue_.stream, cudaStreamNonBlocking), "cudaStreamCreate");
  }

  const std::string& name() const override { return name_; }

  void* allocate(int64_t bytes) override {
    enter();
    void* memory = nullptr;
    const auto size = static_cast<size_t>(bytes > 0 ? aligned_size(bytes) : kAlignment);
    const cudaError_t status = cudaMalloc(&memory, size);
    if (status == cudaErrorMemoryAllocation) refuse(bytes);
    check(status, "cudaMalloc");
    held_.fetch_add(bytes);
    clear(memory, static_cast<int64_t>(size));
    return memory;
  }
  void release(void* memory, int64_t bytes) noexcept override {
    cudaSetDevice(queue_.device);
    cudaFree(memory);  // waits for what still uses it
    held_.fetch_sub(bytes);
  }

  void copy_in(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyHostToDevice);
  }
  void copy_out(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToHost);
    synchronize();
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToDevice);
  }
  void clear(void* to, int64_t bytes) override {
    enter();
    check(cudaMemsetAsync(to, 0, static_cast<size_t>(bytes), queue_.stream), "cudaMemsetAsync");
  }
  void synchronize() override {
    enter();
    check(cudaStreamSynchronize(queue_.stream), "cudaStreamSynchronize");
  }

  BindFunction find_kernel(const std::string& name) const override {
    return symk::find_kernel(name);
  }
  std::vector<std::string> kernel_names() const override { return symk::kernel_names(); }

 private:
  void enter() const { check(cudaSetDevice(queue_.device), "cudaSetDevice"); }

  void move(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind) const {
    if (bytes == 0) return;
    enter();
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, queue_.stream),
          "cudaMemcpyAsync");
  }

  [[noreturn]] void refuse(int64_t bytes) const {
    cudaGetLastError();  // the next call shall not see this one's failure
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error(ErrorCode::kMemory, "[device " + name_ + "] " + std::to_string(bytes) +
                                        " bytes are required; " + std::to_string(free) + " of " +
                                        std::to_string(total) + " are free, symk holds " +
                                        std::to_string(held_.load()) + ". Use a smaller batch.");
  }

  const std::string name_;
  std::atomic<int64_t> held_{0};
};

Gpu* open(int number, std::string& reason) {
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    reason = "an NVIDIA driver is required; libcuda.so.1 was not found. Install the driver.";
    return nullptr;
  }
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    reason = "a driver for CUDA " + std::to_string(runtime / 1000) +
             " is required; this one is for " + std::to_string(driver / 1000) + "." +
             std::to_string(driver % 1000 / 10) + ". Update the driver.";
    return nullptr;
  }
  if (status != cudaSuccess || number >= count) {
    reason = "a GPU of number " + std::to_string(number) + " is required; there are " +
             std::to_string(count) + " (" + cudaGetErrorString(status) + ").";
    return nullptr;
  }
  cudaDeviceProp properties = {};
  check(cudaGetDeviceProperties(&properties, number), "cudaGetDeviceProperties");
  if (properties.major * 10 + properties.minor < 75) {
    reason = std::string("a GPU of compute capability 7.5 or later is required; ") +
             properties.name + " has " + std::to_string(properties.major) + "." +
             std::to_string(properties.minor) + ".";
    return nullptr;
  }
  return new Gpu(number, properties.major >= 8);  // lives as long as the process
}

}  // namespace
}  // namespace symk::cuda

extern "C" __attribute__((visibility("default"))) symk::Device* symk_open_device(int number,
                                                                                 char* message,
                                                                                 int size) {
  std::string reason;
  symk::Device* device = nullptr;
  try {
    device = symk::cuda::open(number, reason);
  } catch (const symk::Error& error) {
    reason = error.what();
  }
  std::snprintf(message, static_cast<size_t>(size), "%s", reason.c_str());
  return device;
}
