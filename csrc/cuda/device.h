// The CUDA device as its kernels see it: the queue of the device that a binding is for.
#pragma once

#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>

#include "cuda/branches.h"
#include "cuda/compiler.h"
#include "cuda/launch.h"
#include "runtime/device.h"
#include "runtime/kernel.h"

namespace symk::cuda {

class QueuedDevice : public Device {
 public:
  const Queue& queue() const { return queue_; }
  Compiler& compiler() { return compiler_; }
  void use_compiler(const std::string& library) override { compiler_.use(library); }
  void use_warp_groups(bool on) override { warp_groups_.store(on); }
  void use_branches(bool on) override { branches_.store(on); }
  Arrangement arrange(const Launches& launches) const override {
    return branches_.load() ? cuda::arrange(launches) : Arrangement();
  }
  /// Whether products may take the instructions of compute capability 9.0: they are no others'.
  bool warp_groups() const { return warp_groups_.load() && queue_.architecture == 90; }

 protected:
  Queue queue_;
  Compiler compiler_;

 private:
  std::atomic<bool> warp_groups_{false}, branches_{true};
};

/// Kernels of this shared object are bound for its devices alone.
inline QueuedDevice& device_of(const Binding& binding) {
  return static_cast<QueuedDevice&>(binding.device());
}
inline const Queue& queue_of(const Binding& binding) { return device_of(binding).queue(); }

/// A step whose run is f(queue, operands).
template <class F>
std::unique_ptr<Step> make_step(const Binding& binding, F f, std::string manner = "") {
  class LambdaStep final : public Step {
   public:
    LambdaStep(const Queue& queue, F f, std::string manner)
        : queue_(queue), f_(std::move(f)), manner_(std::move(manner)) {}
    Status run(const Operands& operands, ThreadPool&) override {
      f_(queue_, operands);
      return Status();
    }
    std::string manner() const override { return manner_; }

   private:
    const Queue queue_;
    F f_;
    const std::string manner_;
  };
  return std::make_unique<LambdaStep>(queue_of(binding), std::move(f), std::move(manner));
}

/// A copy of plain values in the memory of the device, as long as the step lives.
template <class T>
std::shared_ptr<DeviceMemory> upload(Device& device, const T* values, size_t count) {
  const int64_t bytes = static_cast<int64_t>(count * sizeof(T));
  auto memory = std::make_shared<DeviceMemory>(device, bytes);
  if (bytes > 0) device.copy_in(memory->data(), values, bytes);
  return memory;
}

template <class T>
const T* input(const Operands& operands, int number) {
  return static_cast<const T*>(operands.in[number]);
}
template <class T>
T* output(const Operands& operands, int number) {
  return static_cast<T*>(operands.out[number]);
}

}  // namespace symk::cuda
