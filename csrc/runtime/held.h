// What the memory of a device is used for, counted, so that a message can say what is held.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace symk {

enum class Use { kArena, kValues, kConstants, kBatches, kTables };

class Held {
 public:
  void add(Use use, int64_t bytes) {
    bytes_[static_cast<int>(use)].fetch_add(bytes, std::memory_order_relaxed);
    const int64_t now = total_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t most = most_.load(std::memory_order_relaxed);
    while (now > most && !most_.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
    }
  }

  /// The most bytes that were held since this was asked the last time.
  int64_t take_most() { return most_.exchange(total_.load(std::memory_order_relaxed)); }

  /// "30 bytes: 20 in arenas of functions, 10 in values".
  std::string text() const {
    std::string parts;
    for (int i = 0; i < kUses; ++i) {
      const int64_t bytes = bytes_[i].load(std::memory_order_relaxed);
      if (bytes == 0) continue;
      parts += (parts.empty() ? ": " : ", ") + std::to_string(bytes) + " in ";
      parts += name(static_cast<Use>(i));
    }
    return std::to_string(total_.load(std::memory_order_relaxed)) + " bytes" + parts;
  }

  static const char* name(Use use) {
    constexpr const char* names[kUses] = {"arenas of functions", "values of variables", "constants",
                                          "batches", "tables of kernels"};
    return names[static_cast<int>(use)];
  }

 private:
  static constexpr int kUses = 5;
  std::atomic<int64_t> bytes_[kUses] = {};
  std::atomic<int64_t> total_{0}, most_{0};
};

}  // namespace symk
