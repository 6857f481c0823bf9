// Parcels, and the batches that wait to be filled again.
#include "runtime/batch.h"

#include <algorithm>
#include <new>

#include "runtime/error.h"

namespace symk {
namespace {

// Pinned memory is taken from everybody; larger arrays go through the driver's own.
constexpr int64_t kMostPinned = int64_t{256} << 20;

// A loop of steps needs four: one that is run, two that wait, one that is filled; other threads one
// each. There are never more than were there at once.
constexpr size_t kKeptBatches = 16;

}  // namespace

PinnedMemory pinned_memory(Device& device, int64_t bytes) {
  return bytes <= kMostPinned ? PinnedMemory(device, bytes) : PinnedMemory();
}

Type array_type(const Plan& plan, size_t input, const Shape& shape) {
  Type type;
  type.dtype = plan.buffers[plan.inputs[input].buffer].dtype;
  type.rank = shape.rank;
  std::copy(shape.size, shape.size + shape.rank, type.shape);
  int64_t bytes = item_bytes(type.dtype);
  for (int axis = 0; axis < shape.rank; ++axis) bytes = checked_multiply(bytes, shape.size[axis]);
  return type;
}

char* Parcel::open(int64_t bytes) {
  arrived_.reset();
  bytes_ = bytes;
  if (bytes > room_) make_room(bytes);
  return pinned_.data() != nullptr ? pinned_.data() : plain_.data();
}

void Parcel::make_room(int64_t bytes) {
  room_ = -1;
  pinned_ = PinnedMemory();
  plain_ = Block();
  pinned_ = pinned_memory(*device_, bytes);
  if (pinned_.data() == nullptr) plain_ = Block(bytes);
  room_ = bytes;
}

void Parcel::send() {
  if (pinned_.data() == nullptr || !make_room_there()) return;
  arrived_ = device_->copy_in_beside(memory_.data(), pinned_.data(), bytes_);
}

/// Whether the device has memory for the bytes.
bool Parcel::make_room_there() {
  if (memory_.data() != nullptr && bytes_ <= memory_.bytes()) return true;
  memory_ = DeviceMemory();
  try {
    memory_ = DeviceMemory(*device_, bytes_, Use::kBatches);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kMemory) throw;
    return false;
  }
  return true;
}

void Parcel::hand_over(void* to) const {
  if (arrived_ != nullptr) {
    device_->after(*arrived_);
    device_->copy(to, memory_.data(), bytes_);
  } else if (pinned_.data() != nullptr) {
    device_->copy_in_pinned(to, pinned_.data(), bytes_);
  } else {
    device_->copy_in(to, plain_.data(), bytes_);
  }
}

void Batch::require_owner(const void* owner) const {
  if (owner == owner_) return;
  throw Error(ErrorCode::kArgument,
              "[function] a prefetched batch must be run by the function that it was prefetched "
              "for; one of another function was given.");
}

std::unique_ptr<Batch> SpareBatches::take() {
  const Locked locked(lock_);
  if (batches_.empty()) return nullptr;
  std::unique_ptr<Batch> batch = std::move(batches_.back());
  batches_.pop_back();
  return batch;
}

void SpareBatches::keep(std::unique_ptr<Batch> batch) noexcept {
  const Locked locked(lock_);
  try {
    if (batches_.size() < kKeptBatches) batches_.push_back(std::move(batch));
  } catch (const std::bad_alloc&) {
    // It is freed instead: a later one gets memory of its own.
  }
}

}  // namespace symk
