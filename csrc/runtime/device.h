// Where memory lies and steps run. The host is one device; others come from shared objects of their
// own, which are opened when they are first asked for. docs/cuda.md shows the parts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "runtime/held.h"
#include "runtime/kernel.h"

namespace symk {

/// Work of a device's queue that was recorded and can be done again by one call.
class Recording {
 public:
  virtual ~Recording() = default;
  /// How many kernels, copies and clearings it holds.
  virtual int64_t size() const = 0;
};

/// What was last in a queue when this was made. Only the device that made it knows what it holds.
class Mark {
 public:
  virtual ~Mark() = default;
};

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
  virtual void* allocate(int64_t bytes, Use use) = 0;
  virtual void release(void* memory, int64_t bytes, Use use) noexcept = 0;

  /// From and to the memory of the host; the host's memory may change once the call has returned,
  /// and must not be pinned.
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
  /// Whether elementwise programs that are bound from now on may be compiled: "0" not, "1" by the
  /// library that the system finds, else by that of this path.
  virtual void use_compiler(const std::string&) {}
  /// Whether products that are bound from now on may take the instructions for warp groups, where
  /// the device has them.
  virtual void use_warp_groups(bool) {}

  /// Whether `arrange` may find something from now on.
  virtual void use_branches(bool) {}
  /// Which launches of a recording run beside each other.
  virtual Arrangement arrange(const Launches&) const { return {}; }

  // The host has none of what follows, since its copies and steps are done at once.

  /// The most bytes of its memory that symk held since this was asked the last time.
  virtual int64_t take_most_held() { return 0; }

  /// Memory of the host that the device reads and writes by itself, or null if there is none left.
  virtual void* pin(int64_t) { return nullptr; }
  /// Waits until the device has done with it.
  virtual void unpin(void*) noexcept {}
  /// From and to pinned memory, which must stay as it is until the queue has come so far.
  virtual void copy_in_pinned(void*, const void*, int64_t) {}
  virtual void copy_out_pinned(void*, const void*, int64_t) {}
  /// The same beside the queue: the device does it while steps run. `after` waits for it.
  virtual std::unique_ptr<Mark> copy_in_beside(void*, const void*, int64_t) { return nullptr; }

  /// What this device's queue has come to now.
  virtual std::unique_ptr<Mark> mark() { return nullptr; }
  /// What is asked for from now on is done after what a mark, of any device of this kind, stands
  /// for.
  virtual void after(const Mark&) {}
  /// Whether marks and memory of another device mean something to this one: it is of this kind.
  virtual bool is_peer(const Device&) const { return false; }
  /// From the memory of a peer, in this device's queue.
  virtual void copy_from(Device&, void*, const void*, int64_t) {}

  /// What the calling thread asks of the queue is recorded and not done, until `end_recording`,
  /// which is null where something cannot be recorded. What allocates or waits throws meanwhile.
  /// It goes into one of so many branches of the recording, which are done beside each other but
  /// for marks: that of number 0 until another one is selected. Each other one must begin `after` a
  /// mark, and branch 0 must come to be `after` its end.
  virtual void begin_recording(int) {}
  virtual void select_branch(int) {}
  virtual std::unique_ptr<Recording> end_recording() { return nullptr; }
  virtual void cancel_recording() noexcept {}
  virtual void replay(const Recording&) {}
};

Device& host_device();

/// The device of a name: "cpu", "cuda", "cuda:1", and "cuda-host", which runs the CUDA kernels on
/// the host for tests. Lives as long as the process. Throws Error(kDevice) saying what is missing.
Device& device_named(const std::string& name);

/// Memory of a device.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(Device& device, int64_t bytes, Use use = Use::kTables)
      : device_(&device), data_(device.allocate(bytes, use)), bytes_(bytes), use_(use) {}
  ~DeviceMemory() {
    if (data_ != nullptr) device_->release(data_, bytes_, use_);
  }
  DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(use_, other.use_);
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
  Use use_ = Use::kTables;
};

/// Pinned memory; without data where none was to be had.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  PinnedMemory(Device& device, int64_t bytes)
      : device_(&device), data_(device.pin(bytes)), bytes_(bytes) {}
  ~PinnedMemory() {
    if (data_ != nullptr) device_->unpin(data_);
  }
  PinnedMemory(PinnedMemory&& other) noexcept { *this = std::move(other); }
  PinnedMemory& operator=(PinnedMemory&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  char* data() const { return static_cast<char*>(data_); }
  int64_t bytes() const { return data_ == nullptr ? 0 : bytes_; }

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// What the shared object of a device exports as `symk_device_open`: the device of a number, or
/// null with the reason in `message`, of `size` bytes. `contract` says which form of these headers
/// the caller was compiled with; another one than the shared object's is refused.
using OpenDevice = Device* (*)(int number, const char* contract, char* message, int size);
constexpr const char* kOpenDevice = "symk_device_open";

}  // namespace symk
