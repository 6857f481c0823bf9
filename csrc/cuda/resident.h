// Products that a kernel does many times with the same weights: each of the blocks that are there
// at once keeps its share of the weights in the registers of its threads, where nothing fetches
// them again. A thread has those of 8 columns and 16 depths. The lanes of a warp are 8, 16 or 32
// deep and as wide as is left; warps stand beside and below each other. Rows of the other operand,
// which other blocks write while the kernel runs, go through shared memory.
//
// The sum of an element is in the order of its depths within a thread, then of lanes, by halves,
// and then of warps: the same whatever the rows, the columns and the number of blocks.
#pragma once

#include <algorithm>
#include <optional>

#include "cuda/async_copy.h"
#include "cuda/factor.h"
#include "cuda/mma.h"
#include "cuda/recurrent_cells.h"

namespace symk::cuda {

/// How the weights of a product, `depth` x (gates of each of `units`), lie in threads, and how many
/// rows of the batch a block does with its share.
struct ResidentShape {
  static constexpr int kColumns = 8, kDepth = 16;  // of a thread: 128 of its 255 registers
  static constexpr int kMostWarps = 8;             // with as many registers each
  static constexpr int kThreads = kMostWarps * kWarp;

  int depth = 0, units = 0;  // of the whole
  int gates = 1;             // columns of a unit
  int lanes_deep = 8, warps_deep = 1, warps_wide = 1;
  int share = 0;                        // units of a block
  int unit_blocks = 0, row_blocks = 0;  // blocks that have all units; such groups
  int rows = 0;                         // of a block

  SYMK_BOTH int warp_depth() const { return kDepth * lanes_deep; }
  SYMK_BOTH int warp_columns() const { return kColumns * (kWarp / lanes_deep); }
  /// With what is 0 beyond the last depth and the last column.
  SYMK_BOTH int all_depth() const { return warps_deep * warp_depth(); }
  SYMK_BOTH int all_columns() const { return warps_wide * warp_columns(); }
  int threads() const { return kWarp * warps_deep * warps_wide; }
  int64_t blocks() const { return int64_t{unit_blocks} * row_blocks; }

  /// The shape for a batch when `most` blocks can be there at once; none if they cannot hold the
  /// weights.
  static std::optional<ResidentShape> of(int64_t depth, int64_t units, int gates, int64_t batch,
                                         int64_t most) {
    ResidentShape shape;
    if (std::min({depth, units, batch, most}) < 1 || depth > kMostWarps * kDepth * kWarp) return {};
    shape.depth = static_cast<int>(depth);
    shape.units = static_cast<int>(units);
    shape.gates = gates;
    while (shape.warp_depth() * kMostWarps < shape.depth) shape.lanes_deep *= 2;
    shape.warps_deep = (shape.depth + shape.warp_depth() - 1) / shape.warp_depth();
    const int64_t most_wide = kMostWarps / shape.warps_deep;
    const int64_t widest = most_wide * shape.warp_columns() / gates;
    if (widest == 0) return {};
    const int64_t blocks = (units + widest - 1) / widest;
    if (blocks > most) return {};
    shape.unit_blocks = static_cast<int>(blocks);
    shape.share = static_cast<int>((units + blocks - 1) / blocks);
    shape.warps_wide = (shape.share * gates + shape.warp_columns() - 1) / shape.warp_columns();
    const int64_t groups = std::min(batch, most / blocks);
    shape.rows = static_cast<int>((batch + groups - 1) / groups);
    shape.row_blocks = static_cast<int>((batch + shape.rows - 1) / shape.rows);
    return shape;
  }
};

/// Where weights lie, rounded as they are multiplied: those of depth d, gate g and unit u at their
/// multiples of these steps.
struct ResidentWeights {
  const float* data;
  int64_t depth_step, gate_step, unit_step;
};

/// What one block does of the products of a kernel; all its threads call all functions.
class ResidentShare {
 public:
  static constexpr int kRows = 16;  // that are multiplied before somebody uses their sums
  // Rows arrive in chunks of so many at most, which take longer to multiply than to come.
  static constexpr int kMostChunk = 4;
  static constexpr int kSlot = 8192, kSlots = 2;  // numbers of a chunk; chunks at a time
  static constexpr int kSums = ResidentShape::kThreads * kRows;
  static constexpr int64_t kSharedBytes = (kSlots * kSlot + kSums) * int64_t{sizeof(float)};

  SYMK_HD ResidentShare(const ResidentShape& shape, const ResidentWeights& weights, Factor factor,
                        int64_t block, int64_t batch, unsigned* meetings)
      : shape_(shape), factor_(factor) {
    const auto group = static_cast<int>(block / shape.unit_blocks);
    first_unit_ = static_cast<int>(block % shape.unit_blocks) * shape.share;
    units_ = least(shape.share, shape.units - first_unit_);
    first_row_ = int64_t{group} * shape.rows;
    rows_ = static_cast<int>(least(int64_t{shape.rows}, batch - first_row_));
    meeting_ = meetings + group;
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    lane_deep_ = lane % shape.lanes_deep;
    warp_deep_ = warp % shape.warps_deep;
    first_depth_ = warp_deep_ * shape.warp_depth();
    first_column_ = warp / shape.warps_deep * shape.warp_columns();
    thread_column_ = first_column_ + lane / shape.lanes_deep * ResidentShape::kColumns;
    load(weights);
  }

  /// f(row, unit, sums of its gates) for all rows and units of the block: sums of the products of
  /// `rows` with the weights of depths [first_depth, last_depth) and gates [first_gate, last_gate);
  /// sums of other gates are any number.
  template <class F>
  SYMK_HD void multiply(const cpu::Rows<const float>& rows, int first_depth, int last_depth,
                        int first_gate, int last_gate, const F& f) {
    const bool is_needed = first_depth_ < last_depth &&
                           first_depth < first_depth_ + shape_.warp_depth() &&
                           first_column_ < last_gate * shape_.share &&
                           first_gate * shape_.share < first_column_ + shape_.warp_columns();
    for (int first = 0; first < rows_; first += kRows) {
      const int count = least(kRows, rows_ - first);
      multiply_rows(rows, first, count, first_depth, last_depth, is_needed);
      __syncthreads();
      each_of(count, [&](int row, int unit) {
        float* const sums = sums_ + row * shape_.all_columns() + unit;
        for (int gate = first_gate; gate < last_gate; ++gate) add_up(sums + gate * shape_.share);
        f(first_row_ + first + row, first_unit_ + unit, GateSums<float>{sums, shape_.share});
      });
    }
  }

  /// f(row, unit) for all rows and units of the block, by the threads that `multiply` has for them.
  template <class F>
  SYMK_HD void each(const F& f) const {
    for (int first = 0; first < rows_; first += kRows) {
      each_of(least(kRows, rows_ - first), [&](int row, int unit) {
        f(first_row_ + first + row, first_unit_ + unit);
      });
    }
  }

  /// Waits for all blocks that share these rows. What they have written before is seen after it.
  SYMK_HD void meet() {
    if (shape_.unit_blocks == 1) {
      __syncthreads();
    } else {
      arrivals_ += static_cast<unsigned>(shape_.unit_blocks);
      meet_blocks(meeting_, arrivals_);
    }
  }

 private:
  template <class I>
  SYMK_HD static I least(I a, I b) {
    return a < b ? a : b;
  }

  SYMK_HD void load(const ResidentWeights& weights) {
    SYMK_UNROLLED
    for (int c = 0; c < ResidentShape::kColumns; ++c) {
      const int column = thread_column_ + c;
      const int gate = column / shape_.share, unit = column % shape_.share;
      const bool is_there = gate < shape_.gates && unit < units_;
      const float* const from =
          weights.data + gate * weights.gate_step + (first_unit_ + unit) * weights.unit_step;
      SYMK_UNROLLED
      for (int d = 0; d < ResidentShape::kDepth; ++d) {
        const int depth = first_depth_ + depth_of(d);
        weights_[c][d] =
            is_there && depth < shape_.depth ? from[depth * weights.depth_step] : 0.0f;
      }
    }
  }

  /// The depth, in those of its warp, of a weight: lanes beside each other have fours beside each
  /// other, which lie in different banks.
  SYMK_HD int depth_of(int d) const {
    return 4 * (lane_deep_ + shape_.lanes_deep * (d / 4)) + d % 4;
  }

  /// Rows come in chunks; the next one is on its way while one is multiplied.
  SYMK_HD void multiply_rows(const cpu::Rows<const float>& rows, int first, int count,
                             int first_depth, int last_depth, bool is_needed) {
    const int chunk = least(kSlot / shape_.all_depth() / 2 * 2, kMostChunk);
    fetch(rows, first, least(chunk, count), first_depth, last_depth, 0);
    for (int done = 0, slot = 0; done < count; done += chunk, slot = 1 - slot) {
      const int here = least(chunk, count - done), next = done + chunk;
      wait_for_copies<0>();
      if (factor_ != Factor::kFloat32) round(here, slot);
      __syncthreads();  // the other slot is no longer read
      if (next < count) {
        fetch(rows, first + next, least(chunk, count - next), first_depth, last_depth, 1 - slot);
      }
      int row = 0;
      for (; row + 1 < here; row += 2) multiply_some<2>(slot, row, done, is_needed);
      if (row < here) multiply_some<1>(slot, row, done, is_needed);
    }
  }

  /// Begins to copy rows into a slot, with 0 outside of the depths.
  SYMK_HD void fetch(const cpu::Rows<const float>& rows, int first, int count, int first_depth,
                     int last_depth, int slot) const {
    const float* const from = rows.data + (first_row_ + first) * rows.step;
    const bool by_fours = reinterpret_cast<uintptr_t>(from) % 16 == 0 && rows.step % 4 == 0 &&
                          first_depth % 4 == 0 && last_depth % 4 == 0;
    each_four(count, [&](int row, int depth) {
      float* const to = slots_ + slot * kSlot + row * shape_.all_depth() + depth;
      const float* const place = from + row * rows.step + depth;
      if (by_fours) {
        const bool is_there = depth >= first_depth && depth < last_depth;
        copy_16_bytes(to, is_there ? place : from, is_there ? 16 : 0);
      } else {
        for (int i = 0; i < 4; ++i) {
          const bool is_there = depth + i >= first_depth && depth + i < last_depth;
          copy_4_bytes(to + i, is_there ? place + i : from, is_there ? 4 : 0);
        }
      }
    });
    end_copy_group();
  }

  /// Each thread rounds what it has copied of the rows.
  SYMK_HD void round(int count, int slot) const {
    each_four(count, [&](int row, int depth) {
      float* const four = slots_ + slot * kSlot + row * shape_.all_depth() + depth;
      for (int i = 0; i < 4; ++i) four[i] = as_factor(four[i], factor_);
    });
  }

  template <class F>
  SYMK_HD void each_four(int rows, const F& f) const {
    const int fours = shape_.all_depth() / 4;
    for (int i = threadIdx.x; i < rows * fours; i += blockDim.x) f(i / fours, i % fours * 4);
  }

  /// The sums of a warp for some rows of a slot.
  template <int rows>
  SYMK_HD void multiply_some(int slot, int first, int before, bool is_needed) const {
    constexpr int columns = ResidentShape::kColumns;
    float sums[rows][columns] = {};
    if (is_needed) {
      const float* const from =
          slots_ + slot * kSlot + first * shape_.all_depth() + first_depth_ + 4 * lane_deep_;
      SYMK_UNROLLED
      for (int four = 0; four < ResidentShape::kDepth / 4; ++four) {
        SYMK_UNROLLED
        for (int row = 0; row < rows; ++row) {
          const Four values = *reinterpret_cast<const Four*>(
              from + row * shape_.all_depth() + four * 4 * shape_.lanes_deep);
          SYMK_UNROLLED
          for (int d = 0; d < 4; ++d) {
            SYMK_UNROLLED
            for (int c = 0; c < columns; ++c)
              sums[row][c] = math::fma(values.of[d], weights_[c][4 * four + d], sums[row][c]);
          }
        }
      }
    }
    SYMK_UNROLLED
    for (int row = 0; row < rows; ++row) {
      const float sum = add_lanes(sums[row]);
      if (lane_deep_ < columns) {
        sums_[(warp_deep_ * kRows + before + first + row) * shape_.all_columns() + thread_column_ +
              lane_deep_] = sum;
      }
    }
  }

  /// Adds up the sums of eight columns over the lanes that are deep: a lane ends with the column of
  /// its number in eight. In each round a lane gives half of its columns away.
  SYMK_HD float add_lanes(float (&sums)[ResidentShape::kColumns]) const {
    constexpr unsigned all = 0xffffffffu;
    SYMK_UNROLLED
    for (int half = ResidentShape::kColumns / 2; half > 0; half /= 2) {
      const bool upper = (lane_deep_ & half) != 0;
      SYMK_UNROLLED
      for (int c = 0; c < half; ++c) {
        const float given = upper ? sums[c] : sums[c + half];
        const float kept = upper ? sums[c + half] : sums[c];
        sums[c] = kept + __shfl_xor_sync(all, given, half);
      }
    }
    float sum = sums[0];
    for (int lanes = ResidentShape::kColumns; lanes < shape_.lanes_deep; lanes *= 2)
      sum = sum + __shfl_xor_sync(all, sum, lanes);
    return sum;
  }

  /// The sum of an element over the warps, where that of the first one is.
  SYMK_HD void add_up(float* sum) const {
    float total = *sum;
    for (int warp = 1; warp < shape_.warps_deep; ++warp)
      total = total + sum[warp * kRows * shape_.all_columns()];
    *sum = total;
  }

  template <class F>
  SYMK_HD void each_of(int count, const F& f) const {
    for (int i = threadIdx.x; i < count * units_; i += blockDim.x) f(i / units_, i % units_);
  }

  struct alignas(16) Four {
    float of[4];
  };

  const ResidentShape& shape_;
  const Factor factor_;
  int64_t first_row_;
  int rows_, first_unit_, units_;
  int lane_deep_, warp_deep_, first_depth_, first_column_, thread_column_;
  unsigned* meeting_;
  unsigned arrivals_ = 0;
  float* const slots_ = shared_memory<float>();
  float* const sums_ = slots_ + kSlots * kSlot;
  float weights_[ResidentShape::kColumns][ResidentShape::kDepth];
};

}  // namespace symk::cuda
