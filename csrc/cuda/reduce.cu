// Reductions. Where neighbours in memory belong to one output, a block folds them together; where
// they belong to neighbouring outputs, each thread takes one. Both read whole lines of memory.
#include "cuda/reduce.h"

#include <algorithm>

#include "cpu/program_text.h"
#include "cpu/reduce_plan.h"
#include "cuda/fold.h"
#include "cuda/item.h"
#include "cuda/program.h"
#include "runtime/memory.h"

namespace symk::cuda {

constexpr int64_t kBlockElements = 128;    // from here on an output is worth a block
constexpr int64_t kBlockChunk = 32 * 256;  // elements of one block where an output is cut
constexpr int64_t kThreadChunk = 128;      // the same for a thread
constexpr int64_t kEnoughBlocks = 1024, kEnoughThreads = 128 * 1024;  // with as many nothing is cut

/// Total `unit % outputs` of piece `unit / outputs`.
template <class Op, class T, class R>
struct FoldByBlock {
  Reduction::Axes kept, reduced;
  int64_t outputs, chunk;
  const T* x;
  R* y;  // null: totals are written
  typename Op::Total* totals;

  SYMK_HD void operator()(int64_t unit) const {
    const T* const from = x + kept.offset(unit % outputs);
    const int64_t first = unit / outputs * chunk;
    const int64_t last = first + chunk < reduced.count ? first + chunk : reduced.count;
    typename Op::Total total = Op::start();
    for (int64_t i = first + threadIdx.x; i < last; i += kFoldThreads)
      total = Op::fold(total, Op::of(from[reduced.offset(i)], i));
    total = fold_block<Op>(total);
    if (threadIdx.x != 0) return;
    if (y != nullptr) {
      y[unit] = Op::template result<R>(total, static_cast<double>(reduced.count));
    } else {
      totals[unit] = total;
    }
  }
};

template <class Op, class T, class R>
struct FoldByThread {
  Reduction::Axes kept, reduced;
  int64_t outputs, chunk;
  const T* x;
  R* y;
  typename Op::Total* totals;

  SYMK_HD void operator()(int64_t unit) const {
    const T* const from = x + kept.offset(unit % outputs);
    const int64_t first = unit / outputs * chunk;
    const int64_t last = first + chunk < reduced.count ? first + chunk : reduced.count;
    typename Op::Total total = Op::start();
    for (int64_t i = first; i < last; ++i)
      total = Op::fold(total, Op::of(from[reduced.offset(i)], i));
    if (y != nullptr) {
      y[unit] = Op::template result<R>(total, static_cast<double>(reduced.count));
    } else {
      totals[unit] = total;
    }
  }
};

/// The totals of all pieces of an output, in order.
template <class Op, class R>
struct FoldPieces {
  int64_t outputs, splits;
  double count;
  const typename Op::Total* totals;
  R* y;

  SYMK_HD void operator()(int64_t output) const {
    typename Op::Total total = totals[output];
    for (int64_t split = 1; split < splits; ++split)
      total = Op::fold(total, totals[split * outputs + output]);
    y[output] = Op::template result<R>(total, count);
  }
};

template <class Op, class T, class R>
void run_reduction(const Reduction& r, const Queue& queue, const void* x, void* y, void* scratch) {
  using Total = typename Op::Total;
  static_assert(sizeof(Total) <= Reduction::kTotalBytes, "there is room for every total");
  R* const results = r.splits_ > 1 ? nullptr : static_cast<R*>(y);
  Total* const totals = static_cast<Total*>(scratch);
  if (r.by_block_) {
    blocks(queue, r.outputs_ * r.splits_, kFoldThreads, 0,
           FoldByBlock<Op, T, R>{r.kept_, r.reduced_, r.outputs_, r.chunk_,
                                 static_cast<const T*>(x), results, totals});
  } else {
    each(queue, r.outputs_ * r.splits_,
         FoldByThread<Op, T, R>{r.kept_, r.reduced_, r.outputs_, r.chunk_, static_cast<const T*>(x),
                                results, totals});
  }
  if (r.splits_ > 1) {
    each(queue, r.outputs_,
         FoldPieces<Op, R>{r.outputs_, r.splits_, static_cast<double>(r.reduced_.count), totals,
                           static_cast<R*>(y)});
  }
}

namespace {

/// The function for an op of elements T, or null.
template <class T>
Reduction::Run find_run(const std::string& op) {
  if (op == "any") return run_reduction<Any<T>, T, uint8_t>;
  if (op == "all") return run_reduction<All<T>, T, uint8_t>;
  if (op == "sum") return run_reduction<Sum<T>, T, T>;
  if (op == "prod") return run_reduction<Prod<T>, T, T>;
  if (op == "max") return run_reduction<Max<T>, T, T>;
  if (op == "min") return run_reduction<Min<T>, T, T>;
  if (op == "argmax") return run_reduction<ArgMost<T, false>, T, int64_t>;
  if (op == "argmin") return run_reduction<ArgMost<T, true>, T, int64_t>;
  if constexpr (std::is_floating_point_v<T>) {
    if (op == "mean") return run_reduction<Mean<T>, T, T>;
    if (op == "logsumexp") return run_reduction<LogSumExp<T>, T, T>;
  }
  return nullptr;
}

/// The dtype of the result of an op.
DType result_of(const std::string& op, DType x) {
  if (op == "any" || op == "all") return DType::kBool;
  return op == "argmax" || op == "argmin" ? DType::kInt64 : x;
}

}  // namespace

Reduction::Reduction(const char* kernel, const std::string& op, const Type& x,
                     const std::vector<bool>& reduced, const Type& y) {
  const auto of_bool = [&]() -> Run {
    if (x.dtype != DType::kBool) return nullptr;
    return find_run<uint8_t>(op);  // zeros and ones; a result of bool is as well
  };
  run_ = with_number(
      x.dtype, [&](auto tag) -> Run { return find_run<typename decltype(tag)::type>(op); },
      of_bool);
  if (run_ == nullptr || (y.dtype != result_of(op, x.dtype))) throw cpu::no_dtype(kernel, x.dtype);
  lay_out(x, reduced);
  cpu::require(y.count() == outputs_, kernel, "the result must have one element per kept position");
  cut();
}

/// Axes of the two kinds, neighbours joined where they are one run.
void Reduction::lay_out(const Type& x, const std::vector<bool>& reduced) {
  int64_t stride = 1;
  std::vector<int64_t> strides(static_cast<size_t>(x.rank));
  for (int axis = x.rank - 1; axis >= 0; --axis) {
    strides[static_cast<size_t>(axis)] = stride;
    stride *= x.shape[axis];
  }
  for (int axis = 0; axis < x.rank; ++axis) {
    Axes& axes = reduced[static_cast<size_t>(axis)] ? reduced_ : kept_;
    const int64_t size = x.shape[axis], step = strides[static_cast<size_t>(axis)];
    axes.count *= size;
    if (size == 1) continue;
    const int last = axes.rank - 1;
    if (last >= 0 && axes.stride[last] == step * size) {
      axes.size[last] *= size;
      axes.stride[last] = step;
    } else {
      axes.size[axes.rank] = size;
      axes.stride[axes.rank++] = step;
    }
  }
  outputs_ = kept_.count;
}

void Reduction::cut() {
  const bool inner_reduced = reduced_.rank > 0 && reduced_.stride[reduced_.rank - 1] == 1;
  by_block_ = inner_reduced && reduced_.count >= kBlockElements;
  const int64_t enough = by_block_ ? kEnoughBlocks : kEnoughThreads;
  const int64_t least = by_block_ ? kBlockChunk : kThreadChunk;
  chunk_ = std::max<int64_t>(1, reduced_.count);
  if (outputs_ == 0 || outputs_ >= enough || reduced_.count < 2 * least) return;
  const int64_t wanted = std::min(enough / outputs_, reduced_.count / least);
  chunk_ = (reduced_.count + wanted - 1) / wanted;
  splits_ = (reduced_.count + chunk_ - 1) / chunk_;
}

namespace {

std::unique_ptr<Step> reduction_step(Binding& binding, const Reduction& reduction) {
  binding.need_scratch(reduction.scratch_bytes());
  return make_step(binding, [reduction](const Queue& queue, const Operands& operands) {
    reduction.run(queue, operands.in[0], operands.out[0], operands.scratch);
  });
}

std::unique_ptr<Step> bind_reduction(Binding& binding, const char* op) {
  const std::vector<bool> reduced = cpu::reduced_axes(binding, op);
  return reduction_step(binding,
                        Reduction(op, op, binding.inputs()[0], reduced, binding.outputs()[0]));
}

std::unique_ptr<Step> bind_arg(Binding& binding, const char* op) {
  cpu::require_operands(binding, op, 1, 1);
  const Type& x = binding.inputs()[0];
  std::vector<bool> reduced(static_cast<size_t>(x.rank));
  reduced[static_cast<size_t>(cpu::axis_inside(binding, x, op))] = true;
  return reduction_step(binding, Reduction(op, op, x, reduced, binding.outputs()[0]));
}

std::unique_ptr<Step> bind_sum_to(Binding& binding) {
  cpu::require_operands(binding, "sum_to", 1, 1);
  const Type& x = binding.inputs()[0];
  const Type& y = binding.outputs()[0];
  return reduction_step(binding, Reduction("sum_to", "sum", x, cpu::repeated_axes(x, y), y));
}

// --- fused_reduce: a program, then the reductions of what it makes ---

struct ReducedOutput {
  size_t number;
  int64_t offset;  // of its values in scratch
  Reduction reduction;
};

std::unique_ptr<Step> bind_fused_reduce(Binding& binding) {
  constexpr const char* name = "fused_reduce";
  const Type result = cpu::broadcast_inputs(binding);
  const std::vector<std::string> ops = binding.texts("reductions");
  const size_t count = binding.outputs().size();
  cpu::require(ops.size() == count, name, "`reductions` must name one per output");
  const auto program = Program::bind(binding, result);
  if (program == nullptr) return nullptr;
  const std::vector<bool> reduced = cpu::reduced_axes(binding, name, result.rank);
  std::vector<ReducedOutput> outputs;
  int64_t values = 0, totals = 0;
  for (size_t i = 0; i < count; ++i) {
    const Type& y = binding.outputs()[i];
    if (ops[i].empty()) {
      cpu::require(cpu::same_shape(y, result) && y.dtype == program->output_dtype(i), name,
                   "a value that is not reduced must have the shape of the program");
      continue;
    }
    Type x = result;
    x.dtype = program->output_dtype(i);
    outputs.push_back({i, values, Reduction(name, ops[i], x, reduced, y)});
    values = checked_add(values, aligned_size(x.bytes()));
    totals = std::max(totals, outputs.back().reduction.scratch_bytes());
  }
  binding.need_scratch(checked_add(values, totals));
  std::vector<void*> made(count);  // where the program writes
  return make_step(
      binding,
      [=](const Queue& queue, const Operands& operands) mutable {
        char* const scratch = static_cast<char*>(operands.scratch);
        std::copy_n(operands.out, count, made.begin());
        for (const ReducedOutput& output : outputs) made[output.number] = scratch + output.offset;
        program->run(queue, operands.in, made.data());
        for (const ReducedOutput& output : outputs) {
          output.reduction.run(queue, made[output.number], operands.out[output.number],
                               scratch + values);
        }
      },
      "fused_reduce, " + program->manner());
}

constexpr const char* kReductions[] = {"sum", "mean", "prod", "max",
                                       "min", "any",  "all",  "logsumexp"};
template <int number>
std::unique_ptr<Step> reduction(Binding& binding) {
  return bind_reduction(binding, kReductions[number]);
}
constexpr const char* kPositions[] = {"argmax", "argmin"};
template <int number>
std::unique_ptr<Step> position(Binding& binding) {
  return bind_arg(binding, kPositions[number]);
}

const KernelEntry entries[] = {
    {kReductions[0], reduction<0>}, {kReductions[1], reduction<1>},
    {kReductions[2], reduction<2>}, {kReductions[3], reduction<3>},
    {kReductions[4], reduction<4>}, {kReductions[5], reduction<5>},
    {kReductions[6], reduction<6>}, {kReductions[7], reduction<7>},
    {kPositions[0], position<0>},   {kPositions[1], position<1>},
    {"sum_to", bind_sum_to},        {"fused_reduce", bind_fused_reduce},
};

}  // namespace
}  // namespace symk::cuda
