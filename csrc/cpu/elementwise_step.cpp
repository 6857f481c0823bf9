// The kernel `elementwise`: one program over the whole of its result, cut into parts.
#include "cpu/program.h"

namespace symk::cpu {
namespace {

std::unique_ptr<Step> bind(Binding& binding) {
  TileProgramForm form;
  if (!binding.outputs().empty()) form.result = binding.outputs()[0];
  TileProgram program = TileProgram::bind(binding, form);
  const ProgramParts parts = parts_of(program);
  binding.need_scratch(parts.scratch_bytes);
  return make_step([=, program = std::move(program)](const Operands& operands, ThreadPool& pool) {
    run_program(program, parts, operands, static_cast<char*>(operands.scratch), pool,
                [](char*, int64_t, int64_t) {});
  });
}

const KernelEntry entry("elementwise", &bind);

}  // namespace
}  // namespace symk::cpu
