// Binds softmax, log_softmax, their gradients, softmax_cross_entropy and
// sparse_softmax_cross_entropy. Work is cut into groups of lines, and along an axis that is not the
// last one into strips of neighbouring lines.
#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/require.h"
#include "cpu/softmax.h"

namespace symk::cpu {
namespace {

constexpr int64_t kPartElements = 16 * 1024;  // some 10 microseconds of exponentials

template <class T>
const SoftmaxFunctions<T>& functions();
template <>
const SoftmaxFunctions<float>& functions<float>() {
  return kernels<SoftmaxKernels>().float32;
}
template <>
const SoftmaxFunctions<double>& functions<double>() {
  return float64_kernels<SoftmaxKernels>().float64;
}

int64_t product(const Type& type, int first, int last) {
  int64_t n = 1;
  for (int i = first; i < last; ++i) n *= type.shape[i];
  return n;
}

int64_t lines_per_part(int64_t n) {
  return std::max<int64_t>(1, kPartElements / std::max<int64_t>(1, n));
}

/// Along `axis`: operands a and, where there is a second one, b.
template <class T>
std::unique_ptr<Step> bind_lines(Binding& binding, const LineFunctions<T>& line) {
  const Type& type = binding.inputs().at(0);
  const int64_t axis = binding.integer("axis");
  require(axis >= 0 && axis < type.rank, "softmax", "the axis must be inside the rank");
  const bool has_second = binding.inputs().size() > 1;
  const int64_t outer = product(type, 0, static_cast<int>(axis)), n = type.shape[axis];
  const int64_t inner = product(type, static_cast<int>(axis) + 1, type.rank);
  if (type.count() == 0) return make_step([](const Operands&, ThreadPool&) {});
  if (inner == 1) {
    return make_step([=](const Operands& operands, ThreadPool& pool) {
      const T* b = has_second ? static_cast<const T*>(operands.in[1]) : nullptr;
      run_parts(pool, outer, lines_per_part(n), [&](int64_t first, int64_t last) {
        line.rows(static_cast<const T*>(operands.in[0]), b, static_cast<T*>(operands.out[0]), n,
                  first, last);
      });
    });
  }
  const int64_t strips = ceil_div(inner, kStripWidth);
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    auto run = [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t column = unit % strips * kStripWidth, at = unit / strips * n * inner + column;
        line.columns(static_cast<const T*>(operands.in[0]) + at,
                     has_second ? static_cast<const T*>(operands.in[1]) + at : nullptr,
                     static_cast<T*>(operands.out[0]) + at, n, inner,
                     std::min(kStripWidth, inner - column));
      }
    };
    run_parts(pool, outer * strips, lines_per_part(n * std::min(kStripWidth, inner)), run);
  });
}

/// Which of the line functions a kernel is, for one dtype.
template <class T>
using LineMember = LineFunctions<T> SoftmaxFunctions<T>::*;

/// `inputs` operands and one result, all of one type.
std::unique_ptr<Step> bind_by_dtype(Binding& binding, const char* name, size_t inputs,
                                    LineMember<float> float32, LineMember<double> float64) {
  require_operands(binding, name, inputs, 1);
  const Type& result = binding.outputs()[0];
  const DType dtype = result.dtype;
  for (const Type& input : binding.inputs()) {
    require_dtype(input, dtype, name);
    require(same_shape(input, result), name, "the shapes must agree");
  }
  if (dtype == DType::kFloat32) return bind_lines<float>(binding, functions<float>().*float32);
  if (dtype == DType::kFloat64) return bind_lines<double>(binding, functions<double>().*float64);
  throw no_dtype(name, dtype);
}

std::unique_ptr<Step> bind_softmax(Binding& binding) {
  return bind_by_dtype(binding, "softmax", 1, &SoftmaxFunctions<float>::softmax,
                       &SoftmaxFunctions<double>::softmax);
}
std::unique_ptr<Step> bind_log_softmax(Binding& binding) {
  return bind_by_dtype(binding, "log_softmax", 1, &SoftmaxFunctions<float>::log_softmax,
                       &SoftmaxFunctions<double>::log_softmax);
}
std::unique_ptr<Step> bind_softmax_grad(Binding& binding) {
  return bind_by_dtype(binding, "softmax_grad", 2, &SoftmaxFunctions<float>::softmax_grad,
                       &SoftmaxFunctions<double>::softmax_grad);
}
std::unique_ptr<Step> bind_log_softmax_grad(Binding& binding) {
  return bind_by_dtype(binding, "log_softmax_grad", 2, &SoftmaxFunctions<float>::log_softmax_grad,
                       &SoftmaxFunctions<double>::log_softmax_grad);
}

template <class T>
std::unique_ptr<Step> make_cross_entropy(const Type& logits) {
  const int64_t n = logits.shape[logits.rank - 1], rows = product(logits, 0, logits.rank - 1);
  const auto function = functions<T>().cross_entropy;
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    run_parts(pool, rows, lines_per_part(n), [&](int64_t first, int64_t last) {
      function(static_cast<const T*>(operands.in[0]), static_cast<const T*>(operands.in[1]),
               static_cast<T*>(operands.out[0]), n, first, last);
    });
  });
}

/// Two operands, and a result with the shape of the logits but for the last axis.
void require_cross_entropy(const Binding& binding, const char* name) {
  require_operands(binding, name, 2, 1);
  const Type& logits = binding.inputs()[0];
  const Type& losses = binding.outputs()[0];
  require_dtype(losses, logits.dtype, name);
  require(logits.rank > 0 && losses.count() == product(logits, 0, logits.rank - 1), name,
          "there must be one loss per row of the logits");
}

std::unique_ptr<Step> bind_cross_entropy(Binding& binding) {
  require_cross_entropy(binding, "softmax_cross_entropy");
  const Type& logits = binding.inputs()[0];
  const Type& targets = binding.inputs()[1];
  require_dtype(targets, logits.dtype, "softmax_cross_entropy");
  require(same_shape(targets, logits), "softmax_cross_entropy", "the shapes must agree");
  if (logits.dtype == DType::kFloat32) return make_cross_entropy<float>(logits);
  if (logits.dtype == DType::kFloat64) return make_cross_entropy<double>(logits);
  throw no_dtype("softmax_cross_entropy", logits.dtype);
}

template <class I>
Status check_labels(const void* labels, int64_t rows, int64_t n) {
  const I* label = static_cast<const I*>(labels);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t value = static_cast<int64_t>(label[i]);
    if (value < 0 || value >= n) return {Status::kOutOfRange, value, i, n};
  }
  return {};
}

Status (*label_check(DType dtype))(const void*, int64_t, int64_t) {
  switch (dtype) {
    case DType::kInt8: return &check_labels<int8_t>;
    case DType::kInt16: return &check_labels<int16_t>;
    case DType::kInt32: return &check_labels<int32_t>;
    case DType::kInt64: return &check_labels<int64_t>;
    case DType::kUInt8: return &check_labels<uint8_t>;
    default: throw no_dtype("sparse_softmax_cross_entropy", dtype);
  }
}

template <class T>
std::unique_ptr<Step> make_sparse_cross_entropy(const Type& logits, DType label_dtype) {
  const int64_t n = logits.shape[logits.rank - 1], rows = product(logits, 0, logits.rank - 1);
  const auto function = functions<T>().sparse_cross_entropy;
  const auto check = label_check(label_dtype);
  return make_step([=](const Operands& operands, ThreadPool& pool) -> Status {
    // All labels before any work: few numbers, and the first wrong one is found whatever the
    // threads do.
    const Status status = check(operands.in[1], rows, n);
    if (status.code != Status::kOk) return status;
    run_parts(pool, rows, lines_per_part(n), [&](int64_t first, int64_t last) {
      function(static_cast<const T*>(operands.in[0]), operands.in[1], label_dtype,
               static_cast<T*>(operands.out[0]), n, first, last);
    });
    return status;
  });
}

std::unique_ptr<Step> bind_sparse_cross_entropy(Binding& binding) {
  require_cross_entropy(binding, "sparse_softmax_cross_entropy");
  const Type& logits = binding.inputs()[0];
  const DType labels = binding.inputs()[1].dtype;
  require(binding.inputs()[1].count() == binding.outputs()[0].count(),
          "sparse_softmax_cross_entropy", "there must be one label per row of the logits");
  if (logits.dtype == DType::kFloat32) return make_sparse_cross_entropy<float>(logits, labels);
  if (logits.dtype == DType::kFloat64) return make_sparse_cross_entropy<double>(logits, labels);
  throw no_dtype("sparse_softmax_cross_entropy", logits.dtype);
}

const KernelEntry entries[] = {
    {"softmax", &bind_softmax},
    {"log_softmax", &bind_log_softmax},
    {"softmax_grad", &bind_softmax_grad},
    {"log_softmax_grad", &bind_log_softmax_grad},
    {"softmax_cross_entropy", &bind_cross_entropy},
    {"sparse_softmax_cross_entropy", &bind_sparse_cross_entropy},
};

}  // namespace
}  // namespace symk::cpu
