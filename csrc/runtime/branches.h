// What a device is told of the steps of a call, so that it may record those that do not depend on
// each other as branches, and what it answers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/layout.h"
#include "runtime/touched.h"

namespace symk {

/// About how long a step keeps a device busy when it runs by itself, and how much of the device it
/// takes: what is done beside what follows from it, and no bit of a result.
struct Load {
  static constexpr int kWhole = 1000;

  int64_t time_ns = 0;    // 0: as long as it takes to move the operands
  int share = kWhole;     // of the device, in thousandths
  bool together = false;  // its blocks wait for each other, so they must all be there at once
};

/// A step, or several that a device does at once. What lies in the arena is touched as a whole: the
/// space is the Piece.
struct Launch {
  Touched touched;
  int64_t bytes = 0;   // of its operands
  Load load, halved;   // by itself, and as one of two that share the device
  bool fence = false;  // all that comes before it has ended when it begins
};

/// The launches of a call in their order, and the arena as it is laid out for one after the other.
struct Launches {
  std::vector<Launch> all;
  const std::vector<Piece>& pieces;
  int64_t bytes = 0;         // of the arena
  int end = 0;               // the time of pieces that are in use after the last launch
  size_t always = SIZE_MAX;  // the piece that is in use all the time
};

/// Where a launch goes, and which launches of other branches it waits for.
struct Turn {
  int branch = 0;  // 0 is the one in which all begins and ends
  std::vector<size_t> after;
  bool awaited = false;  // whether one of another branch waits for it
};

struct Arrangement {
  std::vector<Turn> turns;       // one per launch; none where they follow each other
  std::vector<int64_t> offsets;  // of the pieces
  int64_t bytes = 0;             // of the arena
  int sharers = 1;               // of the device, where blocks wait for each other
};

}  // namespace symk
