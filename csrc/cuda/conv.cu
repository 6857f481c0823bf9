// Convolutions of one to three axes, channels last, and their two gradients, as matrix products
// whose operands are gathered while tiles are loaded (implicit GEMM). Groups of few channels, such
// as depthwise ones, would fill no tile: a thread gathers each of their results.
#include "cpu/conv_geometry.h"
#include "cuda/epilogue.h"
#include "cuda/tile.h"

namespace symk::cuda {
namespace {

/// One axis: y[o] = sum over t of x[o * stride + t * dilation - before] * w[t].
struct Axis {
  int32_t x, y, kernel, stride, dilation, before;
};

/// A position on three axes.
struct Position {
  int64_t image;
  int32_t plane, row, column;
};

/// A convolution as kernels take it.
struct Geometry {
  int64_t batch, groups, in, out;  // channels of one group
  Axis planes, rows, columns;

  SYMK_BOTH int64_t taps() const { return int64_t{planes.kernel} * rows.kernel * columns.kernel; }
  SYMK_BOTH int64_t x_pixels() const { return int64_t{planes.x} * rows.x * columns.x; }
  SYMK_BOTH int64_t y_pixels() const { return int64_t{planes.y} * rows.y * columns.y; }

  SYMK_HD Position y_position(int64_t pixel) const {
    Position p;
    p.column = static_cast<int32_t>(pixel % columns.y);
    pixel /= columns.y;
    p.row = static_cast<int32_t>(pixel % rows.y);
    pixel /= rows.y;
    p.plane = static_cast<int32_t>(pixel % planes.y);
    p.image = pixel / planes.y;
    return p;
  }
  SYMK_HD Position x_position(int64_t pixel) const {
    Position p;
    p.column = static_cast<int32_t>(pixel % columns.x);
    pixel /= columns.x;
    p.row = static_cast<int32_t>(pixel % rows.x);
    pixel /= rows.x;
    p.plane = static_cast<int32_t>(pixel % planes.x);
    p.image = pixel / planes.x;
    return p;
  }

  /// The pixel of x that tap `tap` of the result at `p` sees, or -1 in the padding.
  SYMK_HD int64_t x_pixel(const Position& p, int64_t tap) const {
    const int64_t column = seen(columns, p.column, tap % columns.kernel);
    const int64_t row = seen(rows, p.row, tap / columns.kernel % rows.kernel);
    const int64_t plane = seen(planes, p.plane, tap / columns.kernel / rows.kernel);
    if (column < 0 || row < 0 || plane < 0) return -1;
    return ((p.image * planes.x + plane) * rows.x + row) * columns.x + column;
  }
  /// The pixel of y that sees x at `p` by tap `tap`, or -1.
  SYMK_HD int64_t y_pixel(const Position& p, int64_t tap) const {
    const int64_t column = seeing(columns, p.column, tap % columns.kernel);
    const int64_t row = seeing(rows, p.row, tap / columns.kernel % rows.kernel);
    const int64_t plane = seeing(planes, p.plane, tap / columns.kernel / rows.kernel);
    if (column < 0 || row < 0 || plane < 0) return -1;
    return ((p.image * planes.y + plane) * rows.y + row) * columns.y + column;
  }

 private:
  SYMK_HD static int64_t seen(const Axis& axis, int64_t o, int64_t tap) {
    const int64_t i = o * axis.stride + tap * axis.dilation - axis.before;
    return i < axis.x ? i : -1;
  }
  SYMK_HD static int64_t seeing(const Axis& axis, int64_t i, int64_t tap) {
    const int64_t distance = i + axis.before - tap * axis.dilation;
    if (distance < 0 || distance % axis.stride != 0) return -1;
    return distance / axis.stride < axis.y ? distance / axis.stride : -1;
  }
};

Axis axis_of(const cpu::ConvAxis& axis) {
  return {static_cast<int32_t>(axis.x),        static_cast<int32_t>(axis.y),
          static_cast<int32_t>(axis.kernel),   static_cast<int32_t>(axis.stride),
          static_cast<int32_t>(axis.dilation), static_cast<int32_t>(axis.before)};
}

Geometry geometry_of(const cpu::ConvShape& shape) {
  Geometry geometry = {};
  geometry.batch = shape.batch;
  geometry.groups = shape.groups;
  geometry.in = shape.in;
  geometry.out = shape.out;
  geometry.planes = axis_of(shape.planes);
  geometry.rows = axis_of(shape.rows);
  geometry.columns = axis_of(shape.columns);
  return geometry;
}

// --- sources of tiles; `group` is the one that they are for ---

/// y: rows are pixels of y, columns channels of the result, the depth taps and channels of x.
template <class T>
struct Forward {
  static constexpr bool kAlongDepthA = true, kAlongColumnB = true;
  Geometry geometry;
  int64_t group;
  const T *x, *w;
  T *y, *sums;
  Epilogue<T> epilogue;

  SYMK_HD T a(int64_t row, int64_t depth) const {
    const int64_t pixel = geometry.x_pixel(geometry.y_position(row), depth / geometry.in);
    if (pixel < 0) return T(0);
    return x[pixel * geometry.groups * geometry.in + group * geometry.in + depth % geometry.in];
  }
  SYMK_HD T b(int64_t depth, int64_t column) const {
    return w[depth * geometry.groups * geometry.out + group * geometry.out + column];
  }
  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    const int64_t channel = group * geometry.out + column;
    const int64_t at = row * geometry.groups * geometry.out + channel;
    if (sums != nullptr) {
      const int64_t count = geometry.batch * geometry.y_pixels() * geometry.groups * geometry.out;
      sums[piece * count + at] = sum;
    } else {
      y[at] = epilogue(sum, channel, at);
    }
  }
};

/// dx: rows are pixels of x, columns channels of x, the depth taps and channels of g.
template <class T>
struct InputGrad {
  static constexpr bool kAlongDepthA = true, kAlongColumnB = false;
  Geometry geometry;
  int64_t group;
  const T *g, *w;
  T *dx, *sums;

  SYMK_HD T a(int64_t row, int64_t depth) const {
    const int64_t pixel = geometry.y_pixel(geometry.x_position(row), depth / geometry.out);
    if (pixel < 0) return T(0);
    return g[pixel * geometry.groups * geometry.out + group * geometry.out + depth % geometry.out];
  }
  SYMK_HD T b(int64_t depth, int64_t column) const {
    const int64_t tap = depth / geometry.out, channel = depth % geometry.out;
    return w[(tap * geometry.in + column) * geometry.groups * geometry.out + group * geometry.out +
             channel];
  }
  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    const int64_t at = (row * geometry.groups + group) * geometry.in + column;
    if (sums != nullptr) {
      sums[piece * geometry.batch * geometry.x_pixels() * geometry.groups * geometry.in + at] = sum;
    } else {
      dx[at] = sum;
    }
  }
};

/// dw: rows are taps and channels of x, columns channels of g, the depth pixels of y.
template <class T>
struct KernelGrad {
  static constexpr bool kAlongDepthA = false, kAlongColumnB = true;
  Geometry geometry;
  int64_t group;
  const T *x, *g;
  T *dw, *sums;

  SYMK_HD T a(int64_t row, int64_t depth) const {
    const int64_t pixel = geometry.x_pixel(geometry.y_position(depth), row / geometry.in);
    if (pixel < 0) return T(0);
    return x[pixel * geometry.groups * geometry.in + group * geometry.in + row % geometry.in];
  }
  SYMK_HD T b(int64_t depth, int64_t column) const {
    return g[depth * geometry.groups * geometry.out + group * geometry.out + column];
  }
  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    const int64_t at = (row * geometry.groups + group) * geometry.out + column;
    if (sums != nullptr) {
      sums[piece * geometry.taps() * geometry.in * geometry.groups * geometry.out + at] = sum;
    } else {
      dw[at] = sum;
    }
  }
};

// --- groups of few channels: a thread per result ---

template <class T>
struct GatherForward {
  Forward<T> source;
  bool rounds;
  SYMK_HD void operator()(int64_t i) const {
    Forward<T> own = source;
    const Geometry& geometry = source.geometry;
    const int64_t channels = geometry.groups * geometry.out;
    const int64_t pixel = i / channels, channel = i % channels;
    const Position p = geometry.y_position(pixel);
    own.group = channel / geometry.out;
    T sum = 0;
    for (int64_t tap = 0; tap < geometry.taps(); ++tap) {
      const int64_t seen = geometry.x_pixel(p, tap);
      if (seen < 0) continue;
      const T* const from = own.x + (seen * geometry.groups + own.group) * geometry.in;
      for (int64_t c = 0; c < geometry.in; ++c)
        sum =
            math::fma(as_factor(from[c], rounds),
                      as_factor(own.w[(tap * geometry.in + c) * channels + channel], rounds), sum);
    }
    own.finish(pixel, channel % geometry.out, sum, 0);
  }
};

template <class T>
struct GatherInputGrad {
  InputGrad<T> source;
  bool rounds;
  SYMK_HD void operator()(int64_t i) const {
    InputGrad<T> own = source;
    const Geometry& geometry = source.geometry;
    const int64_t channels = geometry.groups * geometry.in;
    const int64_t pixel = i / channels, channel = i % channels, column = channel % geometry.in;
    const Position p = geometry.x_position(pixel);
    own.group = channel / geometry.in;
    T sum = 0;
    for (int64_t tap = 0; tap < geometry.taps(); ++tap) {
      const int64_t seeing = geometry.y_pixel(p, tap);
      if (seeing < 0) continue;
      const T* const from = own.g + (seeing * geometry.groups + own.group) * geometry.out;
      for (int64_t c = 0; c < geometry.out; ++c)
        sum = math::fma(as_factor(from[c], rounds),
                        as_factor(own.b(tap * geometry.out + c, column), rounds), sum);
    }
    own.finish(pixel, column, sum, 0);
  }
};

/// A thread per element of dw and piece of the pixels of y.
template <class T>
struct GatherKernelGrad {
  KernelGrad<T> source;
  int64_t depth, piece_depth;
  bool rounds;
  SYMK_HD void operator()(int64_t i) const {
    KernelGrad<T> own = source;
    const Geometry& geometry = source.geometry;
    const int64_t channels = geometry.groups * geometry.out;
    const int64_t channel = i % channels, row = i / channels % (geometry.taps() * geometry.in);
    const int64_t piece = i / channels / (geometry.taps() * geometry.in);
    own.group = channel / geometry.out;
    const int64_t first = piece * piece_depth;
    const int64_t last = first + piece_depth < depth ? first + piece_depth : depth;
    T sum = 0;
    for (int64_t d = first; d < last; ++d)
      sum = math::fma(as_factor(own.a(row, d), rounds),
                      as_factor(own.b(d, channel % geometry.out), rounds), sum);
    own.finish(row, channel % geometry.out, sum, piece);
  }
};

template <class T>
struct FinishForward {
  T* y;
  int64_t channels;
  Epilogue<T> epilogue;
  SYMK_HD void operator()(int64_t i, T sum) const { y[i] = epilogue(sum, i % channels, i); }
};
template <class T>
struct FinishGrad {
  T* to;
  SYMK_HD void operator()(int64_t i, T sum) const { to[i] = sum; }
};

constexpr int64_t kFewChannels = 16;  // columns of a group that do not fill a tile

/// What the three kernels share: how the product of a group is cut, and where sums of pieces go.
class ConvStep : public Step {
 protected:
  ConvStep(const Binding& binding, const char* kernel, const cpu::ConvShape& shape)
      : kernel_(kernel), queue_(queue_of(binding)), geometry_(geometry_of(shape)) {}

  void cut(Binding& binding, const ProductSize& size, int64_t columns, int64_t results,
           int64_t item) {
    size_ = size;
    results_ = results;
    gathers_ = geometry_.groups > 1 && columns < kFewChannels;
    cut_ = ProductCut::of(size, geometry_.groups, item == 8);
    if (gathers_) cut_ = ProductCut();
    cut_.rounds = rounds_products(binding, kernel_);
    if (cut_.pieces > 1)
      binding.need_scratch(checked_multiply(checked_multiply(cut_.pieces, results), item));
  }

  template <class T, class Source, class Finish>
  void run_groups(Source source, const Operands& operands, const Finish& finish) const {
    source.sums = cut_.pieces > 1 ? static_cast<T*>(operands.scratch) : nullptr;
    for (source.group = 0; source.group < geometry_.groups; ++source.group)
      run_product<T>(queue_, source, size_, cut_);
    add_pieces<T>(source.sums, finish);
  }

  template <class T, class Finish>
  void add_pieces(const T* sums, const Finish& finish) const {
    if (cut_.pieces > 1)
      each(queue_, results_, AddPieces<T, Finish>{sums, cut_.pieces, results_, finish});
  }

  const char* const kernel_;
  const Queue queue_;
  const Geometry geometry_;
  ProductSize size_;
  ProductCut cut_;
  int64_t results_ = 0;
  bool gathers_ = false;
};

template <class T>
class ForwardStep final : public ConvStep {
 public:
  static constexpr const char* name = "conv";
  explicit ForwardStep(Binding& binding)
      : ConvStep(binding, name,
                 cpu::read_conv_shape(binding, name, binding.inputs()[0], binding.inputs()[1],
                                      binding.outputs()[0])),
        epilogue_(binding, name) {
    const Geometry& g = geometry_;
    const int64_t pixels = g.batch * g.y_pixels();
    cut(binding, {pixels, g.out, g.taps() * g.in}, g.out, pixels * g.groups * g.out, sizeof(T));
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Epilogue<T> epilogue = epilogue_.of(operands);
    T* const y = output<T>(operands, 0);
    const Forward<T> source = {geometry_, 0,       input<T>(operands, 0), input<T>(operands, 1), y,
                               nullptr,   epilogue};
    if (gathers_) {
      each(queue_, results_, GatherForward<T>{source, cut_.rounds});
    } else {
      run_groups<T>(source, operands,
                    FinishForward<T>{y, geometry_.groups * geometry_.out, epilogue});
    }
    return {};
  }

 private:
  const EpilogueOperands<T> epilogue_;
};

template <class T>
class InputGradStep final : public ConvStep {
 public:
  static constexpr const char* name = "conv_grad_input";
  explicit InputGradStep(Binding& binding)
      : ConvStep(binding, name,
                 cpu::read_conv_shape(binding, name, binding.outputs()[0], binding.inputs()[1],
                                      binding.inputs()[0])) {
    const Geometry& g = geometry_;
    const int64_t pixels = g.batch * g.x_pixels();
    cut(binding, {pixels, g.in, g.taps() * g.out}, g.in, pixels * g.groups * g.in, sizeof(T));
  }

  Status run(const Operands& operands, ThreadPool&) override {
    T* const dx = output<T>(operands, 0);
    const InputGrad<T> source = {geometry_, 0,      input<T>(operands, 0), input<T>(operands, 1),
                                 dx,        nullptr};
    if (gathers_) {
      each(queue_, results_, GatherInputGrad<T>{source, cut_.rounds});
    } else {
      run_groups<T>(source, operands, FinishGrad<T>{dx});
    }
    return {};
  }
};

template <class T>
class KernelGradStep final : public ConvStep {
 public:
  static constexpr const char* name = "conv_grad_kernel";
  explicit KernelGradStep(Binding& binding)
      : ConvStep(binding, name,
                 cpu::read_conv_shape(binding, name, binding.inputs()[0], binding.outputs()[0],
                                      binding.inputs()[1])) {
    const Geometry& g = geometry_;
    cut(binding, {g.taps() * g.in, g.out, g.batch * g.y_pixels()}, g.out,
        g.taps() * g.in * g.groups * g.out, sizeof(T));
    if (gathers_) cut_gathered(binding);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    T* const dw = output<T>(operands, 0);
    KernelGrad<T> source = {geometry_, 0,      input<T>(operands, 0), input<T>(operands, 1),
                            dw,        nullptr};
    if (!gathers_) {
      run_groups<T>(source, operands, FinishGrad<T>{dw});
      return {};
    }
    source.sums = cut_.pieces > 1 ? static_cast<T*>(operands.scratch) : nullptr;
    each(queue_, results_ * cut_.pieces,
         GatherKernelGrad<T>{source, size_.depth, cut_.piece_depth, cut_.rounds});
    add_pieces<T>(source.sums, FinishGrad<T>{dw});
    return {};
  }

 private:
  /// Sums of short runs of pixels, so that there are threads enough and rounding stays small.
  void cut_gathered(Binding& binding) {
    constexpr int64_t run = 256;
    cut_.piece_depth = run;
    cut_.pieces = std::max<int64_t>(1, (size_.depth + run - 1) / run);
    if (cut_.pieces > 1)
      binding.need_scratch(checked_multiply(checked_multiply(cut_.pieces, results_), sizeof(T)));
  }
};

template <template <class> class Made>
std::unique_ptr<Step> bind(Binding& binding) {
  constexpr const char* name = Made<float>::name;
  cpu::require(binding.inputs().size() >= 2 && binding.outputs().size() == 1, name,
               "the number of inputs and outputs must be the kernel's");
  const DType dtype = binding.outputs()[0].dtype;
  if (cpu::float_place(name, dtype) == 0) return std::make_unique<Made<float>>(binding);
  return std::make_unique<Made<double>>(binding);
}

const KernelEntry entries[] = {
    {"conv", bind<ForwardStep>},
    {"conv_grad_input", bind<InputGradStep>},
    {"conv_grad_kernel", bind<KernelGradStep>},
};

}  // namespace
}  // namespace symk::cuda
