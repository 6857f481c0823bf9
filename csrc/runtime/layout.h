// Lays pieces of memory with known lifetimes out in one arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace symk {

/// Memory that is in use from step `first` to step `last`, both included. `place` finds the offset.
struct Piece {
  int64_t bytes = 0;
  int first = 0, last = 0;
  int64_t offset = 0;
};

/// Gives each piece an offset, a multiple of 64, so that pieces alive at the same step do not
/// overlap. Returns the bytes of the whole arena.
int64_t place(std::vector<Piece>& pieces);

/// The same where steps run beside each other, by whether two of the pieces may be in use at once.
using Together = std::function<bool(size_t, size_t)>;
int64_t place(std::vector<Piece>& pieces, const Together& together);

}  // namespace symk
