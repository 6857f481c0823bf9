// Copies constants to a device, each to an aligned place.
#include "runtime/constants.h"

#include "runtime/memory.h"
#include "runtime/plan.h"

namespace symk {

Constants::Constants(const Plan& plan, Device& device) {
  int64_t total = 0;
  for (const Plan::Constant& constant : plan.constants) {
    offsets_.push_back(total);
    total = checked_add(total, aligned_size(constant.bytes));
  }
  memory_ = DeviceMemory(device, total, Use::kConstants);
  for (size_t i = 0; i < offsets_.size(); ++i) {
    const Plan::Constant& constant = plan.constants[i];
    if (constant.bytes == 0) continue;
    device.copy_in(memory_.data() + offsets_[i], constant.data, constant.bytes);
  }
}

std::shared_ptr<Constants> ConstantCopies::find(const Plan& plan, Device& device) {
  if (device.is_host()) return nullptr;
  const Locked locked(lock_);
  std::weak_ptr<Constants>* place = nullptr;
  for (auto& [owner, copy] : copies_) {
    if (owner == &device) place = &copy;
  }
  if (place == nullptr) place = &copies_.emplace_back(&device, std::weak_ptr<Constants>()).second;
  std::shared_ptr<Constants> found = place->lock();
  if (found == nullptr) *place = found = std::make_shared<Constants>(plan, device);
  return found;
}

}  // namespace symk
