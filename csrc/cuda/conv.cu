// Convolutions of one to three axes, channels last, and their two gradients, as matrix products
// whose operands are gathered while tiles are loaded (implicit GEMM). Groups of few channels, such
// as depthwise ones, would fill no tile: a thread gathers each of their results.
#include "cpu/conv_geometry.h"
#include "cuda/divider.h"
#include "cuda/epilogue.h"
#include "cuda/product.h"

namespace symk::cuda {
namespace {

/// One axis: y[o] = sum over t of x[o * stride + t * dilation - before] * w[t].
struct Axis {
  int32_t x = 1, y = 1, kernel = 1, stride = 1, dilation = 1, before = 0;
};

/// A convolution as kernels take it.
struct Geometry {
  int64_t batch, groups, in, out;  // channels of one group
  Axis planes, rows, columns;

  int64_t taps() const { return int64_t{planes.kernel} * rows.kernel * columns.kernel; }
  int64_t x_pixels() const { return int64_t{planes.x} * rows.x * columns.x; }
  int64_t y_pixels() const { return int64_t{planes.y} * rows.y * columns.y; }
};

Axis axis_of(const cpu::ConvAxis& axis) {
  return {static_cast<int32_t>(axis.x),        static_cast<int32_t>(axis.y),
          static_cast<int32_t>(axis.kernel),   static_cast<int32_t>(axis.stride),
          static_cast<int32_t>(axis.dilation), static_cast<int32_t>(axis.before)};
}

/// Positions are numbers of 31 bits on the device.
void require_small(const cpu::ConvShape& shape, const Geometry& g, const char* kernel) {
  constexpr int64_t limit = int64_t{1} << 31;
  bool fits = g.batch * g.x_pixels() < limit && g.batch * g.y_pixels() < limit &&
              g.taps() * std::max(g.in, g.out) < limit;
  for (const cpu::ConvAxis* axis : {&shape.planes, &shape.rows, &shape.columns})
    fits = fits && axis->x + axis->kernel * axis->dilation + axis->stride < limit;
  cpu::require(fits, kernel, "a GPU takes images with fewer than 2^31 positions in all");
}

Geometry geometry_of(const cpu::ConvShape& shape, const char* kernel) {
  Geometry geometry = {};
  geometry.batch = shape.batch;
  geometry.groups = shape.groups;
  geometry.in = shape.in;
  geometry.out = shape.out;
  geometry.planes = axis_of(shape.planes);
  geometry.rows = axis_of(shape.rows);
  geometry.columns = axis_of(shape.columns);
  require_small(shape, geometry, kernel);
  return geometry;
}

// --- operands: pixels on one side, taps and channels on the other ---

struct Pixel {
  int32_t image;  // the number of its first pixel, among those that are read
  int32_t plane, row, column;
};
struct Tap {
  int32_t plane, row, column, channel;
};

/// Finds the parts of numbers of pixels.
struct PixelNumbers {
  Divider planes, rows, columns;

  PixelNumbers(int32_t planes, int32_t rows, int32_t columns)
      : planes(std::max(planes, 1)), rows(std::max(rows, 1)), columns(std::max(columns, 1)) {}

  SYMK_HD Pixel pixel(int64_t number) const {
    auto column = static_cast<uint32_t>(number);
    uint32_t row = columns.divide(column), plane = rows.divide(row);
    const uint32_t image = planes.divide(plane);
    return {static_cast<int32_t>(image), static_cast<int32_t>(plane), static_cast<int32_t>(row),
            static_cast<int32_t>(column)};
  }
};

/// Finds the parts of numbers of taps and channels, the taps as distances.
struct TapNumbers {
  Divider channels, rows, columns;
  int32_t plane_step, row_step, column_step;

  TapNumbers(const Geometry& g, int64_t channels)
      : channels(std::max<int64_t>(channels, 1)), rows(std::max(g.rows.kernel, 1)),
        columns(std::max(g.columns.kernel, 1)), plane_step(g.planes.dilation),
        row_step(g.rows.dilation), column_step(g.columns.dilation) {}

  SYMK_HD Tap tap(int64_t number) const {
    auto channel = static_cast<uint32_t>(number);
    uint32_t column = channels.divide(channel), row = columns.divide(column);
    const uint32_t plane = rows.divide(row);
    return {static_cast<int32_t>(plane) * plane_step, static_cast<int32_t>(row) * row_step,
            static_cast<int32_t>(column) * column_step, static_cast<int32_t>(channel)};
  }
};

/// x as pixels of y see it: by pixels of y and, along the other side, taps and channels of x.
template <class T, bool pixels_are_lines>
struct Windows {
  static constexpr bool kAlongDepth = pixels_are_lines;  // channels are neighbours
  const T* data;
  PixelNumbers pixels;
  TapNumbers taps;
  Axis planes, rows, columns;
  int64_t step;  // from pixel to pixel of x
  bool fours;

  Windows(const Geometry& g, const T* data)
      : data(data), pixels(g.planes.y, g.rows.y, g.columns.y), taps(g, g.in), planes(g.planes),
        rows(g.rows), columns(g.columns), step(g.groups * g.in),
        fours(reinterpret_cast<uintptr_t>(data) % 16 == 0 && g.in % 4 == 0) {}

  SYMK_HD auto line(int64_t i) const {
    if constexpr (pixels_are_lines) {
      return first_seen(i);
    } else {
      return taps.tap(i);
    }
  }
  SYMK_HD auto deep(int64_t d) const {
    if constexpr (pixels_are_lines) {
      return taps.tap(d);
    } else {
      return first_seen(d);
    }
  }
  SYMK_HD const T* at(const Pixel& p, const Tap& tap) const {
    const int32_t plane = p.plane + tap.plane, row = p.row + tap.row;
    const int32_t column = p.column + tap.column;
    if (plane < 0 || plane >= planes.x || row < 0 || row >= rows.x || column < 0 ||
        column >= columns.x) {
      return nullptr;
    }
    return data + (p.image + (plane * rows.x + row) * columns.x + column) * step + tap.channel;
  }
  SYMK_HD const T* at(const Tap& tap, const Pixel& p) const { return at(p, tap); }

 private:
  /// Where the window of a pixel begins.
  SYMK_HD Pixel first_seen(int64_t number) const {
    Pixel p = pixels.pixel(number);
    p.image *= planes.x * rows.x * columns.x;
    p.plane = p.plane * planes.stride - planes.before;
    p.row = p.row * rows.stride - rows.before;
    p.column = p.column * columns.stride - columns.before;
    return p;
  }
};

/// g as pixels of x are seen: lines are pixels of x, the depth taps and channels of g.
template <class T>
struct SeeingPixels {
  static constexpr bool kAlongDepth = true;
  const T* data;
  PixelNumbers pixels;
  TapNumbers taps;
  Axis planes, rows, columns;
  Divider plane_stride, row_stride, column_stride;
  int64_t step;  // from pixel to pixel of g
  bool fours;

  SeeingPixels(const Geometry& g, const T* data)
      : data(data), pixels(g.planes.x, g.rows.x, g.columns.x), taps(g, g.out), planes(g.planes),
        rows(g.rows), columns(g.columns), plane_stride(g.planes.stride), row_stride(g.rows.stride),
        column_stride(g.columns.stride), step(g.groups * g.out),
        fours(reinterpret_cast<uintptr_t>(data) % 16 == 0 && g.out % 4 == 0) {}

  SYMK_HD Pixel line(int64_t i) const {
    Pixel p = pixels.pixel(i);
    p.image *= planes.y * rows.y * columns.y;
    p.plane += planes.before;
    p.row += rows.before;
    p.column += columns.before;
    return p;
  }
  SYMK_HD Tap deep(int64_t d) const { return taps.tap(d); }
  SYMK_HD const T* at(const Pixel& p, const Tap& tap) const {
    const int32_t plane = seeing(p.plane - tap.plane, plane_stride, planes.y);
    const int32_t row = seeing(p.row - tap.row, row_stride, rows.y);
    const int32_t column = seeing(p.column - tap.column, column_stride, columns.y);
    if (plane < 0 || row < 0 || column < 0) return nullptr;
    return data + (p.image + (plane * rows.y + row) * columns.y + column) * step + tap.channel;
  }

 private:
  SYMK_HD static int32_t seeing(int32_t distance, const Divider& stride, int32_t size) {
    auto rest = static_cast<uint32_t>(distance);
    if (distance < 0) return -1;
    const auto number = static_cast<int32_t>(stride.divide(rest));
    return rest == 0 && number < size ? number : -1;
  }
};

/// w: lines are channels of x, the depth taps and channels of g.
template <class T>
struct TurnedKernel {
  static constexpr bool kAlongDepth = true;
  const T* data;
  Divider channels;
  int64_t tap_step, line_step;
  bool fours;

  TurnedKernel(const Geometry& g, const T* data)
      : data(data), channels(std::max<int64_t>(g.out, 1)), tap_step(g.in * g.groups * g.out),
        line_step(g.groups * g.out),
        fours(reinterpret_cast<uintptr_t>(data) % 16 == 0 && g.out % 4 == 0) {}

  SYMK_HD int64_t line(int64_t i) const { return i * line_step; }
  SYMK_HD int64_t deep(int64_t d) const {
    auto channel = static_cast<uint32_t>(d);
    const uint32_t tap = channels.divide(channel);
    return tap * tap_step + channel;
  }
  SYMK_HD const T* at(int64_t line, int64_t deep) const { return data + line + deep; }
};

/// A matrix whose rows hold the channels of all groups: lines are channels of one.
template <class T>
Matrix<T, false> channels_of(const Geometry& g, const T* data) {
  return Matrix<T, false>::of(data, g.groups * g.out, &g.out, 1);
}

// --- sources of products, one for each group ---

/// Where results stand: rows of the channels of all groups.
template <class T>
struct Results {
  T *to, *sums;  // sums: where another kernel finishes them, else null
  int64_t groups, channels, count;
  TileEpilogue<T> epilogue;
  int64_t group = 0;

  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    const int64_t channel = group * channels + column, at = row * groups * channels + channel;
    if (sums != nullptr) {
      sums[piece * count + at] = sum;
    } else {
      to[at] = epilogue(sum, channel, at);
    }
  }
};

/// `left_step`, `right_step`: channels from one group to the next, in the operands.
template <class T, class LeftOperand, class RightOperand>
struct GroupProducts {
  LeftOperand left;
  RightOperand right;
  int64_t left_step, right_step;
  Results<T> results;

  SYMK_HD void select(int64_t group) {
    left.data += group * left_step;
    right.data += group * right_step;
    results.group = group;
  }
  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    results.finish(row, column, sum, piece);
  }
};

/// Groups of few channels: a thread per result and piece.
template <class T, class Source>
struct Gather {
  Source source;
  ProductSize size;
  int64_t groups, piece_depth;
  Factor factor;

  SYMK_HD void operator()(int64_t i) const {
    const int64_t channel = i % (groups * size.columns), column = channel % size.columns;
    const int64_t row = i / (groups * size.columns) % size.rows;
    const int64_t piece = i / (groups * size.columns) / size.rows;
    Source own = source;
    own.select(channel / size.columns);
    const auto left = own.left.line(row);
    const auto right = own.right.line(column);
    const int64_t first = piece * piece_depth;
    const int64_t last = first + piece_depth < size.depth ? first + piece_depth : size.depth;
    T sum = 0;
    for (int64_t d = first; d < last; ++d) {
      const T* const a = own.left.at(left, own.left.deep(d));
      if (a == nullptr) continue;
      const T b = *own.right.at(right, own.right.deep(d));
      sum = math::fma(as_factor(*a, factor), as_factor(b, factor), sum);
    }
    own.finish(row, column, sum, piece);
  }
};

template <class T>
struct FinishForward {
  T* y;
  int64_t channels;
  Epilogue<T> epilogue;
  SYMK_HD void operator()(int64_t i, T sum) const { y[i] = epilogue(sum, i % channels, i); }
};

constexpr int64_t kFewChannels = 16;  // columns of a group that do not fill a tile

/// What the three kernels share: how the product of a group is cut, and where sums of pieces go.
template <class T>
class ConvStep : public Step {
 protected:
  ConvStep(const Binding& binding, const char* kernel, const cpu::ConvShape& shape)
      : kernel_(kernel), queue_(queue_of(binding)), geometry_(geometry_of(shape, kernel)) {}

  void cut(Binding& binding, const ProductSize& size, const EpilogueOperands<T>& epilogue = {}) {
    epilogue_ = epilogue;
    const Factor factor = factor_of(binding, kernel_);
    size_ = size;
    results_ = size.rows * geometry_.groups * size.columns;
    gathers_ = geometry_.groups > 1 && size.columns < kFewChannels;
    cut_ = ProductCut::of(size, geometry_.groups, factor, sizeof(T) == 8);
    if (gathers_) cut_ = ProductCut::whole(size, geometry_.groups, factor);
    need_sums(binding);
  }
  /// Gathered sums over the pixels are of short runs, so that there are threads enough and rounding
  /// stays small.
  void cut_gathered(Binding& binding) {
    constexpr int64_t run = 256;
    cut_.piece_depth = run;
    cut_.pieces = std::max<int64_t>(1, (size_.depth + run - 1) / run);
    need_sums(binding);
  }

  template <class Left, class Right>
  void run(const Left& left, const Right& right, int64_t left_step, int64_t right_step,
           const Operands& operands) const {
    T* const to = output<T>(operands, 0);
    T* const sums = has_sums() ? static_cast<T*>(operands.scratch) : nullptr;
    const GroupProducts<T, Left, Right> source = {
        left,
        right,
        left_step,
        right_step,
        {to, sums, geometry_.groups, size_.columns, results_, epilogue_.of_tiles(operands)}};
    if (gathers_) {
      each(queue_, results_ * cut_.pieces,
           Gather<T, GroupProducts<T, Left, Right>>{source, size_, geometry_.groups,
                                                    cut_.piece_depth, cut_.factor});
    } else {
      run_product<T>(queue_, source, size_, cut_);
    }
    if (sums == nullptr) return;
    const FinishForward<T> finish = {to, geometry_.groups * size_.columns, epilogue_.of(operands)};
    each(queue_, results_, AddPieces<T, FinishForward<T>>{sums, cut_.pieces, results_, finish});
  }

  const char* const kernel_;
  const Queue queue_;
  const Geometry geometry_;
  bool gathers_ = false;

 private:
  bool has_sums() const { return cut_.pieces > 1 || !epilogue_.is_of_tiles(); }
  void need_sums(Binding& binding) const {
    if (has_sums())
      binding.need_scratch(checked_multiply(checked_multiply(cut_.pieces, results_), sizeof(T)));
  }

  ProductSize size_;
  ProductCut cut_;
  EpilogueOperands<T> epilogue_;
  int64_t results_ = 0;
};

/// y: rows are pixels of y, columns channels of the result, the depth taps and channels of x.
template <class T>
class ForwardStep final : public ConvStep<T> {
 public:
  static constexpr const char* name = "conv";
  explicit ForwardStep(Binding& binding)
      : ConvStep<T>(binding, name,
                    cpu::read_conv_shape(binding, name, binding.inputs()[0], binding.inputs()[1],
                                         binding.outputs()[0])) {
    const Geometry& g = this->geometry_;
    this->cut(binding, {g.batch * g.y_pixels(), g.out, g.taps() * g.in},
              EpilogueOperands<T>(binding, name));
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Geometry& g = this->geometry_;
    ConvStep<T>::run(Windows<T, true>(g, input<T>(operands, 0)),
                     channels_of(g, input<T>(operands, 1)), g.in, g.out, operands);
    return {};
  }
};

/// dx: rows are pixels of x, columns channels of x, the depth taps and channels of g.
template <class T>
class InputGradStep final : public ConvStep<T> {
 public:
  static constexpr const char* name = "conv_grad_input";
  explicit InputGradStep(Binding& binding)
      : ConvStep<T>(binding, name,
                    cpu::read_conv_shape(binding, name, binding.outputs()[0], binding.inputs()[1],
                                         binding.inputs()[0])) {
    const Geometry& g = this->geometry_;
    this->cut(binding, {g.batch * g.x_pixels(), g.in, g.taps() * g.out});
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Geometry& g = this->geometry_;
    ConvStep<T>::run(SeeingPixels<T>(g, input<T>(operands, 0)),
                     TurnedKernel<T>(g, input<T>(operands, 1)), g.out, g.out, operands);
    return {};
  }
};

/// dw: rows are taps and channels of x, columns channels of g, the depth pixels of y.
template <class T>
class KernelGradStep final : public ConvStep<T> {
 public:
  static constexpr const char* name = "conv_grad_kernel";
  explicit KernelGradStep(Binding& binding)
      : ConvStep<T>(binding, name,
                    cpu::read_conv_shape(binding, name, binding.inputs()[0], binding.outputs()[0],
                                         binding.inputs()[1])) {
    const Geometry& g = this->geometry_;
    this->cut(binding, {g.taps() * g.in, g.out, g.batch * g.y_pixels()});
    if (this->gathers_) this->cut_gathered(binding);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Geometry& g = this->geometry_;
    ConvStep<T>::run(Windows<T, false>(g, input<T>(operands, 0)),
                     channels_of(g, input<T>(operands, 1)), g.in, g.out, operands);
    return {};
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
