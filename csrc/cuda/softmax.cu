// Softmax and its relatives over lines of an array. Lines of neighbouring memory are worked on by a
// block each; short ones, and lines that lie beside each other, by a thread each.
#include <algorithm>

#include "cpu/require.h"
#include "cuda/fault.h"
#include "cuda/fold.h"
#include "cuda/item.h"

namespace symk::cuda {
namespace {

constexpr int64_t kBlockLine = 64;  // elements from which on a line is worth a block

/// The elements of one line that this thread looks at, and what the threads of a line find
/// together.
struct OneThread {
  SYMK_HD static int64_t first() { return 0; }
  SYMK_HD static int64_t step() { return 1; }
  template <class Op>
  SYMK_HD static typename Op::Total fold(typename Op::Total total) {
    return total;
  }
};
struct WholeBlock {
  SYMK_HD static int64_t first() { return threadIdx.x; }
  SYMK_HD static int64_t step() { return kFoldThreads; }
  template <class Op>
  SYMK_HD static typename Op::Total fold(typename Op::Total total) {
    return fold_block<Op>(total);
  }
};

/// The fold of value(i) over a line, for all its threads.
template <class Op, class Threads, class Value>
SYMK_HD typename Op::Total fold_line(int64_t n, Value value) {
  typename Op::Total total = Op::start();
  for (int64_t i = Threads::first(); i < n; i += Threads::step()) total = Op::fold(total, value(i));
  return Threads::template fold<Op>(total);
}

/// Lines of n elements, `inner` apart.
struct Lines {
  int64_t n, inner;
  SYMK_HD int64_t start(int64_t line) const { return line / inner * n * inner + line % inner; }
};

/// The largest of a line and the sum of exp(x - largest).
template <class T>
struct Moments {
  T largest;
  double sum;
};
template <class T, class Threads>
SYMK_HD Moments<T> moments_of(const T* x, int64_t n, int64_t inner) {
  const T largest = fold_line<Max<T>, Threads>(n, [&](int64_t i) { return x[i * inner]; });
  const double sum = fold_line<Sum<double>, Threads>(
      n, [&](int64_t i) { return static_cast<double>(math::exp(x[i * inner] - largest)); });
  return {largest, sum};
}

template <class T, class Threads>
struct Softmax {
  Lines lines;
  const T *x, *unused;
  T* y;
  SYMK_HD void operator()(int64_t line) const {
    const int64_t start = lines.start(line), inner = lines.inner;
    const Moments<T> m = moments_of<T, Threads>(x + start, lines.n, inner);
    const T scale = static_cast<T>(1.0 / m.sum);
    for (int64_t i = Threads::first(); i < lines.n; i += Threads::step())
      y[start + i * inner] = math::exp(x[start + i * inner] - m.largest) * scale;
  }
};

template <class T, class Threads>
struct LogSoftmax {
  Lines lines;
  const T *x, *unused;
  T* y;
  SYMK_HD void operator()(int64_t line) const {
    const int64_t start = lines.start(line), inner = lines.inner;
    const Moments<T> m = moments_of<T, Threads>(x + start, lines.n, inner);
    const T logarithm = static_cast<T>(math::log(m.sum));
    // The shift first: its difference from x is exact where both are large.
    for (int64_t i = Threads::first(); i < lines.n; i += Threads::step())
      y[start + i * inner] = x[start + i * inner] - m.largest - logarithm;
  }
};

/// (g - sum(g y)) y.
template <class T, class Threads>
struct SoftmaxGrad {
  Lines lines;
  const T *y, *g;
  T* dx;
  SYMK_HD void operator()(int64_t line) const {
    const int64_t start = lines.start(line), inner = lines.inner;
    const double sum = fold_line<Sum<double>, Threads>(lines.n, [&](int64_t i) {
      const int64_t at = start + i * inner;
      return static_cast<double>(g[at]) * static_cast<double>(y[at]);
    });
    for (int64_t i = Threads::first(); i < lines.n; i += Threads::step()) {
      const int64_t at = start + i * inner;
      dx[at] = (g[at] - static_cast<T>(sum)) * y[at];
    }
  }
};

/// g - exp(y) sum(g).
template <class T, class Threads>
struct LogSoftmaxGrad {
  Lines lines;
  const T *y, *g;
  T* dx;
  SYMK_HD void operator()(int64_t line) const {
    const int64_t start = lines.start(line), inner = lines.inner;
    const double sum = fold_line<Sum<double>, Threads>(
        lines.n, [&](int64_t i) { return static_cast<double>(g[start + i * inner]); });
    for (int64_t i = Threads::first(); i < lines.n; i += Threads::step()) {
      const int64_t at = start + i * inner;
      dx[at] = g[at] - math::exp(y[at]) * static_cast<T>(sum);
    }
  }
};

template <class T, class Threads>
struct CrossEntropy {
  Lines lines;
  const T *logits, *targets;
  T* y;
  SYMK_HD void operator()(int64_t line) const {
    const int64_t start = line * lines.n;
    const Moments<T> m = moments_of<T, Threads>(logits + start, lines.n, 1);
    const T logarithm = static_cast<T>(math::log(m.sum));
    const double sum = fold_line<Sum<double>, Threads>(lines.n, [&](int64_t i) {
      const T target = targets[start + i];
      const T cost = logarithm - (logits[start + i] - m.largest);
      // The cost of a class that is masked is infinite; where it is no target, it counts nothing.
      if (target == T(0) && cost == math::Format<T>::infinity) return 0.0;
      return static_cast<double>(target) * static_cast<double>(cost);
    });
    if (Threads::first() == 0) y[line] = static_cast<T>(sum);
  }
};

template <class T, class I, class Threads>
struct SparseCrossEntropy {
  Lines lines;
  const T* logits;
  const I* labels;
  T* y;
  SYMK_HD void operator()(int64_t line) const {
    const int64_t start = line * lines.n, label = static_cast<int64_t>(labels[line]);
    const Moments<T> m = moments_of<T, Threads>(logits + start, lines.n, 1);
    if (Threads::first() != 0 || label < 0 || label >= lines.n) return;
    y[line] = static_cast<T>(math::log(m.sum)) - (logits[start + label] - m.largest);
  }
};

template <template <class, class> class Kernel, class T>
std::unique_ptr<Step> line_step(const Binding& binding, int64_t outer, int64_t n, int64_t inner) {
  const int64_t count = outer * inner;
  const bool by_block = inner == 1 && n >= kBlockLine;
  const size_t last = binding.inputs().size() - 1;
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    const T* const a = input<T>(operands, 0);
    const T* const b = static_cast<const T*>(operands.in[last]);
    T* const y = output<T>(operands, 0);
    if (by_block) {
      blocks(queue, count, kFoldThreads, 0, Kernel<T, WholeBlock>{{n, inner}, a, b, y});
    } else {
      each(queue, count, Kernel<T, OneThread>{{n, inner}, a, b, y});
    }
  });
}

int64_t product(const Type& type, int first, int last) {
  int64_t product = 1;
  for (int axis = first; axis < last; ++axis) product *= type.shape[axis];
  return product;
}

template <template <class, class> class Kernel>
std::unique_ptr<Step> bind_lines(Binding& binding, const char* name, size_t inputs) {
  cpu::require_operands(binding, name, inputs, 1);
  const Type& x = binding.inputs()[0];
  for (const Type& other : {binding.inputs().back(), binding.outputs()[0]}) {
    cpu::require_dtype(other, x.dtype, name);
    cpu::require(cpu::same_shape(other, x), name, "the shapes must agree");
  }
  const int axis = cpu::axis_inside(binding, x, name);
  const int64_t outer = product(x, 0, axis), inner = product(x, axis + 1, x.rank);
  return cpu::float_place(name, x.dtype) == 0
             ? line_step<Kernel, float>(binding, outer, x.shape[axis], inner)
             : line_step<Kernel, double>(binding, outer, x.shape[axis], inner);
}

/// Two operands, and a result with the shape of the logits but for the last axis.
void require_cross_entropy(const Binding& binding, const char* name) {
  cpu::require_operands(binding, name, 2, 1);
  const Type& logits = binding.inputs()[0];
  const Type& losses = binding.outputs()[0];
  cpu::require_dtype(losses, logits.dtype, name);
  cpu::require(logits.rank > 0 && losses.count() == product(logits, 0, logits.rank - 1), name,
               "there must be one loss per row of the logits");
}

std::unique_ptr<Step> bind_cross_entropy(Binding& binding) {
  constexpr const char* name = "softmax_cross_entropy";
  require_cross_entropy(binding, name);
  const Type& logits = binding.inputs()[0];
  cpu::require_dtype(binding.inputs()[1], logits.dtype, name);
  cpu::require(cpu::same_shape(binding.inputs()[1], logits), name, "the shapes must agree");
  const int64_t n = logits.shape[logits.rank - 1], rows = product(logits, 0, logits.rank - 1);
  return cpu::float_place(name, logits.dtype) == 0
             ? line_step<CrossEntropy, float>(binding, rows, n, 1)
             : line_step<CrossEntropy, double>(binding, rows, n, 1);
}

template <class T, class I>
std::unique_ptr<Step> sparse_step(const Binding& binding) {
  const Type& logits = binding.inputs()[0];
  const int64_t n = logits.shape[logits.rank - 1], rows = product(logits, 0, logits.rank - 1);
  return make_checked_step(binding, [=](const Queue& queue, const Operands& operands) {
    const I* const labels = input<I>(operands, 1);
    check_indices(queue, labels, rows, IndexRange{0, n}, operands.fault);
    const T* const x = input<T>(operands, 0);
    T* const y = output<T>(operands, 0);
    if (n >= kBlockLine) {
      blocks(queue, rows, kFoldThreads, 0,
             SparseCrossEntropy<T, I, WholeBlock>{{n, 1}, x, labels, y});
    } else {
      each(queue, rows, SparseCrossEntropy<T, I, OneThread>{{n, 1}, x, labels, y});
    }
  });
}

std::unique_ptr<Step> bind_sparse_cross_entropy(Binding& binding) {
  constexpr const char* name = "sparse_softmax_cross_entropy";
  require_cross_entropy(binding, name);
  const Type& labels = binding.inputs()[1];
  cpu::require(labels.count() == binding.outputs()[0].count(), name,
               "there must be one label per row of the logits");
  const bool narrow = cpu::float_place(name, binding.inputs()[0].dtype) == 0;
  return with_index(name, labels.dtype, [&](auto tag) {
    using I = typename decltype(tag)::type;
    return narrow ? sparse_step<float, I>(binding) : sparse_step<double, I>(binding);
  });
}

const KernelEntry entries[] = {
    {"softmax", [](Binding& b) { return bind_lines<Softmax>(b, "softmax", 1); }},
    {"log_softmax", [](Binding& b) { return bind_lines<LogSoftmax>(b, "log_softmax", 1); }},
    {"softmax_grad", [](Binding& b) { return bind_lines<SoftmaxGrad>(b, "softmax_grad", 2); }},
    {"log_softmax_grad",
     [](Binding& b) { return bind_lines<LogSoftmaxGrad>(b, "log_softmax_grad", 2); }},
    {"softmax_cross_entropy", bind_cross_entropy},
    {"sparse_softmax_cross_entropy", bind_sparse_cross_entropy},
};

}  // namespace
}  // namespace symk::cuda
