// The kernel `fused_scatter`: an elementwise program one of whose operands is rows that are added
// into zeros, as scatter_add does. That operand is made tile by tile, where the program reads it,
// so it is never in memory: the step of an optimizer behind the gradient of an embedding.
#include <algorithm>
#include <cstring>

#include "cpu/fused_scatter_plan.h"
#include "cpu/index_reader.h"
#include "cpu/loops.h"
#include "cpu/program.h"
#include "runtime/forwarding_binding.h"

namespace symk::cpu {
namespace {

constexpr const char* kName = FusedScatterPlan::name;

/// The binding of the program.
class ProgramBinding : public ForwardingBinding {
 public:
  ProgramBinding(Binding& outer, const std::vector<Type>& inputs)
      : ForwardingBinding(outer), inputs_(inputs) {}
  const std::vector<Type>& inputs() const override { return inputs_; }

 private:
  const std::vector<Type> inputs_;
};

/// Which rows are added to which, in scratch: those of row r of an outer element are
/// order[starts[r]] .. order[starts[r + 1] - 1], in the order of the indices.
struct RowLists {
  int64_t* rows;    // per index
  int64_t* order;   // per index
  int64_t* starts;  // one more than rows of the result

  RowLists(const IndexPlan& plan, void* scratch)
      : rows(static_cast<int64_t*>(scratch)), order(rows + plan.count), starts(order + plan.count) {
  }
  /// A result without elements has no lists, whatever the number of its rows.
  static int64_t bytes(const IndexPlan& plan, bool is_empty) {
    const int64_t numbers = is_empty ? plan.count : 2 * plan.count + plan.limit + 1;
    return aligned_size(numbers * static_cast<int64_t>(sizeof(int64_t)));
  }

  /// Sorts the indices, which have been read into `rows`, by counting.
  void sort(const IndexPlan& plan) {
    std::fill_n(starts, plan.limit + 1, int64_t{0});
    for (int64_t i = 0; i < plan.count; ++i) ++starts[rows[i]];
    int64_t sum = 0;
    for (int64_t r = 0; r <= plan.limit; ++r) starts[r] = sum += starts[r];
    for (int64_t i = plan.count - 1; i >= 0; --i) order[--starts[rows[i]]] = i;
  }
};

/// Elements start .. start + n - 1 of zeros with the rows of g added. `add` adds arrays.
void make_stretch(const IndexPlan& plan, const RowLists& lists, Loop add, const char* g,
                  int64_t start, int64_t n, char* made) {
  const int64_t item = plan.item;
  std::memset(made, 0, static_cast<size_t>(n * item));
  for (int64_t at = start; at < start + n;) {
    const int64_t row = at / plan.row, column = at % plan.row;
    const int64_t run = std::min(plan.row - column, start + n - at);
    const int64_t outer = row / plan.limit, inner = row % plan.limit;
    char* const to = made + (at - start) * item;
    for (int64_t k = lists.starts[inner]; k < lists.starts[inner + 1]; ++k) {
      const int64_t from = (outer * plan.count + lists.order[k]) * plan.row + column;
      const void* const in[] = {to, g + from * item};
      add(in, to, run);
    }
    at += run;
  }
}

std::unique_ptr<Step> bind(Binding& binding) {
  const FusedScatterPlan whole(binding);
  const size_t indices = whole.indices, place = whole.place;
  const IndexPlan plan = whole.rows;
  const DType dtype = whole.made.dtype;
  TileProgramForm form;
  form.result = binding.outputs()[0];
  form.given = static_cast<int>(place);
  const IndexReader reader(kName, binding.inputs()[indices], plan.limit);
  const LoopEntry* const add = find_loop("add", 2, dtype, dtype);
  if (add == nullptr || dtype == DType::kFloat16) throw no_dtype(kName, dtype);
  ProgramBinding inner(binding, whole.operands);
  TileProgram program = TileProgram::bind(inner, form);
  const ProgramParts parts = parts_of(program);
  const bool is_empty = form.result.count() == 0;
  const int64_t lists_bytes = RowLists::bytes(plan, is_empty);
  binding.need_scratch(lists_bytes + parts.scratch_bytes);
  return make_step([=, loop = add->loop, program = std::move(program)](const Operands& operands,
                                                                       ThreadPool& pool) {
    RowLists lists(plan, operands.scratch);
    const Status status = reader.read(operands.in[indices], lists.rows, pool);
    if (status.code != Status::kOk || is_empty) return status;
    lists.sort(plan);
    const char* const rows = static_cast<const char*>(operands.in[place]);
    run_program(program, parts, operands, static_cast<char*>(operands.scratch) + lists_bytes, pool,
                [&](char* region, int64_t start, int64_t n) {
                  make_stretch(plan, lists, loop, rows, start, n,
                               static_cast<char*>(program.given(region)));
                });
    return Status();
  });
}

const KernelEntry entry("fused_scatter", &bind, Empty::kRuns);

}  // namespace
}  // namespace symk::cpu
