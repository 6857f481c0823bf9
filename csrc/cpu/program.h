// An elementwise program bound to shapes: it computes any stretch of its result, tile by tile, over
// tiles that stay in the first cache. Each instruction is one pass of a loop of elementwise.h over
// a tile. Inputs as large as the result are read where they lie, outputs are written where they
// shall lie; the rest stands in registers, which are pieces of scratch memory, one tile long. Where
// a value is read once, its instruction may become part of its reader's (joined_loops.h).
//
// float16 values are float32 inside a program, rounded to float16 after every instruction that
// makes one. For *_step.cpp files: the steps `elementwise` and `fused_reduce` are made of it.
#pragma once

#include "cpu/lambda_step.h"
#include "cpu/program_tiles.h"

namespace symk::cpu {

/// How a program is cut where all of its result is computed: parts of `size` elements.
struct ProgramParts {
  int64_t size, region_bytes, scratch_bytes;
};
ProgramParts parts_of(const TileProgram& program);

/// Runs a program over all of its result. `regions` is the scratch that its parts asked for;
/// before(region, start, n) is called before each stretch.
template <class F>
void run_program(const TileProgram& program, const ProgramParts& parts, const Operands& operands,
                 char* regions, ThreadPool& pool, F&& before) {
  const int64_t tile = program.tile();
  run_parts(pool, program.count(), parts.size, [&](int64_t first, int64_t last) {
    char* const region = regions + first / parts.size * parts.region_bytes;
    program.begin(operands, region);
    for (int64_t start = first; start < last; start += tile) {
      const int64_t n = std::min(tile, last - start);
      before(region, start, n);
      program.run(operands, region, nullptr, start, n);
    }
  });
}

constexpr int64_t kSmallestPart =
    16 * 1024;  // elements: some microseconds, far above the cost of waking a thread
constexpr int64_t kMostParts = 64;  // each part has a region of its own

}  // namespace symk::cpu
