// Blocks that wait for each other, on the host: those that do read what the others have written,
// those that forget to are found out, and those that wait for ever are refused. And how the weights
// of resident products are shared out.
#include <algorithm>
#include <vector>

#include "cuda/launch.cu"
#include "cuda/resident.h"
#include "expect.h"

using namespace symk;
using namespace symk::cuda;
using namespace symk::test;

namespace {

/// Each block adds up what all blocks have left in the step before: rounds[step][block].
template <bool waits>
struct Sums {
  static constexpr int kThreads = 64;
  static constexpr int64_t kSharedBytes = kThreads * sizeof(int64_t);
  int64_t blocks, steps;
  int64_t* rounds;
  unsigned* place;

  void operator()(int64_t block) const {
    int64_t* const parts = shared_memory<int64_t>();
    for (int64_t step = 0; step < steps; ++step) {
      int64_t sum = 0;
      for (int64_t i = threadIdx.x; i < blocks; i += blockDim.x) sum += rounds[step * blocks + i];
      parts[threadIdx.x] = sum;
      __syncthreads();
      if (threadIdx.x == 0) {
        int64_t& to = rounds[(step + 1) * blocks + block];
        to = block;
        for (int i = 0; i < blockDim.x; ++i) to += parts[i];
      }
      if (waits) {
        meet_blocks(place, static_cast<unsigned>((step + 1) * blocks));
      } else {
        __syncthreads();
      }
    }
  }
};

/// What the last step leaves in each block.
template <bool waits>
std::vector<int64_t> sums_of(int64_t blocks, int64_t steps) {
  std::vector<int64_t> rounds(static_cast<size_t>((steps + 1) * blocks), 1);
  unsigned place = 0;
  blocks_together(Queue(), blocks, 64, Sums<waits>{blocks, steps, rounds.data(), &place});
  return {rounds.end() - blocks, rounds.end()};
}

void check_waiting(int64_t blocks, int64_t steps) {
  int64_t total = blocks;  // of all that the step before has left
  for (int64_t step = 1; step < steps; ++step)
    total = blocks * total + blocks * (blocks - 1) / 2;
  for (int order = 0; order < 2; ++order) {
    const std::vector<int64_t> sums = sums_of<true>(blocks, steps);
    for (int64_t block = 0; block < blocks; ++block)
      expect(sums[static_cast<size_t>(block)] == total + block, "a sum over blocks", block);
    if (blocks > 1 && steps > 1)
      expect(sums_of<false>(blocks, steps) != sums, "a missing meeting is not seen", blocks);
  }
}

/// The first block waits for one more than there are.
struct Forever {
  static constexpr int kThreads = 32;
  static constexpr int64_t kSharedBytes = 0;
  unsigned* place;
  void operator()(int64_t block) const { meet_blocks(place, block == 0 ? 4 : 3); }
};

void check_waiting_for_ever() {
  unsigned place = 0;
  bool refused = false;
  try {
    blocks_together(Queue(), 3, 32, Forever{&place});
  } catch (const Error&) {
    refused = true;
  }
  expect(refused, "blocks that wait for ever", 3);
  check_waiting(3, 2);  // afterwards all is well again
}

/// All columns and depths have a place, blocks are no more than there may be, and what a block has
/// fits into its threads and its shared memory.
void check_shape(int64_t depth, int64_t units, int gates, int64_t batch, int64_t most) {
  const auto shape = ResidentShape::of(depth, units, gates, batch, most);
  const int64_t weights = depth * units * gates;
  if (!shape) {  // a share is not always filled: half of the registers may be lost, no more
    const bool is_much = weights > most * ResidentShape::kThreads * 128 / 2 || depth > 4096;
    expect(is_much, "a product that would fit", depth);
    return;
  }
  expect(shape->blocks() <= most, "blocks", shape->blocks());
  expect(shape->threads() <= ResidentShape::kThreads, "threads", shape->threads());
  expect(shape->all_depth() >= depth, "depths", shape->all_depth());
  expect(shape->all_columns() >= shape->share * gates, "columns", shape->all_columns());
  expect(int64_t{shape->unit_blocks} * shape->share >= units, "units", shape->share);
  expect((int64_t{shape->unit_blocks} - 1) * shape->share < units, "an empty block", units);
  expect(int64_t{shape->row_blocks} * shape->rows >= batch, "rows", shape->rows);
  expect((int64_t{shape->row_blocks} - 1) * shape->rows < batch, "a group without rows", batch);
  expect(2 * shape->all_depth() <= ResidentShare::kSlot, "two rows in a slot", depth);
  expect(shape->warps_deep * ResidentShare::kRows * shape->all_columns() <= ResidentShare::kSums,
         "sums", depth);
}

}  // namespace

int main() {
  for (int64_t blocks : {1, 2, 3, 7, 12}) {
    for (int64_t steps : {1, 2, 5}) check_waiting(blocks, steps);
  }
  check_waiting_for_ever();
  for (int64_t units : {1, 2, 7, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 511, 512,
                        513, 700, 1000, 1023, 1024, 1025, 2048, 4096, 5000}) {
    for (int gates : {1, 3, 4}) {
      for (int64_t batch : {1, 2, 16, 17, 64, 1000}) {
        for (int64_t most : {1, 12, 84, 132}) {
          check_shape(units, units, gates, batch, most);
          check_shape(gates * units, units, 1, batch, most);
        }
      }
    }
  }
  expect(!ResidentShape::of(64, 64, 4, 0, 132), "a batch without rows", 0);
  expect(!ResidentShape::of(64, 64, 4, 8, 0), "a device without blocks", 0);
  return report("blocks together");
}
