// Collapses the axes of a reduction, and finishes totals: see reduce_totals.h.
#include "cpu/reduce_totals.h"

#include "cpu/dispatch.h"

namespace symk::cpu {
namespace {

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

}  // namespace

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

ReduceKernels::Rows reduce_rows(ReduceOp op, DType x) {
  return kernel_of<ReduceKernels>([=](const ReduceKernels& table) {
    return table.rows[static_cast<int>(op)][static_cast<int>(x)];
  });
}
ReduceKernels::Columns reduce_columns(ReduceOp op, DType x) {
  return kernel_of<ReduceKernels>([=](const ReduceKernels& table) {
    return table.columns[static_cast<int>(op)][static_cast<int>(x)];
  });
}

int64_t total_bytes(ReduceOp op, DType x) {
  if (op == ReduceOp::kSum || op == ReduceOp::kProd) return 8;
  return op == ReduceOp::kAny || op == ReduceOp::kAll ? 1 : item_bytes(x);
}

}  // namespace symk::cpu
