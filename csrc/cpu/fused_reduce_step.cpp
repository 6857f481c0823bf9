// The kernel `fused_reduce`: an elementwise program whose results, or some of them, are reduced on
// the way and never written. Values go to a stage, a piece of scratch that stays in the first
// cache; the loops of reduce.cpp fold what stands there. Parts and the order in which totals meet
// depend on shapes alone.
#include <algorithm>
#include <string>

#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/program.h"
#include "cpu/reduce_plan.h"
#include "cpu/reduce_totals.h"
#include "runtime/memory.h"

namespace symk::cpu {
namespace {

constexpr char kName[] = "fused_reduce";
constexpr int64_t kStageElements = 4096, kSmallestStage = 1024;  // of all folds, of one of many
constexpr int64_t kWideBlock = 256;  // columns of a block where rows are longer than a stage
constexpr int64_t kChunk = 256;      // outputs whose totals are finished together
constexpr size_t kMostOutputs = 32;
constexpr int64_t kFusedSplit = 32 * 1024;  // elements of one part where one output is split

struct NamedReduction {
  const char* name;
  ReduceOp op;
  bool mean;
};
constexpr NamedReduction kReductions[] = {
    {"sum", ReduceOp::kSum, false},   {"mean", ReduceOp::kSum, true},
    {"prod", ReduceOp::kProd, false}, {"max", ReduceOp::kMax, false},
    {"min", ReduceOp::kMin, false},   {"any", ReduceOp::kAny, false},
    {"all", ReduceOp::kAll, false}};

const NamedReduction& reduction_named(const std::string& name) {
  for (const NamedReduction& one : kReductions) {
    if (name == one.name) return one;
  }
  throw Error(ErrorCode::kFormat, std::string("[") + kName +
                                      "] a reduction must be sum, mean, prod, max, min, any or "
                                      "all; it is \"" +
                                      name + "\".");
}

/// One output that is reduced.
struct Fold {
  int64_t output;
  ReduceKernels::Rows rows;
  ReduceKernels::Columns columns;
  Finish finish;
  Combine combine;
  int64_t item, total_bytes, result_bytes;
  double divisor;
  int64_t stage_offset, piece_offset, totals_offset;  // in the scratch of a part
};

class FusedReduction : public Step {
 public:
  explicit FusedReduction(Binding& binding) {
    form_.result = broadcast_inputs(binding);
    const std::vector<std::string> reductions = binding.texts("reductions");
    require(reductions.size() == binding.outputs().size(), kName,
            "`reductions` must name one per output");
    require(reductions.size() <= kMostOutputs, kName, "there must be at most 32 outputs");
    for (const std::string& name : reductions) form_.staged.push_back(!name.empty());
    shape_ = collapse(form_.result, reduced_axes(binding, kName, form_.result.rank));
    form_.unit = std::max<int64_t>(1, shape_.plan.inner);
    const int64_t folds = std::count(form_.staged.begin(), form_.staged.end(), true);
    stage_ = std::max(kSmallestStage, kStageElements / std::max<int64_t>(1, folds));
    wide_ = !shape_.inner_reduced && shape_.plan.inner > stage_ / 4;
    if (wide_) form_.unit = 1;
    form_.in_order = !wide_;
    program_ = TileProgram::bind(binding, form_);
    stage_ = ceil_div(stage_, program_.tile()) * program_.tile();
    for (size_t i = 0; i < reductions.size(); ++i) {
      if (form_.staged[i]) add_fold(binding, i, reduction_named(reductions[i]));
    }
    cut();
    lay_out(binding);
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    run_parts(pool, tasks_, tasks_per_part_, [&](int64_t first, int64_t last) {
      char* const region = own_memory(operands, first / tasks_per_part_);
      if (program_.count() > 0) program_.begin(operands, region);
      if (splits_ > 1) {
        for (int64_t task = first; task < last; ++task) run_split(operands, region, task);
      } else if (shape_.inner_reduced) {
        run_rows(operands, region, first, last);
      } else {
        for (int64_t unit = first; unit < last; ++unit) run_columns(operands, region, unit);
      }
    });
    if (splits_ > 1) combine_splits(operands, pool);
    return Status();
  }

 private:
  // --- binding ---

  void add_fold(const Binding& binding, size_t output, const NamedReduction& reduction) {
    const DType x = program_.output(output).dtype, y = binding.outputs()[output].dtype;
    Fold fold{};
    fold.output = static_cast<int64_t>(output);
    fold.rows = reduce_rows(reduction.op, x);
    fold.columns = reduce_columns(reduction.op, x);
    if (fold.rows == nullptr) throw no_dtype(kName, x);
    require(binding.outputs()[output].count() == shape_.outputs, kName,
            "a result must have one element per kept position");
    fold.finish = choose_finish(kName, reduction.op, x, y);
    fold.combine = choose_combine(reduction.op, x);
    fold.item = item_bytes(x);
    fold.total_bytes = total_bytes(reduction.op, x);
    fold.result_bytes = item_bytes(y);
    fold.divisor = reduction.mean ? static_cast<double>(shape_.reduced) : 1;
    folds_.push_back(fold);
  }

  /// A task is an output (rows), a block of columns, or one of `splits_` pieces of either.
  void cut() {
    const ReducePlan& plan = shape_.plan;
    item_chunk_ = std::max<int64_t>(1, plan.inner);
    width_ = wide_ ? kWideBlock : std::max<int64_t>(1, plan.inner);
    blocks_ = ceil_div(plan.inner, width_);
    const int64_t units = shape_.inner_reduced ? shape_.outputs : shape_.keeps * blocks_;
    row_group_ = shape_.inner_reduced ? plan.outer : plan.outer * plan.rows;
    if (units < kEnoughParts && program_.count() > 0 &&
        program_.count() >= 2 * kFusedSplit * units) {
      if (shape_.inner_reduced) {
        split_rows();
      } else {
        const int64_t rows = row_group_;
        row_group_ = std::max<int64_t>(8, kFusedSplit / width_);
        splits_ = ceil_div(rows, row_group_);
      }
    }
    tasks_ = units * splits_;
    const int64_t task_elements = program_.count() / std::max<int64_t>(1, tasks_) + 1;
    tasks_per_part_ =
        std::max(ceil_div(tasks_, kMostParts), ceil_div(kSmallestPart, task_elements));
  }

  void split_rows() {
    const ReducePlan& plan = shape_.plan;
    const int64_t chunk = ceil_div(kFusedSplit, stage_) * stage_;
    if (plan.inner > chunk) {
      item_chunk_ = chunk;
      item_chunks_ = ceil_div(plan.inner, chunk);
      row_group_ = 1;
    } else {
      row_group_ = std::max<int64_t>(1, kFusedSplit / plan.inner);
    }
    splits_ = item_chunks_ * ceil_div(plan.outer, row_group_);
  }

  /// Scratch: the totals of all splits, then one region per part.
  void lay_out(Binding& binding) {
    region_bytes_ = program_.region_bytes();
    const int64_t totals = shape_.inner_reduced ? kChunk : std::max(kChunk, width_);
    for (Fold& fold : folds_) {
      fold.stage_offset = reserve(stage_ * fold.item);
      fold.piece_offset = reserve(totals * kTotalBytes);
      fold.totals_offset = reserve(totals * kTotalBytes);
    }
    split_bytes_ = aligned_size(checked_multiply(shape_.outputs, kTotalBytes));
    const int64_t shared = splits_ > 1 ? checked_multiply(split_bytes_, fold_count() * splits_) : 0;
    regions_offset_ = shared;
    const int64_t parts = std::max<int64_t>(1, ceil_div(tasks_, tasks_per_part_));
    binding.need_scratch(checked_add(shared, checked_multiply(parts, region_bytes_)));
  }

  int64_t reserve(int64_t bytes) {
    const int64_t offset = region_bytes_;
    region_bytes_ += aligned_size(bytes);
    return offset;
  }

  // --- running ---

  int64_t fold_count() const { return static_cast<int64_t>(folds_.size()); }
  char* own_memory(const Operands& operands, int64_t part) const {
    return static_cast<char*>(operands.scratch) + regions_offset_ + part * region_bytes_;
  }
  char* totals_of_split(const Operands& operands, int64_t fold, int64_t split) const {
    return static_cast<char*>(operands.scratch) + (fold * splits_ + split) * split_bytes_;
  }

  void run_rows(const Operands& operands, char* region, int64_t first, int64_t last) const {
    const ReducePlan& plan = shape_.plan;
    for (int64_t i = first; i < last; i += kChunk) {
      const int64_t end = std::min(last, i + kChunk);
      fold_rows(operands, region, i, end, 0, plan.outer, 0, plan.inner);
      finish(operands, region, i, end - i);
    }
  }

  void run_columns(const Operands& operands, char* region, int64_t unit) const {
    const ReducePlan& plan = shape_.plan;
    const int64_t keep = unit / blocks_, column = unit % blocks_ * width_;
    const int64_t end = std::min(plan.inner, column + width_);
    fold_columns(operands, region, keep, column, end, 0, plan.outer * plan.rows);
    finish(operands, region, keep * plan.inner + column, end - column);
  }

  void finish(const Operands& operands, char* region, int64_t first, int64_t n) const {
    for (const Fold& fold : folds_) {
      fold.finish(region + fold.totals_offset, n, fold.divisor,
                  static_cast<char*>(operands.out[fold.output]) + first * fold.result_bytes);
    }
  }

  /// One piece of an output or block; its totals go where combine_splits expects them.
  void run_split(const Operands& operands, char* region, int64_t task) const {
    const ReducePlan& plan = shape_.plan;
    const int64_t unit = task / splits_, split = task % splits_;
    int64_t first = unit, n = 1;
    if (shape_.inner_reduced) {
      const int64_t row = split / item_chunks_ * row_group_;
      const int64_t item = split % item_chunks_ * item_chunk_;
      fold_rows(operands, region, unit, unit + 1, row, std::min(plan.outer, row + row_group_), item,
                std::min(plan.inner, item + item_chunk_));
    } else {
      const int64_t keep = unit / blocks_, column = unit % blocks_ * width_;
      const int64_t end = std::min(plan.inner, column + width_), row = split * row_group_;
      first = keep * plan.inner + column;
      n = end - column;
      fold_columns(operands, region, keep, column, end, row,
                   std::min(plan.outer * plan.rows, row + row_group_));
    }
    for (int64_t f = 0; f < fold_count(); ++f) {
      const Fold& fold = folds_[static_cast<size_t>(f)];
      std::memcpy(totals_of_split(operands, f, split) + first * fold.total_bytes,
                  region + fold.totals_offset, static_cast<size_t>(n * fold.total_bytes));
    }
  }

  void combine_splits(const Operands& operands, ThreadPool& pool) const {
    run_parts(pool, shape_.outputs, kColumnBlock, [&](int64_t first, int64_t last) {
      for (int64_t f = 0; f < fold_count(); ++f) {
        const Fold& fold = folds_[static_cast<size_t>(f)];
        char* const sum = totals_of_split(operands, f, 0) + first * fold.total_bytes;
        for (int64_t split = 1; split < splits_; ++split) {
          fold.combine(sum, totals_of_split(operands, f, split) + first * fold.total_bytes,
                       last - first);
        }
        fold.finish(sum, last - first, fold.divisor,
                    static_cast<char*>(operands.out[fold.output]) + first * fold.result_bytes);
      }
    });
  }

  // --- folding; totals go to the region ---

  /// The program's values for [start, start + n), at `place` of the stages.
  void compute(const Operands& operands, char* region, int64_t start, int64_t n,
               int64_t place) const {
    void* staged[kMostOutputs];
    for (int64_t done = 0; done < n; done += program_.tile()) {
      for (const Fold& fold : folds_) {
        staged[fold.output] = region + fold.stage_offset + (place + done) * fold.item;
      }
      program_.run(operands, region, staged, start + done, std::min(program_.tile(), n - done));
    }
  }

  /// Totals of outputs [first, last) over outer positions and items of each run.
  void fold_rows(const Operands& operands, char* region, int64_t first, int64_t last,
                 int64_t first_row, int64_t last_row, int64_t first_item, int64_t last_item) const {
    const ReducePlan& plan = shape_.plan;
    const bool short_runs = plan.outer == 1 && first_item == 0 && last_item == plan.inner &&
                            plan.inner > 0 && plan.inner <= stage_ / 2;
    if (short_runs) return fold_short_runs(operands, region, first, last);
    for (int64_t output = first; output < last; ++output) {
      const int64_t base = keep_offset(plan, output);
      Progress progress{output - first};
      for (int64_t row = first_row; row < last_row; ++row) {
        const int64_t start = base + reduce_offset(plan, row);
        for (int64_t item = first_item; item < last_item; item += stage_) {
          const int64_t n = std::min(stage_, last_item - item);
          compute(operands, region, start + item, n, 0);
          add_run(region, n, progress);
        }
      }
      if (!progress.started) add_run(region, 0, progress);
    }
  }

  /// Several outputs stand on the stage at once.
  void fold_short_runs(const Operands& operands, char* region, int64_t first, int64_t last) const {
    ReducePlan runs;
    runs.inner = shape_.plan.inner;
    runs.keep_rank = 1;
    runs.keep_stride[0] = runs.inner;
    const int64_t together = stage_ / runs.inner;
    for (int64_t output = first; output < last; output += together) {
      const int64_t n = std::min(together, last - output);
      compute(operands, region, output * runs.inner, n * runs.inner, 0);
      runs.keep_size[0] = n;
      for (const Fold& fold : folds_) {
        fold.rows(runs, region + fold.stage_offset, 0, n, 0, 1, 0, runs.inner,
                  region + fold.totals_offset + (output - first) * fold.total_bytes);
      }
    }
  }

  /// Which totals are being made, and whether they have a value yet.
  struct Progress {
    int64_t place;
    bool started = false;
  };

  void add_run(char* region, int64_t n, Progress& progress) const {
    ReducePlan run;
    run.inner = n;
    for (const Fold& fold : folds_) {
      char* const total = region + fold.totals_offset + progress.place * fold.total_bytes;
      char* const to = progress.started ? region + fold.piece_offset : total;
      fold.rows(run, region + fold.stage_offset, 0, 1, 0, 1, 0, n, to);
      if (progress.started) fold.combine(total, to, 1);
    }
    progress.started = true;
  }

  /// Totals of columns [first, last) of one kept position, over rows of outer * rows.
  void fold_columns(const Operands& operands, char* region, int64_t keep, int64_t first,
                    int64_t last, int64_t first_row, int64_t last_row) const {
    const ReducePlan& plan = shape_.plan;
    const int64_t width = last - first, base = keep_offset(plan, keep) + first;
    const int64_t together = stage_ / width;
    Progress progress{0};
    for_stretches(plan, first_row, last_row, [&](int64_t offset, int64_t rows) {
      for (int64_t row = 0; row < rows; row += together) {
        const int64_t n = std::min(together, rows - row);
        const int64_t start = base + offset + row * plan.inner;
        if (width == plan.inner) {
          compute(operands, region, start, n * width, 0);
        } else {
          for (int64_t i = 0; i < n; ++i)
            compute(operands, region, start + i * plan.inner, width, i * width);
        }
        add_rows(region, n, width, progress);
      }
    });
    if (!progress.started) add_rows(region, 0, width, progress);
  }

  void add_rows(char* region, int64_t rows, int64_t width, Progress& progress) const {
    ReducePlan block;
    block.rows = std::max<int64_t>(1, rows);
    block.inner = width;
    for (const Fold& fold : folds_) {
      char* const totals = region + fold.totals_offset;
      char* const to = progress.started ? region + fold.piece_offset : totals;
      fold.columns(block, region + fold.stage_offset, 0, 0, width, 0, rows, to);
      if (progress.started) fold.combine(totals, to, width);
    }
    progress.started = true;
  }

  TileProgramForm form_;
  TileProgram program_;
  Collapsed shape_;
  std::vector<Fold> folds_;
  bool wide_ = false;               // rows are longer than a stage: blocks of columns
  int64_t stage_ = 0;               // elements of a stage
  int64_t width_ = 1, blocks_ = 1;  // columns of a block, blocks of one kept position
  int64_t splits_ = 1, row_group_ = 1, item_chunk_ = 1, item_chunks_ = 1;
  int64_t tasks_ = 0, tasks_per_part_ = 1;
  int64_t region_bytes_ = 0, regions_offset_ = 0, split_bytes_ = 0;
};

[[gnu::cold]] std::unique_ptr<Step> bind(Binding& binding) {
  return std::make_unique<FusedReduction>(binding);
}

const KernelEntry entry(kName, &bind);

}  // namespace
}  // namespace symk::cpu
