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
  }

  /// "30 bytes: 20 in arenas of functions, 10 in values".
  std::string text() const {
    int64_t total = 0;
    std::string parts;
    for (int i = 0; i < kUses; ++i) {
      const int64_t bytes = bytes_[i].load(std::memory_order_relaxed);
      total += bytes;
      if (bytes == 0) continue;
      parts += (parts.empty() ? ": " : ", ") + std::to_string(bytes) + " in " + name(static_cast<Use>(i));
    }
    return std::to_string(total) + " bytes" + parts;
  }

  static const char* name(Use use) {
    constexpr const char* names[kUses] = {"arenas of functions", "values of variables", "constants",
                                          "batches", "tables of kernels"};
    return names[static_cast<int>(use)];
  }

 private:
  static constexpr int kUses = 5;
  std::atomic<int64_t> bytes_[kUses] = {};
};

}  // namespace symk
