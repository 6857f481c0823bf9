// Binds `conv_grad_kernel`: for each kernel row, products of input pixels (channels, and columns
// of the kernel if they are adjacent) with gradients, summed over output positions. The positions
// are cut by shape into fixed sums, which are added in order at the end. Where the result has few
// channels, pixels and gradients change places, so that columns of tiles are channels of the input.
#include "cpu/bfloat16_step.h"
#include "cpu/conv_geometry.h"
#include "cpu/conv_pointwise_step.h"
#include "cpu/depthwise_step.h"
#include "cpu/dispatch.h"

namespace symk::cpu {
namespace {

constexpr int64_t kSumCount =
    1 << 20;  // elements of all partial sums together, unless one alone has more
constexpr int64_t kItemPixels =
    256;  // so that loading and storing sums is small beside the products

/// Whether channels of the result would leave tiles mostly empty, while those of the input fill
/// them. Without strides, x is to g what g is to x: dw[k][i][j], the sum over o of x[o + k -
/// before] [i] g[o][j], is the sum over p of g[p + (last - k) - (last - before)][j] x[p][i].
bool gains_by_turning(const ConvShape& shape) {
  constexpr int64_t few = 8, many = 16;
  return has_unit_strides(shape) && shape.groups == 1 && shape.out <= few && shape.in >= many;
}

/// The convolution of g whose gradient by the kernel, turned round, is that of `shape`.
ConvShape turned(ConvShape shape) {
  std::swap(shape.in, shape.out);
  for (ConvAxis* axis : {&shape.planes, &shape.rows, &shape.columns}) {
    std::swap(axis->x, axis->y);
    axis->before = (axis->kernel - 1) * axis->dilation - axis->before;
  }
  return shape;
}

template <class T>
class KernelGradStep : public Step {
 public:
  /// `turned`: of a shape that is turned; its operands are g and x, its result is turned back.
  KernelGradStep(Binding& binding, const ConvShape& shape, const ConvFunctions<T>& functions,
                 bool turned = false)
      : shape_(shape), functions_(functions), turned_(turned) {
    const ConvAxis &rows = shape.rows, &columns = shape.columns;
    count_ = shape.taps() * shape.in * shape.out_channels();
    panels_ = divide_up(shape.out, functions_.tile_columns);
    strip_.channels = strip_.pixel = shape.in;
    strip_.source_pixel = shape.in_channels();
    strip_.first_column = -columns.before;
    strip_.width = span(columns, columns.y);
    merged_ = columns.dilation == 1;
    cut();
    strip_.plane = span(rows, rows_per_item_) * strip_.row();
    const int64_t packed_count = panels_ * item_pixels() * functions_.tile_columns;
    strip_count_ = divide_up(planes_per_item_ * strip_.plane, kAlignment) * kAlignment;
    packed_count_ = divide_up(packed_count, kAlignment) * kAlignment;
    sum_count_ = divide_up(count_, kAlignment) * kAlignment;
    for (int64_t plane = 0; plane < planes_per_item_; ++plane) {
      for (int64_t row = 0; row < rows_per_item_; ++row)
        taps_.push_back(plane * strip_.plane + row * rows.stride * strip_.row());
    }
    const int64_t sums = sums_ > 1 ? sums_ * sum_count_ : 0;
    turned_start_ = sums + sums_ * panel_blocks_ * (strip_count_ + packed_count_);
    binding.need_scratch(checked_multiply(turned_start_ + (turned_ ? sum_count_ : 0), sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    const T* x = static_cast<const T*>(operands.in[turned_ ? 1 : 0]);
    const T* g = static_cast<const T*>(operands.in[turned_ ? 0 : 1]);
    T* const result = static_cast<T*>(operands.out[0]);
    T* w = turned_ ? static_cast<T*>(operands.scratch) + turned_start_ : result;
    T* sums = sums_ > 1 ? static_cast<T*>(operands.scratch) : w;
    T* own = static_cast<T*>(operands.scratch) + (sums_ > 1 ? sums_ * sum_count_ : 0);
    if (items_ == 0) {
      std::fill(result, result + count_, T(0));
      return {};
    }
    run_parts(pool, sums_ * panel_blocks_, [&](int64_t part) {
      T* strip = own + part * (strip_count_ + packed_count_);
      const int64_t sum = part / panel_blocks_;
      const int64_t first = items_ * sum / sums_, last = items_ * (sum + 1) / sums_;
      for (int64_t item = first; item < last; ++item) {
        for (int64_t group = 0; group < shape_.groups; ++group) {
          run_item(item, group, part % panel_blocks_, item > first, x, g, strip,
                   sums + sum * sum_count_);
        }
      }
    });
    if (sums_ > 1) add_sums(sums, sums_, sum_count_, w, count_, pool);
    if (turned_) turn_back(w, result);
    return {};
  }

 private:
  /// w has the taps in the opposite order, and in and out in the other.
  void turn_back(const T* w, T* result) const {
    const int64_t in = shape_.out, out = shape_.in, taps = shape_.taps();
    for (int64_t tap = 0; tap < taps; ++tap) {
      const T* const from = w + (taps - 1 - tap) * in * out;
      for (int64_t i = 0; i < in; ++i) {
        for (int64_t j = 0; j < out; ++j) *result++ = from[j * in + i];
      }
    }
  }

  /// Positions of the input that `count` results see along an axis.
  static int64_t span(const ConvAxis& axis, int64_t count) {
    return count == 0 ? 0 : (count - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
  }
  int64_t item_pixels() const { return planes_per_item_ * rows_per_item_ * shape_.columns.y; }
  int64_t all_planes() const { return shape_.batch * shape_.planes.y; }

  /// An item is some rows of a plane of the results, or some whole planes, of whichever volume.
  /// Sums take equal numbers of items; panels are cut where there are few sums.
  void cut() {
    const int64_t rows = shape_.rows.y, columns = shape_.columns.y;
    if (rows == 0 || columns == 0 || all_planes() == 0 || count_ == 0) return;
    rows_per_item_ = std::min(rows, divide_up(kItemPixels, columns));
    const int64_t blocks = divide_up(rows, rows_per_item_);
    rows_per_item_ = divide_up(rows, blocks);
    blocks_ = divide_up(rows, rows_per_item_);
    planes_per_item_ =
        blocks_ > 1 ? 1 : std::min(all_planes(), divide_up(kItemPixels, rows * columns));
    items_ = divide_up(all_planes(), planes_per_item_) * blocks_;
    const int64_t flops = 2 * all_planes() * rows * columns * count_;
    const int64_t parts = std::max<int64_t>(1, std::min(kMaxParts, flops / kPartFlops));
    sums_ = std::max<int64_t>(1, std::min({parts, items_, kSumCount / count_}));
    panel_blocks_ = std::max<int64_t>(1, std::min(panels_, divide_up(parts, sums_)));
  }

  /// Adds what the results of an item give to one group of the kernel, for a block of panels.
  void run_item(int64_t item, int64_t group, int64_t panel_block, bool accumulate, const T* x,
                const T* g, T* strip, T* sum) const {
    const ConvAxis &rows = shape_.rows, &columns = shape_.columns;
    const int64_t out = shape_.out_channels();
    const int64_t first_plane = item / blocks_ * planes_per_item_;
    const int64_t planes = std::min(planes_per_item_, all_planes() - first_plane);
    const int64_t first_row = item % blocks_ * rows_per_item_;
    const int64_t count = std::min(rows_per_item_, rows.y - first_row);
    const int64_t pixels = planes * count * columns.y;
    const int64_t first_panel = panels_ * panel_block / panel_blocks_,
                  last_panel = panels_ * (panel_block + 1) / panel_blocks_;
    const int64_t first_column = first_panel * functions_.tile_columns;
    const int64_t panel_step = item_pixels() * functions_.tile_columns;
    T* packed = strip + strip_count_ + first_panel * panel_step;
    TapJob<T> job;
    job.a_block = rows.dilation * strip_.row();
    job.a_row = 1;
    job.a_depth = columns.stride * strip_.pixel;
    job.taps = taps_.data();
    job.tap_count = planes * count;
    job.depth = columns.y;
    job.b = packed;
    job.panel_step = panel_step;
    job.b_end = packed;  // just packed, and near
    job.c_block = columns.kernel * shape_.in * out;
    job.c_row = out;
    job.blocks = rows.kernel;
    job.m = (merged_ ? columns.kernel : 1) * shape_.in;
    job.n = std::min(shape_.out, last_panel * functions_.tile_columns) - first_column;
    job.accumulate = accumulate;
    job.epilogue = Epilogue<T>();
    const T* g_item = g + (first_plane * rows.y + first_row) * columns.y * out + group * shape_.out;
    functions_.pack(g_item + first_column, out, 1, pixels, job.n, packed, panel_step);
    sum += group * shape_.out + first_column;
    for (int64_t plane = 0; plane < shape_.planes.kernel; ++plane) {
      copy_strip(x + group * shape_.in, plane, first_plane, planes, first_row, count, strip);
      for (int64_t k = 0; k < (merged_ ? 1 : columns.kernel); ++k) {
        job.a = strip + k * columns.dilation * strip_.pixel;
        job.c = sum + plane * rows.kernel * job.c_block + k * shape_.in * out;
        functions_.run(job);
      }
    }
  }

  /// What a plane of the kernel sees from `count` rows of each of some planes of results.
  void copy_strip(const T* x, int64_t kernel_plane, int64_t first_plane, int64_t planes,
                  int64_t first_row, int64_t count, T* strip) const {
    const ConvAxis &axis = shape_.planes, &rows = shape_.rows;
    const Extent extent = {axis.x, rows.x, shape_.columns.x};
    const int64_t volume = axis.x * rows.x * shape_.columns.x * shape_.in_channels();
    for (int64_t i = 0; i < planes; ++i) {
      const int64_t plane = first_plane + i;
      Rows needed;
      needed.plane = plane % axis.y * axis.stride + kernel_plane * axis.dilation - axis.before;
      needed.row = first_row * rows.stride - rows.before;
      needed.rows = span(rows, count);
      strip_.copy(x + plane / axis.y * volume, extent, needed, strip + i * strip_.plane);
    }
  }

  ConvShape shape_;
  const ConvFunctions<T>& functions_;
  bool turned_;
  Strip strip_;
  bool merged_ = false;
  std::vector<int64_t> taps_;
  int64_t panels_ = 0, count_ = 0, items_ = 0, blocks_ = 1, sums_ = 1, panel_blocks_ = 1;
  int64_t planes_per_item_ = 0, rows_per_item_ = 0;
  int64_t strip_count_ = 0, packed_count_ = 0, sum_count_ = 0, turned_start_ = 0;
};

/// Pairs along the columns of the gradient, and of the pixels that such pairs see.
[[gnu::cold]] std::unique_ptr<Step> bind_pairs(Binding& binding, const ConvShape& shape) {
  const ConvAxis& columns = shape.columns;
  const int64_t y_rows = shape.batch * shape.planes.y * shape.rows.y;
  const int64_t x_rows = shape.batch * shape.planes.x * shape.rows.x;
  ConvShape half = shape;
  half.columns.stride = 2 * columns.stride;
  half.columns.y = divide_up(columns.y, 2);
  half.columns.before = 0;
  const auto reach = [](const ConvAxis& axis) {
    return axis.y == 0 ? 0 : (axis.y - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
  };
  half.columns.x = reach(half.columns);
  const Type g = {DType::kFloat32, 3, {y_rows, columns.y, shape.out_channels()}};
  const PixelPairs pixels = {x_rows,         columns.x,      shape.in_channels(), columns.before,
                             columns.stride, half.columns.x, reach(columns)};
  std::vector<Conversion> pairs = {pairs_of_pixels(0, binding.inputs()[0], pixels),
                                   pairs_along(1, g, 1, 1)};
  return bind_converted(binding, pairs, [half](Binding& inner) {
    return std::make_unique<KernelGradStep<float>>(inner, half, kernels<ConvKernels>().bfloat16);
  });
}

[[gnu::cold]] std::unique_ptr<Step> bind_conv_grad_kernel(Binding& binding) {
  constexpr const char* name = "conv_grad_kernel";
  const auto& in = binding.inputs();
  if (in.size() != 2 || binding.outputs().size() != 1) {
    throw Error(ErrorCode::kArgument, "[conv_grad_kernel] x, g and one result are required.");
  }
  ConvShape shape = read_conv_shape(binding, name, in[0], binding.outputs()[0], in[1]);
  const bool pointwise = is_pointwise(shape);
  if (rounds_products(binding, name)) {
    if (pointwise && has_unit_strides(shape)) return bind_pointwise_pairs(binding, shape);
    join_pixels(shape);
    return bind_pairs(binding, shape);
  }
  if (has_narrow_groups(shape, false)) return bind_depthwise_grad_kernel(binding, shape);
  if (pointwise) return bind_pointwise_grad_kernel(binding, shape);
  const bool turns = gains_by_turning(shape);
  if (turns) shape = turned(shape);
  join_pixels(shape);
  const auto& table = kernels<ConvKernels>();
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32:
      return std::make_unique<KernelGradStep<float>>(binding, shape, table.float32, turns);
    case DType::kFloat64:
      return std::make_unique<KernelGradStep<double>>(binding, shape, table.float64, turns);
    default: throw Error(ErrorCode::kDtype, "[conv_grad_kernel] float32 or float64 is required.");
  }
}

const KernelEntry entry("conv_grad_kernel", bind_conv_grad_kernel);

}  // namespace
}  // namespace symk::cpu
