// A lock for many readers or one writer that survives a fork: in a child, a lock that a thread of
// the parent held is simply free, since that thread does not exist there. One compare-and-swap when
// nobody waits.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace symk {

/// How often this process has been forked from its first ancestor; grows in each child.
uint32_t fork_generation();

class SharedLock {
 public:
  void lock() {
    wait([this] { return try_lock(); });
  }
  void lock_shared() {
    wait([this] { return try_lock_shared(); });
  }
  void unlock() { state_.store(pack(0), std::memory_order_release); }
  void unlock_shared() { state_.fetch_sub(1, std::memory_order_release); }

  bool try_lock() { return change(0, kWriter); }
  bool try_lock_shared() {
    const uint32_t holders = current();
    return holders != kWriter && change(holders, holders + 1);
  }

 private:
  static constexpr uint32_t kWriter = UINT32_MAX;

  static uint64_t pack(uint32_t holders) { return uint64_t{fork_generation()} << 32 | holders; }

  uint32_t current() const {
    const uint64_t state = state_.load(std::memory_order_relaxed);
    return (state >> 32) == fork_generation() ? static_cast<uint32_t>(state) : 0;
  }

  bool change(uint32_t from, uint32_t to) {
    uint64_t state = state_.load(std::memory_order_relaxed);
    const bool stale = (state >> 32) != fork_generation();
    if ((stale ? 0 : static_cast<uint32_t>(state)) != from) return false;
    return state_.compare_exchange_strong(state, pack(to), std::memory_order_acquire);
  }

  template <class Try>
  static void wait(Try attempt) {
    for (int round = 0; !attempt(); ++round) {
      if (round < 64) continue;
      if (round < 256) {
        std::this_thread::yield();
      } else {
        const timespec pause = {0, 20000};  // a kernel step is rarely shorter than these 20 us
        nanosleep(&pause, nullptr);
      }
    }
  }

  std::atomic<uint64_t> state_{0};
};

/// Holds a lock for writing as long as it lives.
class Locked {
 public:
  explicit Locked(SharedLock& lock) : lock_(lock) { lock_.lock(); }
  ~Locked() { lock_.unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  SharedLock& lock_;
};

}  // namespace symk
