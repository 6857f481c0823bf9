// Binds batch_norm and batch_norm_grad: sums over parts of rows, combined in order; then one pass
// that writes the result. Over no rows, mean and variance are NaN (NumPy's mean of nothing) and the
// gradients of gamma and beta are zero.
#include "cpu/norm.h"

#include <cmath>

#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

constexpr int64_t kPartItems = 64 * 1024;  // elements of one part
constexpr int64_t kLineItems = 1024;       // least length of a line, where the rows allow it

/// What both directions share: shapes, partition, and the layout of scratch: the sums of all parts,
/// then vectors of per-channel values, each repeated over a line.
class NormStep : public Step {
 protected:
  /// `like_x` are the operands with x's shape; all others have one element per channel.
  NormStep(Binding& binding, const char* name, int vectors,
           const std::vector<const Type*>& like_x) {
    const Type& x = *like_x[0];
    place_ = float_place(name, x.dtype);
    item_ = item_bytes(x.dtype);
    require(x.rank > 0, name, "x must have an axis of channels");
    plan_.channels = x.shape[x.rank - 1];
    check_operands(binding.inputs(), name, like_x);
    check_operands(binding.outputs(), name, like_x);
    plan_.rows = 1;
    for (int axis = 0; axis + 1 < x.rank; ++axis) plan_.rows *= x.shape[axis];
    const int64_t least = std::max<int64_t>(1, plan_.channels);
    plan_.repeats = std::max<int64_t>(1, std::min(plan_.rows, kLineItems / least));
    rows_per_part_ =
        ceil_div(std::max<int64_t>(1, kPartItems / least), plan_.repeats) * plan_.repeats;
    parts_ = ceil_div(plan_.rows, rows_per_part_);
    epsilon_ = binding.real("epsilon");
    binding.need_scratch(vector_start() + vectors * vector_bytes());
  }

  void check_operands(const std::vector<Type>& operands, const char* name,
                      const std::vector<const Type*>& like_x) const {
    for (const Type& operand : operands) {
      const bool wide = std::find(like_x.begin(), like_x.end(), &operand) != like_x.end();
      require_dtype(operand, like_x[0]->dtype, name);
      require(wide ? same_shape(operand, *like_x[0]) : operand.count() == plan_.channels, name,
              "x, g and their results must have one shape, the others one element per channel");
    }
  }

  /// Per part, two sums of each channel; there is always one part's room.
  int64_t sum_count() const { return 2 * plan_.channels; }
  int64_t vector_start() const {
    return ceil_div(std::max<int64_t>(1, parts_) * sum_count() * 8, 64) * 64;
  }
  int64_t vector_bytes() const { return ceil_div(plan_.repeats * plan_.channels * item_, 64) * 64; }
  void* vector(const Operands& operands, int number) const {
    return static_cast<char*>(operands.scratch) + vector_start() + number * vector_bytes();
  }

  /// Calls f(first, last, sums) for each part, then adds the sums of all parts in order. Returns
  /// the totals.
  template <class F>
  const double* sum_parts(const Operands& operands, ThreadPool& pool, F&& f) const {
    double* sums = static_cast<double*>(operands.scratch);
    if (parts_ == 0) std::fill(sums, sums + sum_count(), 0.0);
    run_parts(pool, plan_.rows, rows_per_part_, [&](int64_t first, int64_t last) {
      f(first, last, sums + first / rows_per_part_ * sum_count());
    });
    for (int64_t part = 1; part < parts_; ++part) {
      const double* more = sums + part * sum_count();
      for (int64_t i = 0; i < sum_count(); ++i) sums[i] += more[i];
    }
    return sums;
  }

  /// Repeats the first row of a vector over its line.
  template <class T>
  void repeat(T* values) const {
    for (int64_t i = plan_.channels; i < plan_.repeats * plan_.channels; ++i) {
      values[i] = values[i - plan_.channels];
    }
  }

  NormPlan plan_;
  int place_ = 0;  // in the tables: 0 for float32, 1 for float64
  int64_t item_ = 4, rows_per_part_ = 1, parts_ = 0;
  double epsilon_ = 0;
};

template <class T>
class BatchNorm : public NormStep {
 public:
  static constexpr const char* name = "batch_norm";
  static constexpr size_t inputs = 3, outputs = 3;

  explicit BatchNorm(Binding& binding)
      : NormStep(binding, name, 3, {&binding.inputs()[0], &binding.outputs()[0]}) {}

  Status run(const Operands& operands, ThreadPool& pool) override {
    const NormKernels& table = float_kernels<NormKernels>(dtype_of<T>());
    const void* x = operands.in[0];
    T* shift = static_cast<T*>(vector(operands, 0));
    choose_shift(static_cast<const T*>(x), shift);
    const double* sums = sum_parts(operands, pool, [&](int64_t first, int64_t last, double* part) {
      table.moments[place_](plan_, x, shift, first, last, part);
    });
    T* scale = static_cast<T*>(vector(operands, 1));
    T* beta = static_cast<T*>(vector(operands, 2));
    finish(operands, sums, shift, scale, beta);
    run_parts(pool, plan_.rows, rows_per_part_, [&](int64_t first, int64_t last) {
      table.normalise[place_](plan_, x, shift, scale, beta, first, last, operands.out[0]);
    });
    return Status();
  }

 private:
  /// The first row: near enough to the mean that the variance loses nothing to cancellation.
  void choose_shift(const T* x, T* shift) const {
    for (int64_t c = 0; c < plan_.channels; ++c) {
      shift[c] = plan_.rows > 0 && std::isfinite(x[c]) ? x[c] : 0;
    }
    repeat(shift);
  }

  /// Mean and variance from the sums; `mean` holds the shift before and the mean after.
  void finish(const Operands& operands, const double* sums, T* mean, T* scale, T* beta) const {
    const T* gamma = static_cast<const T*>(operands.in[1]);
    T* mean_out = static_cast<T*>(operands.out[1]);
    T* variance_out = static_cast<T*>(operands.out[2]);
    const double rows = static_cast<double>(plan_.rows);
    for (int64_t c = 0; c < plan_.channels; ++c) {
      const double off = sums[c] / rows;
      const double spread = sums[plan_.channels + c] / rows - off * off;
      const double variance = spread < 0 ? 0 : spread;
      mean_out[c] = mean[c] = static_cast<T>(static_cast<double>(mean[c]) + off);
      variance_out[c] = static_cast<T>(variance);
      scale[c] = static_cast<T>(static_cast<double>(gamma[c]) / std::sqrt(variance + epsilon_));
      beta[c] = static_cast<const T*>(operands.in[2])[c];
    }
    repeat(mean);
    repeat(scale);
    repeat(beta);
  }
};

template <class T>
class BatchNormGrad : public NormStep {
 public:
  static constexpr const char* name = "batch_norm_grad";
  static constexpr size_t inputs = 5, outputs = 3;

  explicit BatchNormGrad(Binding& binding)
      : NormStep(binding, name, 4,
                 {&binding.inputs()[0], &binding.inputs()[4], &binding.outputs()[0]}) {}

  Status run(const Operands& operands, ThreadPool& pool) override {
    const NormKernels& table = float_kernels<NormKernels>(dtype_of<T>());
    const void* x = operands.in[0];
    const void* g = operands.in[4];
    T* mean = static_cast<T*>(vector(operands, 0));
    std::copy_n(static_cast<const T*>(operands.in[2]), plan_.channels, mean);
    repeat(mean);
    const double* sums = sum_parts(operands, pool, [&](int64_t first, int64_t last, double* part) {
      table.grad_sums[place_](plan_, x, g, mean, first, last, part);
    });
    T* scale = static_cast<T*>(vector(operands, 1));
    T* slope = static_cast<T*>(vector(operands, 2));
    T* offset = static_cast<T*>(vector(operands, 3));
    finish(operands, sums, scale, slope, offset);
    run_parts(pool, plan_.rows, rows_per_part_, [&](int64_t first, int64_t last) {
      table.grad_input[place_](plan_, x, g, mean, scale, slope, offset, first, last,
                               operands.out[0]);
    });
    return Status();
  }

 private:
  /// With s = 1 / sqrt(variance + epsilon) and n rows:
  /// dgamma = s sum(g (x - mean)), dbeta = sum(g),
  /// dx = gamma s (g - sum(g) / n - (x - mean) s^2 sum(g (x - mean)) / n).
  void finish(const Operands& operands, const double* sums, T* scale, T* slope, T* offset) const {
    const T* gamma = static_cast<const T*>(operands.in[1]);
    const T* variance = static_cast<const T*>(operands.in[3]);
    T* gamma_grad = static_cast<T*>(operands.out[1]);
    T* beta_grad = static_cast<T*>(operands.out[2]);
    const double rows = static_cast<double>(plan_.rows);
    for (int64_t c = 0; c < plan_.channels; ++c) {
      const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + epsilon_);
      const double factor = static_cast<double>(gamma[c]) * inverse;
      const double one = sums[c], two = sums[plan_.channels + c];
      gamma_grad[c] = static_cast<T>(plan_.rows > 0 ? two * inverse : 0);
      beta_grad[c] = static_cast<T>(one);
      scale[c] = static_cast<T>(factor);
      slope[c] = static_cast<T>(factor * inverse * inverse * two / rows);
      offset[c] = static_cast<T>(factor * one / rows);
    }
    repeat(scale);
    repeat(slope);
    repeat(offset);
  }
};

template <template <class> class Bound>
[[gnu::cold]] std::unique_ptr<Step> bind(Binding& binding) {
  require_operands(binding, Bound<float>::name, Bound<float>::inputs, Bound<float>::outputs);
  if (binding.inputs()[0].dtype == DType::kFloat64) return std::make_unique<Bound<double>>(binding);
  return std::make_unique<Bound<float>>(binding);
}

const KernelEntry entries[] = {
    {"batch_norm", bind<BatchNorm>},
    {"batch_norm_grad", bind<BatchNormGrad>},
};

}  // namespace
}  // namespace symk::cpu
