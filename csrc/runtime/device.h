// Where memory lies and steps run. The host is one device; others come from shared objects of their
// own, which are opened when they are first asked for. docs/cuda.md shows the parts.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "runtime/kernel.h"

namespace symk {

/// A device has one queue. Copies and steps are done in the order in which they are asked for;
/// those of the host are done when the call returns, those of others perhaps later, but for
/// `copy_out` and `synchronize`, which wait. May be used from many threads.
class Device {
 public:
  virtual ~Device() = default;
  /// As in settings and messages: "cpu", "cuda:0".
  virtual const std::string& name() const = 0;
  virtual bool is_host() const { return false; }

  /// Zeroed memory, aligned to kAlignment. Throws Error(kMemory), naming what is held.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* memory, int64_t bytes) noexcept = 0;

  /// From and to the memory of the host; the host's memory may change once the call has returned.
  virtual void copy_in(void* to, const void* from, int64_t bytes) = 0;
  virtual void copy_out(void* to, const void* from, int64_t bytes) = 0;
  /// Within the device.
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;
  virtual void clear(void* to, int64_t bytes) = 0;
  /// Waits until all is done. Throws Error(kDevice) when something has failed.
  virtual void synchronize() = 0;

  /// Empty if the device has no kernel of that name. What it binds may be null: then the device has
  /// no room for this step.
  virtual BindFunction find_kernel(const std::string& name) const = 0;
  virtual std::vector<std::string> kernel_names() const = 0;  // sorted
};

Device& host_device();

/// The device of a name: "cpu", "cuda", "cuda:1", and "cuda-host", which runs the CUDA kernels on
/// the host for tests. Lives as long as the process. Throws Error(kDevice) saying what is missing.
Device& device_named(const std::string& name);

/// Memory of a device.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(Device& device, int64_t bytes)
      : device_(&device), data_(device.allocate(bytes)), bytes_(bytes) {}
  ~DeviceMemory() {
    if (data_ != nullptr) device_->release(data_, bytes_);
  }
  DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  char* data() const { return static_cast<char*>(data_); }
  int64_t bytes() const { return bytes_; }

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// What the shared object of a device exports as `symk_open_device`: the device of a number, or
/// null with the reason in `message`, of `size` bytes.
using OpenDevice = Device* (*)(int number, char* message, int size);
constexpr const char* kOpenDevice = "symk_open_device";

}  // namespace symk
