// The memory of a shared variable.
#include "runtime/tensor.h"

#include <algorithm>

#include "runtime/error.h"

namespace symk {
namespace {

int64_t checked_bytes(const Type& type) {
  int64_t bytes = item_bytes(type.dtype);
  for (int axis = 0; axis < type.rank; ++axis) {
    if (type.shape[axis] < 0)
      throw Error(ErrorCode::kShape, "[tensor] sizes must not be negative.");
    bytes = checked_multiply(bytes, type.shape[axis]);
  }
  return bytes;
}

}  // namespace

Tensor::Tensor(const Type& type) : type_(type), memory_(checked_bytes(type)) {}

void* Tensor::data_on(Device& device) {
  if (device.is_host()) return data();
  const Locked locked(copies_lock_);
  return copy_on(device).memory.data();
}

Tensor::Copy& Tensor::copy_on(Device& device) {
  for (const auto& copy : copies_) {
    if (copy->device == &device) return *copy;
  }
  auto made = std::make_unique<Copy>();
  made->device = &device;
  made->memory = DeviceMemory(device, type_.bytes(), Use::kValues);
  copies_.push_back(std::move(made));
  return *copies_.back();
}

void Tensor::changed_on(Device& device) {
  if (device.is_host()) return changed();
  const Locked locked(copies_lock_);
  copy_on(device).version = version_.fetch_add(1, std::memory_order_acq_rel) + 1;
  away_.store(true, std::memory_order_release);
}

void Tensor::bring_to(Device& device, std::vector<Device*>& peers) {
  if (device.is_host()) return bring_home();
  const Locked locked(copies_lock_);
  Copy& copy = copy_on(device);
  if (copy.version == version()) return;
  if (!bring_from_peer(copy, peers)) {
    fetch_locked();
    device.copy_in(copy.memory.data(), data(), type_.bytes());
  }
  copy.version = version();
}

/// From the device that has the value alone, without the host between them; whether that can be.
bool Tensor::bring_from_peer(Copy& to, std::vector<Device*>& peers) {
  if (!away_.load(std::memory_order_relaxed)) return false;
  for (const auto& from : copies_) {
    if (from->version != version() || !to.device->is_peer(*from->device)) continue;
    if (std::count(peers.begin(), peers.end(), from->device) == 0) {
      to.device->after(*from->device->mark());
      peers.push_back(from->device);
    }
    to.device->copy_from(*from->device, to.memory.data(), from->memory.data(), type_.bytes());
    return true;
  }
  return false;
}

void Tensor::fetch() {
  const Locked locked(copies_lock_);
  fetch_locked();
}

void Tensor::fetch_locked() {
  if (!away_.load(std::memory_order_relaxed)) return;
  for (const auto& copy : copies_) {
    if (copy->version != version()) continue;
    copy->device->copy_out(data(), copy->memory.data(), type_.bytes());
    away_.store(false, std::memory_order_release);
    return;
  }
}

bool TensorLocks::add(Tensor& tensor, bool changes) {
  const auto place =
      std::lower_bound(locks_.begin(), locks_.end(), &tensor,
                       [](const Lock& lock, const Tensor* wanted) { return lock.tensor < wanted; });
  if (place != locks_.end() && place->tensor == &tensor) {
    place->changes = place->changes || changes;
    return false;
  }
  locks_.insert(place, {&tensor, changes});
  return true;
}

void TensorLocks::lock() {
  for (const Lock& lock : locks_) {
    if (lock.changes) {
      lock.tensor->lock().lock();
    } else {
      lock.tensor->lock().lock_shared();
    }
  }
}

void TensorLocks::unlock() {
  for (const Lock& lock : locks_) {
    if (lock.changes) {
      lock.tensor->lock().unlock();
    } else {
      lock.tensor->lock().unlock_shared();
    }
  }
}

void TensorLocks::bring_to(Device& device) {
  std::vector<Device*> peers;
  const auto tell = [&] {
    for (Device* peer : peers) peer->after(*device.mark());
  };
  try {
    for (const Lock& lock : locks_) lock.tensor->bring_to(device, peers);
  } catch (...) {
    try {
      tell();  // of the copies that are under way
    } catch (const Error&) {
    }
    throw;
  }
  tell();
}

}  // namespace symk
