// Which launches of a device run beside each other when they are recorded, and which of them wait
// for which. docs/cuda.md says what it is worth. Pure: no result of a step depends on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/branches.h"

namespace symk::cuda {

constexpr int kMostBranches = 4;

/// Per branch the last launch that has ended at some time, or -1.
using Ended = std::array<int64_t, kMostBranches>;

/// By which launches something is used.
struct Usage {
  size_t first = SIZE_MAX;
  Ended last = {-1, -1, -1, -1};  // per branch
  bool to_end = false;            // also by what comes after them all
};

class Branches {
 public:
  /// Deals launches out in their order: each ends as early as what it depends on, its branch and
  /// what others leave of the device allow, and stays where it is for a little gain. From one fence
  /// to the next all stay in branch 0 unless it is worth it.
  explicit Branches(const std::vector<Launch>& launches);

  const std::vector<Turn>& turns() const { return turns_; }
  /// Whether there is more than branch 0.
  bool is_forked() const;
  /// Notes that a launch uses something; launches come in their order. The number of them all
  /// stands for what comes after them.
  void note(size_t launch, Usage& use) const;
  /// Whether two things may be in use at the same time.
  bool together(const Usage& one, const Usage& other) const {
    return !ends_before(one, other) && !ends_before(other, one);
  }
  /// What all is expected to take.
  int64_t time_ns() const { return time_ns_; }

 private:
  void stay_in_turn(size_t first, size_t last);
  bool ends_before(const Usage& one, const Usage& other) const;

  std::vector<Turn> turns_;
  std::vector<Ended> ended_;  // per launch
  int64_t time_ns_ = 0;
};

/// Deals launches out, and lays their memory out so that they do not wait for the use of it. Where
/// that takes too much more memory than there is, memory stays as it is and they do wait.
Arrangement arrange(const Launches& launches);

}  // namespace symk::cuda
