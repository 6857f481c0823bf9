// The arrays of a later call on their way to where it runs, while calls before it run there: a
// Batch, made of a Parcel for each place that something goes to. program.h and ensemble_batch.h
// have the batches of one device and of several.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/device.h"
#include "runtime/lock.h"
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/sizes.h"

namespace symk {

/// As much pinned memory, or none where that would be too much of what everybody needs.
PinnedMemory pinned_memory(Device& device, int64_t bytes);

/// The type of an array that is fed to an input. Throws Error(kShape) for more bytes than 63 bits
/// count.
Type array_type(const Plan& plan, size_t input, const Shape& shape);

/// Bytes for one device: written to pinned memory of the host, copied beside the queue to memory of
/// the device, and handed over within it. Where there is too little of either, and on the host
/// itself, they stay in memory of the host until they are handed over. All memory is used again.
class Parcel {
 public:
  explicit Parcel(Device& device) : device_(&device) {}

  /// Where to write so many bytes. Those before must have been handed over, to a call that is done,
  /// or never sent. Throws Error(kMemory).
  char* open(int64_t bytes);
  /// Begins to copy what was written, which stays readable and must stay as it is.
  void send();
  /// Adds the copy to where the bytes are wanted to the queue of the device. They must stay until
  /// the queue has come so far, and may be handed over again.
  void hand_over(void* to) const;

 private:
  void make_room(int64_t bytes);
  bool make_room_there();

  Device* device_;
  int64_t bytes_ = 0;
  int64_t room_ = -1;  // of pinned_, or of plain_ where that is empty; -1 before the first bytes
  Block plain_;
  DeviceMemory memory_;
  PinnedMemory pinned_;            // given back before memory_, when the copy is done
  std::unique_ptr<Mark> arrived_;  // null where the bytes are on the host alone
};

/// The arrays of one call of a Program or of an Ensemble, the owner.
class Batch {
 public:
  explicit Batch(const void* owner) : owner_(owner) {}
  virtual ~Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  /// Throws Error(kArgument) unless the batch is of this owner.
  void require_owner(const void* owner) const;
  const std::vector<Shape>& shapes() const { return shapes_; }

 protected:
  std::vector<Shape> shapes_;

 private:
  const void* const owner_;
};

/// Batches that have been run, whose memory others are to have.
class SpareBatches {
 public:
  /// One of them, or null.
  std::unique_ptr<Batch> take();
  /// Frees it where there are enough.
  void keep(std::unique_ptr<Batch> batch) noexcept;

 private:
  SharedLock lock_;
  std::vector<std::unique_ptr<Batch>> batches_;
};

}  // namespace symk
