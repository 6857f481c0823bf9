// Batch normalisation and its gradient, channels last: sums of pieces of the rows by threads that
// each take one channel, added in order in double; then one pass that writes the result.
#include <algorithm>

#include "cpu/require.h"
#include "cuda/device.h"
#include "cuda/launch.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

struct NormSize {
  int64_t rows = 1, channels = 0, pieces = 1, piece = 1;  // pieces of the rows, and rows of one
  double epsilon = 0;
};

/// The first row: near enough to the mean that the variance loses nothing to cancellation.
template <class T>
SYMK_HD T shift_of(const T* x, const NormSize& size, int64_t channel) {
  if (size.rows == 0) return T(0);
  return math::abs(x[channel]) < math::Format<T>::infinity ? x[channel] : T(0);
}

/// Per piece and channel, the sums of x - shift and its square.
template <class T>
struct Moments {
  NormSize size;
  const T* x;
  double* sums;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t channel = i % size.channels, piece = i / size.channels;
    const int64_t first = piece * size.piece;
    const int64_t last = first + size.piece < size.rows ? first + size.piece : size.rows;
    const double shift = static_cast<double>(shift_of(x, size, channel));
    double one = 0, two = 0;
    for (int64_t row = first; row < last; ++row) {
      const double d = static_cast<double>(x[row * size.channels + channel]) - shift;
      one += d;
      two += d * d;
    }
    sums[2 * i] = one;
    sums[2 * i + 1] = two;
  }
};

struct Pair {
  double one = 0, two = 0;
};
SYMK_HD Pair add_pieces(const NormSize& size, const double* sums, int64_t channel) {
  Pair total;
  for (int64_t piece = 0; piece < size.pieces; ++piece) {
    total.one += sums[2 * (piece * size.channels + channel)];
    total.two += sums[2 * (piece * size.channels + channel) + 1];
  }
  return total;
}

template <class T>
struct FinishMoments {
  NormSize size;
  const T *x, *gamma;
  const double* sums;
  T *mean, *variance, *scale;
  SYMK_HD void operator()(int64_t c) const {
    const Pair total = add_pieces(size, sums, c);
    const double rows = static_cast<double>(size.rows);
    const double off = total.one / rows, spread = total.two / rows - off * off;
    const double squares = spread < 0 ? 0 : spread;
    mean[c] = static_cast<T>(static_cast<double>(shift_of(x, size, c)) + off);
    variance[c] = static_cast<T>(squares);
    scale[c] = static_cast<T>(static_cast<double>(gamma[c]) / math::sqrt(squares + size.epsilon));
  }
};

template <class T>
struct Normalise {
  int64_t channels;
  const T *x, *mean, *scale, *beta;
  T* y;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t c = i % channels;
    y[i] = math::fma(x[i] - mean[c], scale[c], beta[c]);
  }
};

/// Per piece and channel, the sums of g and of g (x - mean).
template <class T>
struct GradSums {
  NormSize size;
  const T *x, *g, *mean;
  double* sums;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t channel = i % size.channels, piece = i / size.channels;
    const int64_t first = piece * size.piece;
    const int64_t last = first + size.piece < size.rows ? first + size.piece : size.rows;
    const double middle = static_cast<double>(mean[channel]);
    double one = 0, two = 0;
    for (int64_t row = first; row < last; ++row) {
      const int64_t at = row * size.channels + channel;
      one += static_cast<double>(g[at]);
      two += static_cast<double>(g[at]) * (static_cast<double>(x[at]) - middle);
    }
    sums[2 * i] = one;
    sums[2 * i + 1] = two;
  }
};

/// With s = 1 / sqrt(variance + epsilon) and n rows: dgamma = s sum(g (x - mean)), dbeta = sum(g),
/// dx = gamma s (g - sum(g) / n - (x - mean) s^2 sum(g (x - mean)) / n).
template <class T>
struct FinishGrad {
  NormSize size;
  const T *gamma, *variance;
  const double* sums;
  T *gamma_grad, *beta_grad;
  double* factors;  // scale, slope and offset of each channel
  SYMK_HD void operator()(int64_t c) const {
    const Pair total = add_pieces(size, sums, c);
    const double rows = static_cast<double>(size.rows);
    const double inverse = 1 / math::sqrt(static_cast<double>(variance[c]) + size.epsilon);
    const double factor = static_cast<double>(gamma[c]) * inverse;
    gamma_grad[c] = static_cast<T>(size.rows > 0 ? total.two * inverse : 0.0);
    beta_grad[c] = static_cast<T>(total.one);
    factors[3 * c] = factor;
    factors[3 * c + 1] = factor * inverse * inverse * total.two / rows;
    factors[3 * c + 2] = factor * total.one / rows;
  }
};

template <class T>
struct InputGrad {
  int64_t channels;
  const T *x, *g, *mean;
  const double* factors;
  T* dx;
  SYMK_HD void operator()(int64_t i) const {
    const int64_t c = i % channels;
    const T scale = static_cast<T>(factors[3 * c]), slope = static_cast<T>(factors[3 * c + 1]),
            offset = static_cast<T>(factors[3 * c + 2]);
    dx[i] = g[i] * scale - (x[i] - mean[c]) * slope - offset;
  }
};

/// Throws Error unless operands are like x or have one element per channel.
void check_operands(const std::vector<Type>& operands, const char* name, const Type& x,
                    const std::vector<size_t>& like_x) {
  for (size_t i = 0; i < operands.size(); ++i) {
    const bool wide = std::find(like_x.begin(), like_x.end(), i) != like_x.end();
    cpu::require_dtype(operands[i], x.dtype, name);
    cpu::require(
        wide ? cpu::same_shape(operands[i], x) : operands[i].count() == x.shape[x.rank - 1], name,
        "x, g and their results must have one shape, the others one element per "
        "channel");
  }
}

NormSize size_of(const Binding& binding, const char* name, const std::vector<size_t>& like_x) {
  const Type& x = binding.inputs()[0];
  cpu::require(x.rank > 0, name, "x must have an axis of channels");
  check_operands(binding.inputs(), name, x, like_x);
  check_operands(binding.outputs(), name, x, {0});
  NormSize size;
  size.channels = x.shape[x.rank - 1];
  for (int axis = 0; axis + 1 < x.rank; ++axis) size.rows *= x.shape[axis];
  constexpr int64_t enough_threads = 128 * 1024, least_rows = 32;
  const int64_t wanted =
      std::min(enough_threads / std::max<int64_t>(1, size.channels), size.rows / least_rows);
  size.piece = std::max<int64_t>(
      1, (size.rows + std::max<int64_t>(1, wanted) - 1) / std::max<int64_t>(1, wanted));
  size.pieces = std::max<int64_t>(1, (size.rows + size.piece - 1) / size.piece);
  size.epsilon = binding.real("epsilon");
  return size;
}

int64_t sum_bytes(const NormSize& size) {
  return aligned_size(size.pieces * size.channels * 2 * static_cast<int64_t>(sizeof(double)));
}

template <class T>
std::unique_ptr<Step> norm_step(Binding& binding) {
  const NormSize size = size_of(binding, "batch_norm", {0});
  binding.need_scratch(sum_bytes(size) + size.channels * static_cast<int64_t>(sizeof(T)));
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    const T *x = input<T>(operands, 0), *gamma = input<T>(operands, 1);
    T *mean = output<T>(operands, 1), *variance = output<T>(operands, 2);
    double* const sums = static_cast<double*>(operands.scratch);
    T* const scale = reinterpret_cast<T*>(static_cast<char*>(operands.scratch) + sum_bytes(size));
    each(queue, size.pieces * size.channels, Moments<T>{size, x, sums});
    each(queue, size.channels, FinishMoments<T>{size, x, gamma, sums, mean, variance, scale});
    each(
        queue, size.rows * size.channels,
        Normalise<T>{size.channels, x, mean, scale, input<T>(operands, 2), output<T>(operands, 0)});
  });
}

template <class T>
std::unique_ptr<Step> norm_grad_step(Binding& binding) {
  const NormSize size = size_of(binding, "batch_norm_grad", {0, 4});
  binding.need_scratch(sum_bytes(size) + 3 * size.channels * static_cast<int64_t>(sizeof(double)));
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    const T *x = input<T>(operands, 0), *mean = input<T>(operands, 2), *g = input<T>(operands, 4);
    double* const sums = static_cast<double*>(operands.scratch);
    double* const factors = sums + sum_bytes(size) / static_cast<int64_t>(sizeof(double));
    each(queue, size.pieces * size.channels, GradSums<T>{size, x, g, mean, sums});
    each(queue, size.channels,
         FinishGrad<T>{size, input<T>(operands, 1), input<T>(operands, 3), sums,
                       output<T>(operands, 1), output<T>(operands, 2), factors});
    each(queue, size.rows * size.channels,
         InputGrad<T>{size.channels, x, g, mean, factors, output<T>(operands, 0)});
  });
}

std::unique_ptr<Step> bind_norm(Binding& binding) {
  cpu::require_operands(binding, "batch_norm", 3, 3);
  return cpu::float_place("batch_norm", binding.inputs()[0].dtype) == 0
             ? norm_step<float>(binding)
             : norm_step<double>(binding);
}
std::unique_ptr<Step> bind_norm_grad(Binding& binding) {
  cpu::require_operands(binding, "batch_norm_grad", 5, 3);
  return cpu::float_place("batch_norm_grad", binding.inputs()[0].dtype) == 0
             ? norm_grad_step<float>(binding)
             : norm_grad_step<double>(binding);
}

const KernelEntry entries[] = {
    {"batch_norm", bind_norm},
    {"batch_norm_grad", bind_norm_grad},
};

}  // namespace
}  // namespace symk::cuda
