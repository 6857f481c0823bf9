// cumsum, cumprod and linear_recurrence along an axis. Lines that lie beside each other, and short
// ones, are taken by a thread each; a long line by a block, whose threads take stretches of it one
// behind the other. Floats accumulate in double, integers modulo 2^64.
#include "cpu/require.h"
#include "cuda/device.h"
#include "cuda/fold.h"
#include "cuda/item.h"

namespace symk::cuda {
namespace {

/// Operands (outer, n, inner).
struct LineForm {
  int64_t outer = 1, n = 0, inner = 1;
  bool reverse = false;

  /// The place of step `k` of a line.
  SYMK_HD int64_t place(int64_t line, int64_t k) const {
    const int64_t row = reverse ? n - 1 - k : k;
    return (line / inner * n + row) * inner + line % inner;
  }
};

// Each op: what a stretch of a line does to the total that comes into it, and how two stretches are
// one.

template <class T>
struct CumulativeSum {
  using Total = Wide<T>;
  using Change = Wide<T>;
  SYMK_HD static Total start() { return 0; }
  SYMK_HD static Change nothing() { return 0; }
  SYMK_HD static Change of(T a, T) { return static_cast<Change>(a); }
  SYMK_HD static Change join(Change a, Change b) { return a + b; }
  SYMK_HD static Total apply(Total total, Change change) { return total + change; }
};
template <class T>
struct CumulativeProduct {
  using Total = Wide<T>;
  using Change = Wide<T>;
  SYMK_HD static Total start() { return 1; }
  SYMK_HD static Change nothing() { return 1; }
  SYMK_HD static Change of(T a, T) { return static_cast<Change>(a); }
  SYMK_HD static Change join(Change a, Change b) { return a * b; }
  SYMK_HD static Total apply(Total total, Change change) { return total * change; }
};
/// y <- a y + b.
template <class T>
struct Recurrence {
  using Total = double;
  struct Change {
    double factor, term;
  };
  SYMK_HD static Total start() { return 0; }
  SYMK_HD static Change nothing() { return {1, 0}; }
  SYMK_HD static Change of(T a, T b) { return {static_cast<double>(a), static_cast<double>(b)}; }
  SYMK_HD static Change join(Change a, Change b) {
    return {a.factor * b.factor, b.factor * a.term + b.term};
  }
  SYMK_HD static Total apply(Total total, Change change) {
    return change.factor * total + change.term;
  }
};

template <class Op, class T>
struct LineByThread {
  LineForm form;
  const T *a, *b;
  T* y;
  SYMK_HD void operator()(int64_t line) const {
    typename Op::Total total = Op::start();
    for (int64_t k = 0; k < form.n; ++k) {
      const int64_t at = form.place(line, k);
      total = Op::apply(total, Op::of(a[at], b[at]));
      y[at] = static_cast<T>(total);
    }
  }
};

template <class Op, class T>
struct LineByBlock {
  LineForm form;
  const T *a, *b;
  T* y;
  SYMK_HD void operator()(int64_t line) const {
    __shared__ typename Op::Change changes[kFoldThreads];
    const int64_t run = (form.n + kFoldThreads - 1) / kFoldThreads, first = threadIdx.x * run;
    const int64_t last = first + run < form.n ? first + run : form.n;
    typename Op::Change change = Op::nothing();
    for (int64_t k = first; k < last; ++k) {
      const int64_t at = form.place(line, k);
      change = Op::join(change, Op::of(a[at], b[at]));
    }
    changes[threadIdx.x] = change;
    __syncthreads();
    typename Op::Total total = Op::start();
    for (int i = 0; i < static_cast<int>(threadIdx.x); ++i) total = Op::apply(total, changes[i]);
    __syncthreads();  // y may lie over a: all have read
    for (int64_t k = first; k < last; ++k) {
      const int64_t at = form.place(line, k);
      total = Op::apply(total, Op::of(a[at], b[at]));
      y[at] = static_cast<T>(total);
    }
  }
};

constexpr int64_t kLongLine = 2048;

template <template <class> class Op>
std::unique_ptr<Step> bind_lines(Binding& binding, const char* name, size_t inputs) {
  cpu::require_operands(binding, name, inputs, 1);
  const Type& y = binding.outputs()[0];
  for (const Type& operand : binding.inputs()) {
    cpu::require_dtype(operand, y.dtype, name);
    cpu::require(cpu::same_shape(operand, y), name, "the shapes must agree");
  }
  const int axis = cpu::axis_inside(binding, y, name);
  LineForm form;
  for (int i = 0; i < axis; ++i) form.outer *= y.shape[i];
  for (int i = axis + 1; i < y.rank; ++i) form.inner *= y.shape[i];
  form.n = y.shape[axis];
  form.reverse = binding.integer("reverse") != 0;
  const int second = static_cast<int>(inputs) - 1;  // for one operand, it once more
  const auto refuse = [&]() -> std::unique_ptr<Step> { throw cpu::no_dtype(name, y.dtype); };
  return with_number(
      y.dtype,
      [&](auto tag) -> std::unique_ptr<Step> {
        using T = typename decltype(tag)::type;
        if (std::is_integral_v<T> && inputs == 2) return refuse();
        return make_step(binding, [=](const Queue& queue, const Operands& operands) {
          const T *a = input<T>(operands, 0), *b = input<T>(operands, second);
          T* const result = output<T>(operands, 0);
          if (form.n >= kLongLine) {
            blocks(queue, form.outer * form.inner, kFoldThreads, 0,
                   LineByBlock<Op<T>, T>{form, a, b, result});
          } else {
            each(queue, form.outer * form.inner, LineByThread<Op<T>, T>{form, a, b, result});
          }
        });
      },
      refuse);
}

const KernelEntry entries[] = {
    {"cumsum", [](Binding& b) { return bind_lines<CumulativeSum>(b, "cumsum", 1); }},
    {"cumprod", [](Binding& b) { return bind_lines<CumulativeProduct>(b, "cumprod", 1); }},
    {"linear_recurrence",
     [](Binding& b) { return bind_lines<Recurrence>(b, "linear_recurrence", 2); }},
};

}  // namespace
}  // namespace symk::cuda
