// The host as a device, and the search for others: the shared object of a kind of device lies
// beside the one that holds this code.
#include "runtime/device.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "runtime/error.h"
#include "runtime/lock.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace symk {
namespace {

constexpr int64_t kCopyPart =
    int64_t{1} << 20;  // bytes: large enough that a part costs more than handing it out

class HostDevice final : public Device {
 public:
  const std::string& name() const override {
    static const std::string name = "cpu";
    return name;
  }
  bool is_host() const override { return true; }

  void* allocate(int64_t bytes, Use) override { return allocate_bytes(bytes); }
  void release(void* memory, int64_t bytes, Use) noexcept override { release_bytes(memory, bytes); }

  void copy_in(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy_out(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override {
    if (bytes <= kCopyPart) {
      std::memcpy(to, from, static_cast<size_t>(bytes));
      return;
    }
    thread_pool().parallel((bytes + kCopyPart - 1) / kCopyPart, [&](int64_t part) {
      const int64_t begin = part * kCopyPart;
      std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                  static_cast<size_t>(std::min(kCopyPart, bytes - begin)));
    });
  }
  void clear(void* to, int64_t bytes) override { std::memset(to, 0, static_cast<size_t>(bytes)); }
  void synchronize() override {}

  BindFunction find_kernel(const std::string& name) const override {
    return symk::find_kernel(name);
  }
  std::vector<std::string> kernel_names() const override { return symk::kernel_names(); }
};

[[noreturn]] void refuse(const std::string& name, const std::string& reason) {
  throw Error(ErrorCode::kDevice, "[device " + name + "] " + reason);
}

/// "cuda:1" -> "cuda" and 1.
std::pair<std::string, int> parts_of(const std::string& name) {
  const size_t colon = name.find(':');
  const std::string kind = name.substr(0, colon);
  const std::string digits = colon == std::string::npos ? "0" : name.substr(colon + 1);
  const bool is_number = !digits.empty() && digits.size() < 4 &&
                         digits.find_first_not_of("0123456789") == std::string::npos;
  if ((kind != "cuda" && kind != "cuda-host") || !is_number)
    refuse(name, "a device must be cpu, cuda or cuda:N; there is no other kind.");
  return {kind, std::stoi(digits)};
}

/// Where the shared object of a kind of device is to be.
std::string library_of(const std::string& kind) {
  Dl_info own = {};
  std::string folder;
  if (dladdr(reinterpret_cast<void*>(&host_device), &own) != 0 && own.dli_fname != nullptr) {
    const std::string file = own.dli_fname;
    const size_t slash = file.rfind('/');
    if (slash != std::string::npos) folder = file.substr(0, slash + 1);
  }
  return folder + "libsymk_" + (kind == "cuda" ? "cuda" : "cuda_host") + ".so";
}

Device& open_device(const std::string& name, const std::string& kind, int number) {
  const std::string file = library_of(kind);
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open
  if (library == nullptr) {
    const char* const reason = dlerror();
    refuse(name, "its kernels are required in " + file + ", which cannot be opened (" +
                     (reason != nullptr ? reason : "no reason given") +
                     "). Build symk where nvcc of CUDA 12 or later is found, or use device cpu.");
  }
  const auto open = reinterpret_cast<OpenDevice>(dlsym(library, kOpenDevice));
  if (open == nullptr) refuse(name, file + " is of another release of symk. Build symk again.");
  char message[512] = "";
  Device* const device = open(number, SYMK_DEVICE_CONTRACT, message, sizeof message);
  if (device == nullptr) refuse(name, message);
  return *device;
}

}  // namespace

Device& host_device() {
  static HostDevice device;
  return device;
}

Device& Binding::device() const { return host_device(); }

Device& device_named(const std::string& name) {
  if (name == "cpu") return host_device();
  static SharedLock lock;
  static std::map<std::pair<std::string, int>, Device*> opened;
  const auto parts = parts_of(name);
  const Locked locked(lock);
  Device*& device = opened[parts];
  if (device == nullptr) device = &open_device(name, parts.first, parts.second);
  return *device;
}

}  // namespace symk
