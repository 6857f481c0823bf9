// The kernel `elementwise`: one program over the whole of its result, cut into parts.
#include <algorithm>

#include "cpu/lambda_step.h"
#include "cpu/program.h"

namespace symk::cpu {
namespace {

std::unique_ptr<Step> bind(Binding& binding) {
  TileProgramForm form;
  if (!binding.outputs().empty()) form.result = binding.outputs()[0];
  TileProgram program = TileProgram::bind(binding, form);
  const int64_t count = program.count(), tile = program.tile();
  const int64_t least = std::max(kSmallestPart, ceil_div(count, kMostParts));
  const int64_t part_size = ceil_div(least, tile) * tile;
  const int64_t region_bytes = program.region_bytes();
  binding.need_scratch(std::max<int64_t>(1, ceil_div(count, part_size)) * region_bytes);
  return make_step([=, program = std::move(program)](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, count, part_size, [&](int64_t first, int64_t last) {
      char* const region = static_cast<char*>(operands.scratch) + first / part_size * region_bytes;
      program.begin(operands, region);
      for (int64_t start = first; start < last; start += tile) {
        program.run(operands, region, nullptr, start, std::min(tile, last - start));
      }
    });
  });
}

const KernelEntry entry("elementwise", &bind);

}  // namespace
}  // namespace symk::cpu
