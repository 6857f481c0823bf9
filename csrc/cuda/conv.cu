// Convolutions of one to three axes, channels last, and their two gradients, as matrix products
// whose operands are gathered while tiles are loaded (implicit GEMM). Groups of few channels, such
// as depthwise ones, would fill no tile: a thread gathers each of their results.
#include <type_traits>
#include <utility>

#include "cuda/conv_rows.h"
#include "cuda/product.h"
#include "cuda/warpgroup_conv.h"
#include "cuda/warpgroup_product.h"

namespace symk::cuda {
namespace {

/// A product of two matrices, which lie in memory as they are multiplied or transposed.
cpu::MatmulProblem matrices(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
  cpu::MatmulProblem p;
  p.m = m, p.n = n, p.k = k;
  p.a_row = transpose_a ? 1 : k, p.a_column = transpose_a ? m : 1;
  p.b_row = transpose_b ? 1 : n, p.b_column = transpose_b ? k : 1;
  p.a_start = p.b_start = {0};
  return p;
}

// --- operands: pixels on one side, taps and channels on the other ---

struct Tap {
  int32_t plane, row, column, channel;
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

/// g as pixels of x are seen by a convolution of stride 1: lines are pixels of x, the depth taps
/// and channels of g.
template <class T>
struct SeeingPixels {
  static constexpr bool kAlongDepth = true;
  const T* data;
  PixelNumbers pixels;
  TapNumbers taps;
  Axis planes, rows, columns;
  int64_t step;  // from pixel to pixel of g
  bool fours;

  SeeingPixels(const Geometry& g, const T* data)
      : data(data), pixels(g.planes.x, g.rows.x, g.columns.x), taps(g, g.out), planes(g.planes),
        rows(g.rows), columns(g.columns), step(g.groups * g.out),
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
    const int32_t plane = p.plane - tap.plane, row = p.row - tap.row;
    const int32_t column = p.column - tap.column;
    if (plane < 0 || plane >= planes.y || row < 0 || row >= rows.y || column < 0 ||
        column >= columns.y) {
      return nullptr;
    }
    return data + (p.image + (plane * rows.y + row) * columns.y + column) * step + tap.channel;
  }
};

/// w: lines are channels of x, the depth taps of a part and channels of g.
template <class T>
struct TurnedKernel {
  static constexpr bool kAlongDepth = true;
  const T* data;
  Divider channels, rows, columns;  // of the part's taps
  int64_t first, plane_step, row_step, column_step, line_step;
  bool fours;

  /// `whole`: the convolution; `part`: which taps of it.
  TurnedKernel(const Geometry& whole, const GradPart& part, const T* data)
      : data(data), channels(std::max<int64_t>(whole.out, 1)), rows(part.rows.taps),
        columns(part.columns.taps), line_step(whole.groups * whole.out),
        fours(reinterpret_cast<uintptr_t>(data) % 16 == 0 && whole.out % 4 == 0) {
    const int64_t tap = whole.in * line_step, row = tap * whole.columns.kernel;
    const int64_t plane = row * whole.rows.kernel;
    first =
        part.planes.first_tap * plane + part.rows.first_tap * row + part.columns.first_tap * tap;
    plane_step = part.planes.tap_step * plane;
    row_step = part.rows.tap_step * row;
    column_step = part.columns.tap_step * tap;
  }

  SYMK_HD int64_t line(int64_t i) const { return i * line_step; }
  SYMK_HD int64_t deep(int64_t d) const {
    auto channel = static_cast<uint32_t>(d);
    uint32_t column = channels.divide(channel), row = columns.divide(column);
    const uint32_t plane = rows.divide(row);
    return first + plane * plane_step + row * row_step + column * column_step + channel;
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
template <class T, class RowNumbers>
struct Results {
  T *to, *sums;  // sums: where another kernel finishes them, in order, else null
  int64_t groups, channels, count;
  RowNumbers rows;
  TileEpilogue<T> epilogue;
  int64_t group = 0;

  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    const int64_t channel = group * channels + column;
    if (sums != nullptr) {
      sums[piece * count + row * groups * channels + channel] = sum;
    } else {
      const int64_t at = rows.row(row) * groups * channels + channel;
      to[at] = epilogue(sum, channel, at);
    }
  }
};

/// `left_step`, `right_step`: channels from one group to the next, in the operands.
template <class T, class LeftOperand, class RightOperand, class RowNumbers>
struct GroupProducts {
  LeftOperand left;
  RightOperand right;
  int64_t left_step, right_step;
  Results<T, RowNumbers> results;

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

constexpr int64_t kFewChannels = 16;  // columns of a group that do not fill a tile

/// How the product of a group is done.
struct Work {
  ProductSize size;
  ProductCut cut;
  int64_t results = 0;
  bool gathers = false;
};

/// What the three kernels share: how products are cut, and where sums of pieces go.
template <class T>
class ConvStep : public Step {
 protected:
  ConvStep(const Binding& binding, const char* kernel, const cpu::ConvShape& shape)
      : queue_(queue_of(binding)), geometry_(geometry_of(shape, kernel)),
        factor_(factor_of(binding, kernel)) {}

  Work work_of(Binding& binding, const ProductSize& size) const {
    Work work;
    work.size = size;
    work.results = size.rows * geometry_.groups * size.columns;
    work.gathers = geometry_.groups > 1 && size.columns < kFewChannels;
    work.cut = work.gathers ? ProductCut::whole(size, geometry_.groups, factor_)
                            : ProductCut::of(size, geometry_.groups, factor_, sizeof(T) == 8);
    need_sums(binding, work);
    return work;
  }
  /// Gathered sums over the pixels are of short runs, so that there are threads enough and rounding
  /// stays small.
  void cut_gathered(Binding& binding, Work& work) const {
    constexpr int64_t run = 256;
    work.cut.piece_depth = run;
    work.cut.pieces = std::max<int64_t>(1, (work.size.depth + run - 1) / run);
    need_sums(binding, work);
  }

  template <class Left, class Right, class RowNumbers>
  void run(const Work& work, const Left& left, const Right& right, int64_t left_step,
           int64_t right_step, const RowNumbers& rows, const Operands& operands) const {
    using Source = GroupProducts<T, Left, Right, RowNumbers>;
    const int64_t groups = geometry_.groups, channels = work.size.columns;
    T* const to = output<T>(operands, 0);
    T* const sums = has_sums(work) ? static_cast<T*>(operands.scratch) : nullptr;
    const Source source = {
        left,
        right,
        left_step,
        right_step,
        {to, sums, groups, channels, work.results, rows, epilogue_.of_tiles(operands)}};
    if (work.gathers) {
      each(queue_, work.results * work.cut.pieces,
           Gather<T, Source>{source, work.size, groups, work.cut.piece_depth, work.cut.factor});
    } else {
      run_product<T>(queue_, source, work.size, work.cut);
    }
    if (sums == nullptr) return;
    using Finish = FinishResults<T, RowNumbers>;
    const Finish finish = {to, groups * channels, rows, epilogue_.of(operands)};
    each(queue_, work.results, AddPieces<T, Finish>{sums, work.cut.pieces, work.results, finish});
  }

  Load load_of(const Work& work) const {
    return work.gathers ? Load() : load_of_products(queue_, work.size, work.cut);
  }

  const Queue queue_;
  const Geometry geometry_;
  EpilogueOperands<T> epilogue_;

 private:
  bool has_sums(const Work& work) const { return work.cut.pieces > 1 || !epilogue_.is_of_tiles(); }
  void need_sums(Binding& binding, const Work& work) const {
    if (has_sums(work)) {
      binding.need_scratch(
          checked_multiply(checked_multiply(work.cut.pieces, work.results), sizeof(T)));
    }
  }

  const Factor factor_;
};

/// y: rows are pixels of y, columns channels of the result, the depth taps and channels of x.
template <class T>
class ForwardStep final : public ConvStep<T> {
 public:
  static constexpr const char* name = "conv";
  static cpu::ConvShape shape_of(const Binding& binding) {
    return cpu::read_conv_shape(binding, name, binding.inputs()[0], binding.inputs()[1],
                                binding.outputs()[0]);
  }
  /// Where it is pixelwise: x times w.
  static cpu::MatmulProblem product_of(const Geometry& g) {
    return matrices(g.batch * g.y_pixels(), g.out, g.in, false, false);
  }
  explicit ForwardStep(Binding& binding) : ConvStep<T>(binding, name, shape_of(binding)) {
    const Geometry& g = this->geometry_;
    this->epilogue_ = EpilogueOperands<T>(binding, name);
    work_ = this->work_of(binding, {g.batch * g.y_pixels(), g.out, g.taps() * g.in});
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Geometry& g = this->geometry_;
    ConvStep<T>::run(work_, Windows<T, true>(g, input<T>(operands, 0)),
                     channels_of(g, input<T>(operands, 1)), g.in, g.out, RowsInOrder(), operands);
    return {};
  }
  Load load(int) const override { return this->load_of(work_); }

 private:
  Work work_;
};

/// dx: rows are pixels of x, columns channels of x, the depth taps and channels of g. With strides
/// there is a product for each part of the pixels, over the taps that reach them.
template <class T>
class InputGradStep final : public ConvStep<T> {
 public:
  static constexpr const char* name = "conv_grad_input";
  static cpu::ConvShape shape_of(const Binding& binding) {
    return cpu::read_conv_shape(binding, name, binding.outputs()[0], binding.inputs()[1],
                                binding.inputs()[0]);
  }
  /// Where it is pixelwise: g times w transposed.
  static cpu::MatmulProblem product_of(const Geometry& g) {
    return matrices(g.batch * g.x_pixels(), g.in, g.out, false, true);
  }
  explicit InputGradStep(Binding& binding) : ConvStep<T>(binding, name, shape_of(binding)) {
    for (const GradPart& part : grad_parts(this->geometry_)) add(binding, part);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Geometry& whole = this->geometry_;
    const int64_t pixels = whole.batch * whole.x_pixels();
    if (reached_ < pixels) {
      T* const to = output<T>(operands, 0);
      each(this->queue_, pixels * whole.groups * whole.in, Zero<T>{to});
    }
    for (const auto& [part, work] : parts_) {
      ConvStep<T>::run(work, SeeingPixels<T>(part.geometry(whole), input<T>(operands, 0)),
                       TurnedKernel<T>(whole, part, input<T>(operands, 1)), whole.out, whole.out,
                       RowsOfPart(whole, part), operands);
    }
    return {};
  }
  Load load(int) const override {
    Load all;
    for (const auto& part : parts_) all.time_ns += this->load_of(part.second).time_ns;
    return all;
  }

 private:
  void add(Binding& binding, const GradPart& part) {
    const Geometry g = part.geometry(this->geometry_);
    const ProductSize size = {g.batch * g.x_pixels(), g.in, g.taps() * g.out};
    reached_ += size.rows;
    parts_.emplace_back(part, this->work_of(binding, size));
  }

  std::vector<std::pair<GradPart, Work>> parts_;
  int64_t reached_ = 0;  // pixels of parts; others are 0
};

/// dw: rows are taps and channels of x, columns channels of g, the depth pixels of y.
template <class T>
class KernelGradStep final : public ConvStep<T> {
 public:
  static constexpr const char* name = "conv_grad_kernel";
  static cpu::ConvShape shape_of(const Binding& binding) {
    return cpu::read_conv_shape(binding, name, binding.inputs()[0], binding.outputs()[0],
                                binding.inputs()[1]);
  }
  /// Where it is pixelwise: x transposed times g.
  static cpu::MatmulProblem product_of(const Geometry& g) {
    return matrices(g.in, g.out, g.batch * g.y_pixels(), true, false);
  }
  explicit KernelGradStep(Binding& binding) : ConvStep<T>(binding, name, shape_of(binding)) {
    const Geometry& g = this->geometry_;
    work_ = this->work_of(binding, {g.taps() * g.in, g.out, g.batch * g.y_pixels()});
    if (work_.gathers) this->cut_gathered(binding, work_);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Geometry& g = this->geometry_;
    ConvStep<T>::run(work_, Windows<T, false>(g, input<T>(operands, 0)),
                     channels_of(g, input<T>(operands, 1)), g.in, g.out, RowsInOrder(), operands);
    return {};
  }
  Load load(int) const override { return this->load_of(work_); }

 private:
  Work work_;
};

template <template <class> class Made>
constexpr bool is_gradient = !std::is_same_v<Made<float>, ForwardStep<float>>;

/// The step of a convolution that warp groups take, else null.
template <template <class> class Made>
std::unique_ptr<Step> bind_by_warp_groups(Binding& binding) {
  constexpr const char* name = Made<float>::name;
  const Geometry g = geometry_of(Made<float>::shape_of(binding), name);
  EpilogueOperands<float> epilogue;
  if (!is_gradient<Made>) epilogue = EpilogueOperands<float>(binding, name);
  if (is_pixelwise(g)) return bind_warp_groups(binding, name, Made<float>::product_of(g), epilogue);
  if (std::is_same_v<Made<float>, ForwardStep<float>>)
    return bind_warp_group_conv(binding, name, g, epilogue);
  if (std::is_same_v<Made<float>, InputGradStep<float>>)
    return bind_warp_group_input_gradient(binding, name, g);
  return nullptr;
}

template <template <class> class Made>
std::unique_ptr<Step> bind(Binding& binding) {
  constexpr const char* name = Made<float>::name;
  const size_t count = binding.inputs().size();  // those beyond two are of the epilogue
  cpu::require((is_gradient<Made> ? count == 2 : count >= 2) && binding.outputs().size() == 1, name,
               "the number of inputs and outputs must be the kernel's");
  const DType dtype = binding.outputs()[0].dtype;
  if (cpu::float_place(name, dtype) != 0) return std::make_unique<Made<double>>(binding);
  std::unique_ptr<Step> made = bind_by_warp_groups<Made>(binding);
  return made != nullptr ? std::move(made) : std::make_unique<Made<float>>(binding);
}

const KernelEntry entries[] = {
    {"conv", bind<ForwardStep>},
    {"conv_grad_input", bind<InputGradStep>},
    {"conv_grad_kernel", bind<KernelGradStep>},
};

}  // namespace
}  // namespace symk::cuda
