// Binds sum, mean, prod, max, min, any, all, sum_to, logsumexp, argmax and argmin: collapses the
// axes, decides the parts by shape, and combines what parts found in a fixed order, so results do
// not depend on the number of threads. Over nothing: sum is 0, prod 1, mean NaN, max the least
// value of the dtype, min the greatest, argmax -1.
#include "cpu/reduce.h"

#include <cstring>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

constexpr int64_t kTotalBytes = 8;                 // room for one total of any kind
constexpr int64_t kSplitItems = 64 * 1024;         // elements of one part where one output is split
constexpr int64_t kColumnSplitItems = 128 * 1024;  // the same for a block of columns
constexpr int64_t kEnoughParts = 16;               // with as many outputs or blocks, none is split

/// The collapsed shape: `plan`, and whether the innermost run is reduced.
struct Collapsed {
  ReducePlan plan;
  bool inner_reduced = true;
  int64_t keeps = 1;  // outer kept positions
  int64_t outputs = 1;
  int64_t reduced = 1;  // elements of one output
};

Collapsed collapse(const Type& x, const std::vector<bool>& reduced) {
  struct Axis {
    int64_t size;
    bool reduced;
  };
  std::vector<Axis> axes;
  for (int axis = 0; axis < x.rank; ++axis) {
    if (x.shape[axis] == 1) continue;
    if (!axes.empty() && axes.back().reduced == reduced[axis]) {
      axes.back().size *= x.shape[axis];
    } else {
      axes.push_back({x.shape[axis], reduced[axis]});
    }
  }
  if (axes.empty()) axes.push_back({1, true});

  Collapsed result;
  ReducePlan& plan = result.plan;
  for (const Axis& axis : axes) (axis.reduced ? result.reduced : result.outputs) *= axis.size;
  result.inner_reduced = axes.back().reduced;
  plan.inner = axes.back().size;
  axes.pop_back();
  int64_t stride = plan.inner;
  if (!result.inner_reduced && !axes.empty()) {
    plan.rows = axes.back().size;
    stride *= plan.rows;
    axes.pop_back();
  }
  // Outer axes, outermost first.
  std::vector<int64_t> strides(axes.size());
  for (size_t i = axes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= axes[i].size;
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].reduced) {
      plan.reduce_size[plan.reduce_rank] = axes[i].size;
      plan.reduce_stride[plan.reduce_rank++] = strides[i];
      plan.outer *= axes[i].size;
    } else {
      plan.keep_size[plan.keep_rank] = axes[i].size;
      plan.keep_stride[plan.keep_rank++] = strides[i];
      result.keeps *= axes[i].size;
    }
  }
  return result;
}

std::vector<bool> reduced_axes(const Binding& binding, const char* name) {
  require_operands(binding, name, 1, 1);
  const int rank = binding.inputs()[0].rank;
  std::vector<bool> reduced(rank);
  for (int64_t axis : binding.integers("axes")) {
    require(axis >= 0 && axis < rank, name, "the axes must be inside the rank");
    reduced[axis] = true;
  }
  return reduced;
}

/// The axes that y repeats.
std::vector<bool> repeated_axes(const Type& x, const Type& y) {
  require(x.rank >= y.rank, "sum_to", "y must have no more axes than x");
  std::vector<bool> reduced(x.rank);
  for (int axis = 0; axis < x.rank; ++axis) {
    const int own = axis - (x.rank - y.rank);
    reduced[axis] = own < 0 || (y.shape[own] == 1 && x.shape[axis] != 1);
    require(reduced[axis] || y.shape[own] == x.shape[axis], "sum_to", "y must broadcast to x");
  }
  return reduced;
}

using Finish = void (*)(const void* totals, int64_t n, double divisor, void* y);

/// Totals divided and written as elements.
template <class Total, class T>
void finish_totals(const void* totals, int64_t n, double divisor, void* y) {
  const Total* from = static_cast<const Total*>(totals);
  T* to = static_cast<T*>(y);
  if (divisor == 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(from[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(static_cast<double>(from[i]) / divisor);
  }
}

template <class T>
void copy_totals(const void* totals, int64_t n, double, void* y) {
  std::memcpy(y, totals, static_cast<size_t>(n) * sizeof(T));
}

template <class Total>
Finish wide_finish(const char* name, DType y) {
  switch (y) {
    case DType::kFloat32: return finish_totals<Total, float>;
    case DType::kFloat64: return finish_totals<Total, double>;
    case DType::kInt8: return finish_totals<Total, int8_t>;
    case DType::kInt16: return finish_totals<Total, int16_t>;
    case DType::kInt32: return finish_totals<Total, int32_t>;
    case DType::kInt64: return finish_totals<Total, int64_t>;
    case DType::kUInt8: return finish_totals<Total, uint8_t>;
    default: throw no_dtype(name, y);
  }
}

bool is_float(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

Finish choose_finish(const char* name, ReduceOp op, DType x, DType y) {
  if (op == ReduceOp::kSum || op == ReduceOp::kProd) {
    require(is_float(x) == is_float(y), name, "floats must give floats, integers integers");
    return is_float(x) ? wide_finish<double>(name, y) : wide_finish<int64_t>(name, y);
  }
  const bool extreme = op == ReduceOp::kMax || op == ReduceOp::kMin;
  require(y == (extreme ? x : DType::kBool), name, "the dtype of the result must be the op's");
  switch (item_bytes(y)) {
    case 1: return copy_totals<int8_t>;
    case 2: return copy_totals<int16_t>;
    case 4: return copy_totals<int32_t>;
    default: return copy_totals<int64_t>;
  }
}

using Combine = void (*)(void* totals, const void* more, int64_t n);

template <class T, class Op>
void combine_totals(void* totals, const void* more, int64_t n) {
  T* a = static_cast<T*>(totals);
  const T* b = static_cast<const T*>(more);
  for (int64_t i = 0; i < n; ++i) a[i] = Op()(a[i], b[i]);
}

struct Add {
  double operator()(double a, double b) const { return a + b; }
  int64_t operator()(int64_t a, int64_t b) const {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
struct Multiply {
  double operator()(double a, double b) const { return a * b; }
  int64_t operator()(int64_t a, int64_t b) const {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
struct Larger {
  template <class T>
  T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};
struct Smaller {
  template <class T>
  T operator()(T a, T b) const {
    return b < a || b != b ? b : a;
  }
};

template <class Op>
Combine choose_element(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return combine_totals<float, Op>;
    case DType::kFloat64: return combine_totals<double, Op>;
    case DType::kInt8: return combine_totals<int8_t, Op>;
    case DType::kInt16: return combine_totals<int16_t, Op>;
    case DType::kInt32: return combine_totals<int32_t, Op>;
    case DType::kInt64: return combine_totals<int64_t, Op>;
    default: return combine_totals<uint8_t, Op>;
  }
}

Combine choose_combine(ReduceOp op, DType x) {
  switch (op) {
    case ReduceOp::kSum:
      return is_float(x) ? combine_totals<double, Add> : combine_totals<int64_t, Add>;
    case ReduceOp::kProd:
      return is_float(x) ? combine_totals<double, Multiply> : combine_totals<int64_t, Multiply>;
    case ReduceOp::kMax: return choose_element<Larger>(x);
    case ReduceOp::kMin: return choose_element<Smaller>(x);
    case ReduceOp::kAny: return combine_totals<uint8_t, Larger>;
    default: return combine_totals<uint8_t, Smaller>;
  }
}

int64_t total_bytes(ReduceOp op, DType x) {
  if (op == ReduceOp::kSum || op == ReduceOp::kProd) return 8;
  return op == ReduceOp::kAny || op == ReduceOp::kAll ? 1 : item_bytes(x);
}

/// A reduction bound to shapes. An output is computed by one part, or split over `splits` parts
/// whose totals go through scratch memory.
class Reduction : public Step {
 public:
  Reduction(Binding& binding, const char* name, ReduceOp op, const std::vector<bool>& reduced,
            bool mean)
      : shape_(collapse(binding.inputs()[0], reduced)) {
    const DType x = binding.inputs()[0].dtype, y = binding.outputs()[0].dtype;
    const auto& table = kernels<ReduceKernels>();
    rows_ = table.rows[static_cast<int>(op)][static_cast<int>(x)];
    columns_ = table.columns[static_cast<int>(op)][static_cast<int>(x)];
    if (rows_ == nullptr) throw no_dtype(name, x);
    require(binding.outputs()[0].count() == shape_.outputs, name,
            "the result must have one element per kept position");
    finish_ = choose_finish(name, op, x, y);
    combine_ = choose_combine(op, x);
    total_bytes_ = total_bytes(op, x);
    result_bytes_ = item_bytes(y);
    divisor_ = mean ? static_cast<double>(shape_.reduced) : 1;
    if (shape_.inner_reduced)
      plan_rows(item_bytes(x));
    else
      plan_columns(item_bytes(x));
    if (splits_ > 1) binding.need_scratch(splits_ * shape_.outputs * total_bytes_);
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    if (splits_ > 1)
      run_split(operands, pool);
    else if (shape_.inner_reduced)
      run_rows(operands, pool);
    else
      run_columns(operands, pool);
    return Status();
  }

 private:
  void plan_rows(int64_t item) {
    const ReducePlan& plan = shape_.plan;
    per_part_ = units_per_part(shape_.reduced * item);
    if (shape_.outputs >= kEnoughParts || shape_.reduced < 2 * kSplitItems) return;
    item_chunk_ = std::min(plan.inner, kSplitItems);
    item_chunks_ = ceil_div(plan.inner, item_chunk_);
    row_group_ = item_chunks_ > 1 ? 1 : std::max<int64_t>(1, kSplitItems / plan.inner);
    splits_ = item_chunks_ * ceil_div(plan.outer, row_group_);
  }

  void plan_columns(int64_t item) {
    const ReducePlan& plan = shape_.plan;
    const int64_t width = std::min(plan.inner, kColumnBlock), rows = plan.outer * plan.rows;
    blocks_ = ceil_div(plan.inner, kColumnBlock);
    per_part_ = units_per_part(width * rows * item);
    if (shape_.keeps * blocks_ >= kEnoughParts || width == 0) return;
    row_group_ = std::max<int64_t>(8, kColumnSplitItems / width);
    splits_ = std::max<int64_t>(1, ceil_div(rows, row_group_));
  }

  void run_rows(const Operands& operands, ThreadPool& pool) const {
    const ReducePlan& plan = shape_.plan;
    char* y = static_cast<char*>(operands.out[0]);
    run_parts(pool, shape_.outputs, per_part_, [&](int64_t first, int64_t last) {
      constexpr int64_t tile = 512;
      alignas(64) char totals[tile * kTotalBytes];
      for (int64_t i = first; i < last; i += tile) {
        const int64_t end = std::min(last, i + tile);
        rows_(plan, operands.in[0], i, end, 0, plan.outer, 0, plan.inner, totals);
        finish_(totals, end - i, divisor_, y + i * result_bytes_);
      }
    });
  }

  void run_columns(const Operands& operands, ThreadPool& pool) const {
    const ReducePlan& plan = shape_.plan;
    char* y = static_cast<char*>(operands.out[0]);
    run_parts(pool, shape_.keeps * blocks_, per_part_, [&](int64_t first, int64_t last) {
      alignas(64) char totals[kColumnBlock * kTotalBytes];
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t keep = unit / blocks_, column = unit % blocks_ * kColumnBlock;
        const int64_t end = std::min(plan.inner, column + kColumnBlock);
        columns_(plan, operands.in[0], keep, column, end, 0, plan.outer * plan.rows, totals);
        finish_(totals, end - column, divisor_, y + (keep * plan.inner + column) * result_bytes_);
      }
    });
  }

  /// Totals of split s lie at s * outputs in scratch.
  void run_split(const Operands& operands, ThreadPool& pool) const {
    char* totals = static_cast<char*>(operands.scratch);
    const int64_t units = shape_.inner_reduced ? shape_.outputs : shape_.keeps * blocks_;
    pool.parallel(units * splits_, [&](int64_t part) {
      const int64_t unit = part / splits_, split = part % splits_;
      char* of_split = totals + split * shape_.outputs * total_bytes_;
      if (shape_.inner_reduced)
        split_rows(operands.in[0], unit, split, of_split);
      else
        split_columns(operands.in[0], unit, split, of_split);
    });
    char* y = static_cast<char*>(operands.out[0]);
    run_parts(pool, shape_.outputs, kColumnBlock, [&](int64_t first, int64_t last) {
      char* sum = totals + first * total_bytes_;
      for (int64_t split = 1; split < splits_; ++split) {
        combine_(sum, sum + split * shape_.outputs * total_bytes_, last - first);
      }
      finish_(sum, last - first, divisor_, y + first * result_bytes_);
    });
  }

  void split_rows(const void* x, int64_t output, int64_t split, char* totals) const {
    const ReducePlan& plan = shape_.plan;
    const int64_t row = split / item_chunks_ * row_group_;
    const int64_t item = split % item_chunks_ * item_chunk_;
    rows_(plan, x, output, output + 1, row, std::min(plan.outer, row + row_group_), item,
          std::min(plan.inner, item + item_chunk_), totals + output * total_bytes_);
  }

  void split_columns(const void* x, int64_t unit, int64_t split, char* totals) const {
    const ReducePlan& plan = shape_.plan;
    const int64_t keep = unit / blocks_, column = unit % blocks_ * kColumnBlock;
    const int64_t row = split * row_group_;
    columns_(plan, x, keep, column, std::min(plan.inner, column + kColumnBlock), row,
             std::min(plan.outer * plan.rows, row + row_group_),
             totals + (keep * plan.inner + column) * total_bytes_);
  }

  Collapsed shape_;
  ReduceKernels::Rows rows_ = nullptr;
  ReduceKernels::Columns columns_ = nullptr;
  Finish finish_ = nullptr;
  Combine combine_ = nullptr;
  double divisor_ = 1;
  int64_t total_bytes_ = 0, result_bytes_ = 0;
  int64_t per_part_ = 1;  // outputs, or blocks of columns, of one part
  int64_t blocks_ = 1;    // of columns in one kept position
  int64_t splits_ = 1, row_group_ = 1, item_chunk_ = 1, item_chunks_ = 1;
};

struct Named {
  static constexpr char sum[] = "sum", mean[] = "mean", prod[] = "prod", max[] = "max",
                        min[] = "min", any[] = "any", all[] = "all";
};

template <const char* name, ReduceOp op, bool mean = false>
std::unique_ptr<Step> bind_reduction(Binding& binding) {
  return std::make_unique<Reduction>(binding, name, op, reduced_axes(binding, name), mean);
}

std::unique_ptr<Step> bind_sum_to(Binding& binding) {
  require_operands(binding, "sum_to", 1, 1);
  const std::vector<bool> reduced = repeated_axes(binding.inputs()[0], binding.outputs()[0]);
  return std::make_unique<Reduction>(binding, "sum_to", ReduceOp::kSum, reduced, false);
}

std::unique_ptr<Step> bind_logsumexp(Binding& binding) {
  const std::vector<bool> reduced = reduced_axes(binding, "logsumexp");
  const DType dtype = binding.inputs()[0].dtype;
  const int place = float_place("logsumexp", dtype);
  const Collapsed shape = collapse(binding.inputs()[0], reduced);
  require_dtype(binding.outputs()[0], dtype, "logsumexp");
  require(binding.outputs()[0].count() == shape.outputs, "logsumexp",
          "the result must have one element per kept position");
  const auto& table = kernels<ReduceKernels>();
  const int64_t unit_bytes = shape.reduced * item_bytes(dtype);
  if (shape.inner_reduced) {
    const auto rows = table.log_rows[place];
    return make_step([=](const Operands& operands, ThreadPool& pool) {
      run_parts(pool, shape.outputs, units_per_part(unit_bytes), [&](int64_t first, int64_t last) {
        rows(shape.plan, operands.in[0], first, last, operands.out[0]);
      });
    });
  }
  const auto columns = table.log_columns[place];
  const int64_t inner = shape.plan.inner, blocks = ceil_div(inner, kColumnBlock);
  const int64_t per_part = units_per_part(unit_bytes * std::min(inner, kColumnBlock));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, shape.keeps * blocks, per_part, [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t column = unit % blocks * kColumnBlock;
        columns(shape.plan, operands.in[0], unit / blocks, column,
                std::min(inner, column + kColumnBlock), operands.out[0]);
      }
    });
  });
}

/// which: 0 for argmax, 1 for argmin.
template <int which>
std::unique_ptr<Step> bind_arg(Binding& binding) {
  constexpr const char* name = which == 0 ? "argmax" : "argmin";
  require_operands(binding, name, 1, 1);
  const Type& x = binding.inputs()[0];
  const int axis = axis_inside(binding, x, name);
  const auto& table = kernels<ReduceKernels>();
  const auto rows = table.arg_rows[which][static_cast<int>(x.dtype)];
  const auto columns = table.arg_columns[which][static_cast<int>(x.dtype)];
  if (rows == nullptr) throw no_dtype(name, x.dtype);
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= x.shape[i];
  for (int i = axis + 1; i < x.rank; ++i) inner *= x.shape[i];
  const int64_t n = x.shape[axis], item = item_bytes(x.dtype);
  require_dtype(binding.outputs()[0], DType::kInt64, name);
  require(binding.outputs()[0].count() == outer * inner, name,
          "the result must have one element per kept position");
  if (n == 0) {
    return make_step([=](const Operands& operands, ThreadPool&) {
      int64_t* y = static_cast<int64_t*>(operands.out[0]);
      std::fill(y, y + outer * inner, int64_t{-1});
    });
  }
  if (inner == 1) {
    return make_step([=](const Operands& operands, ThreadPool& pool) {
      int64_t* y = static_cast<int64_t*>(operands.out[0]);
      run_parts(pool, outer, units_per_part(n * item),
                [&](int64_t first, int64_t last) { rows(operands.in[0], n, first, last, y); });
    });
  }
  const int64_t blocks = ceil_div(inner, kColumnBlock);
  const int64_t per_part = units_per_part(n * item * std::min(inner, kColumnBlock));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, outer * blocks, per_part, [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t i = unit / blocks, column = unit % blocks * kColumnBlock;
        columns(static_cast<const char*>(operands.in[0]) + i * n * inner * item, n, inner, column,
                std::min(inner, column + kColumnBlock),
                static_cast<int64_t*>(operands.out[0]) + i * inner);
      }
    });
  });
}

const KernelEntry entries[] = {
    {"sum", bind_reduction<Named::sum, ReduceOp::kSum>},
    {"mean", bind_reduction<Named::mean, ReduceOp::kSum, true>},
    {"prod", bind_reduction<Named::prod, ReduceOp::kProd>},
    {"max", bind_reduction<Named::max, ReduceOp::kMax>},
    {"min", bind_reduction<Named::min, ReduceOp::kMin>},
    {"any", bind_reduction<Named::any, ReduceOp::kAny>},
    {"all", bind_reduction<Named::all, ReduceOp::kAll>},
    {"sum_to", bind_sum_to},
    {"logsumexp", bind_logsumexp},
    {"argmax", bind_arg<0>},
    {"argmin", bind_arg<1>},
};

}  // namespace
}  // namespace symk::cpu
