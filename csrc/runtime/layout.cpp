// Offset assignment for static memory: the largest piece first, each into the smallest gap that
// fits among the pieces that live at the same time. Source: Pisarchyk & Lee 2020, "Efficient Memory
// Management for Deep Neural Net Inference", greedy by size; within a few percent of the lower
// bound on networks.
#include "runtime/layout.h"

#include <algorithm>
#include <numeric>

#include "runtime/memory.h"

namespace symk {
namespace {

/// The offset of the smallest gap for a piece; `placed` is in the order of offsets.
template <class F>
int64_t best_gap(const std::vector<Piece>& pieces, size_t piece, int64_t bytes,
                 const std::vector<size_t>& placed, const F& together) {
  int64_t end = 0, best = -1, best_gap = INT64_MAX;
  for (const size_t number : placed) {
    if (!together(piece, number)) continue;
    const Piece& other = pieces[number];
    const int64_t gap = other.offset - end;
    if (gap >= bytes && gap < best_gap) {
      best = end;
      best_gap = gap;
    }
    end = std::max(end, other.offset + aligned_size(other.bytes));
  }
  return best >= 0 ? best : end;
}

/// `together` is asked for each pair: a call of it would take as long as all else.
template <class F>
int64_t place_all(std::vector<Piece>& pieces, const F& together) {
  std::vector<size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return pieces[a].bytes > pieces[b].bytes; });
  std::vector<size_t> placed;
  placed.reserve(pieces.size());
  int64_t total = 0;
  for (const size_t index : order) {
    Piece& piece = pieces[index];
    const int64_t bytes = aligned_size(piece.bytes);
    if (bytes == 0) continue;  // any address does
    piece.offset = best_gap(pieces, index, bytes, placed, together);
    total = std::max(total, checked_add(piece.offset, bytes));
    const auto by_offset = [&](size_t a, size_t b) { return pieces[a].offset < pieces[b].offset; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), index, by_offset), index);
  }
  return total;
}

}  // namespace

int64_t place(std::vector<Piece>& pieces) {
  return place_all(pieces, [&](size_t a, size_t b) {
    return pieces[a].first <= pieces[b].last && pieces[b].first <= pieces[a].last;
  });
}

int64_t place(std::vector<Piece>& pieces, const Together& together) {
  return place_all(pieces, together);
}

}  // namespace symk
