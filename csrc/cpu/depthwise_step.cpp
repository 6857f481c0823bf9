// Binds depthwise convolutions and their gradients. A kernel with several results per channel (a
// multiplier) sees each channel of its input that often: rows of input are repeated into scratch,
// and rows of its gradient are added up from there. Pixels that would fight for the same lines of L1
// are copied to where they do not.
#include "cpu/depthwise_step.h"

#include "cpu/depthwise.h"
#include "cpu/dispatch.h"
#include "cpu/epilogue_operands.h"

namespace symk::cpu {
namespace {

constexpr int64_t kItemBytes = 128 << 10;  // of the rows that an item reads and writes
constexpr int64_t kCopyBytes = 512 << 10;  // the same where rows are copied: few of them twice

template <class T>
const DepthwiseFunctions<T>& functions_of();
template <>
const DepthwiseFunctions<float>& functions_of<float>() {
  return kernels<DepthwiseKernels>().float32;
}
template <>
const DepthwiseFunctions<double>& functions_of<double>() {
  return kernels<DepthwiseKernels>().float64;
}

/// The taps of an axis that lie inside when gathered from `position`.
TapRange inside(const AxisPass& pass, int64_t position, int64_t size) {
  const ConvTap* first = pass.taps.data();
  const ConvTap* last = first + pass.taps.size();
  while (first < last && position + first->offset < 0) ++first;
  while (first < last && position + last[-1].offset >= size) --last;
  return {first, last - first};
}

/// The positions inside of an axis that `count` results from `first` on may see.
struct Needed {
  int64_t first, count;

  Needed(const AxisPass& pass, int64_t result, int64_t results, int64_t size) {
    const int64_t start = result * pass.input_step + pass.lowest();
    first = clamp(start, 0, size);
    count = clamp(start + pass.span(results), first, size) - first;
  }
};

/// One pass, cut into items: blocks of rows of one plane of one volume.
struct Pass : VolumePass {
  int64_t rows_per_item = 1, blocks = 0, items = 0;

  Pass(const VolumePass& pass, int64_t batch, int64_t row_bytes, int64_t item_bytes)
      : VolumePass(pass) {
    rows_per_item = clamp(item_bytes / std::max<int64_t>(1, row_bytes), 1,
                          std::max<int64_t>(1, rows.count));
    blocks = divide_up(rows.count, rows_per_item);
    items = columns.count == 0 ? 0 : batch * planes.count * blocks;
  }
};

/// Rows of some plane of the results of a pass over one volume.
struct Item {
  int64_t volume, plane, row, rows;

  Item(const Pass& pass, int64_t number) {
    row = number % pass.blocks * pass.rows_per_item;
    rows = std::min(pass.rows_per_item, pass.rows.count - row);
    plane = number / pass.blocks % pass.planes.count;
    volume = number / pass.blocks / pass.planes.count;
  }
};

/// What is gathered from: volumes whose channels count `times` times.
template <class T>
struct Source {
  Extent extent;
  int64_t channels, times;
  int64_t kernel_rows, kernel_columns;

  int64_t pixel() const { return pixel_step<T>(channels * times); }
  int64_t line() const { return extent.columns * pixel(); }
  bool copies() const { return pixel() != channels; }
  int64_t item_bytes() const { return copies() ? kCopyBytes : kItemBytes; }
  int64_t volume() const {
    return extent.planes * extent.rows * extent.columns * channels;
  }

  /// Elements of scratch that an item needs.
  int64_t scratch_count(const Pass& pass) const {
    if (!copies()) return 0;
    return std::min(extent.planes, pass.planes.span(1)) *
           std::min(extent.rows, pass.rows.span(pass.rows_per_item)) * line();
  }

  /// The first row of an item, for functions; taps of rows are not chosen yet.
  DepthwiseRow<T> first_row(const Pass& pass, const Item& item, const T* x, T* scratch) const {
    DepthwiseRow<T> row;
    row.width = extent.columns;
    row.channels = channels * times;
    row.w_row = kernel_columns * row.channels;
    row.w_plane = kernel_rows * row.w_row;
    row.columns = {pass.columns.taps.data(), pass.columns.tap_count()};
    row.count = pass.columns.count;
    row.input_step = pass.columns.input_step;
    row.plane = item.plane * pass.planes.input_step;
    row.row = item.row * pass.rows.input_step;
    row.planes = inside(pass.planes, row.plane, extent.planes);
    row.rows = {nullptr, 0};
    row.x = x + item.volume * volume();
    row.x_pixel = pixel();
    row.x_row = line();
    row.x_plane = extent.rows * line();
    if (copies()) copy_rows(pass, item, scratch, row);
    return row;
  }

  /// The taps of rows that row number `i` of an item may use.
  TapRange row_taps(const Pass& pass, const Item& item, int64_t i) const {
    return inside(pass.rows, (item.row + i) * pass.rows.input_step, extent.rows);
  }

 private:
  void copy_rows(const Pass& pass, const Item& item, T* scratch, DepthwiseRow<T>& row) const {
    const Needed planes(pass.planes, item.plane, 1, extent.planes);
    const Needed rows(pass.rows, item.row, item.rows, extent.rows);
    row.x_plane = rows.count * line();
    for (int64_t i = 0; i < planes.count; ++i) {
      const int64_t first = (planes.first + i) * extent.rows + rows.first;
      functions_of<T>().repeat(row.x + first * extent.columns * channels,
                               rows.count * extent.columns, channels, times,
                               scratch + i * row.x_plane, pixel());
    }
    row.x = scratch;
    row.plane -= planes.first;
    row.row -= rows.first;
  }
};

template <class T>
class DepthwiseStep : public Step {
 public:
  DepthwiseStep(Binding& binding, const ConvShape& shape, bool backward)
      : epilogue_(backward ? EpilogueOperands<T>() : EpilogueOperands<T>(binding, "conv")) {
    const Extent x = {shape.planes.x, shape.rows.x, shape.columns.x};
    const Extent y = {shape.planes.y, shape.rows.y, shape.columns.y};
    const int64_t times = shape.out;
    source_ = {backward ? y : x, backward ? shape.out_channels() : shape.groups,
               backward ? 1 : times, shape.rows.kernel, shape.columns.kernel};
    result_ = backward ? x : y;
    result_channels_ = backward ? shape.groups : shape.out_channels();
    neighbours_ = backward ? times : 1;
    for (const VolumePass& axes : volume_passes(shape, backward)) {
      const int64_t row_count = axes.columns.count * shape.out_channels() +
                                axes.rows.input_step * source_.line();
      passes_.emplace_back(axes, shape.batch, row_count * static_cast<int64_t>(sizeof(T)),
                           source_.item_bytes());
      const Pass& pass = passes_.back();
      const int64_t line_count = neighbours_ > 1 ? pass.columns.count * source_.channels : 0;
      scratch_count_ = std::max(scratch_count_, source_.scratch_count(pass) + line_count);
      items_ += times == 0 ? 0 : pass.items;
    }
    parts_ = std::max<int64_t>(1, std::min(kMaxParts, items_));
    scratch_count_ = whole_lines<T>(scratch_count_);
    binding.need_scratch(checked_multiply(parts_ * scratch_count_, sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    run_parts(pool, parts_, [&](int64_t part) {
      T* scratch = static_cast<T*>(operands.scratch) + part * scratch_count_;
      const int64_t last = part_begin(items_, part + 1, parts_);
      for (int64_t i = part_begin(items_, part, parts_); i < last; ++i)
        run_item(i, operands, scratch);
    });
    return {};
  }

 private:
  void run_item(int64_t number, const Operands& operands, T* scratch) const {
    size_t place = 0;
    while (number >= passes_[place].items) number -= passes_[place++].items;
    const Pass& pass = passes_[place];
    const Item item(pass, number);
    const T* w = static_cast<const T*>(operands.in[1]);
    const Epilogue<T> epilogue = epilogue_.of(operands);
    DepthwiseRow<T> row =
        source_.first_row(pass, item, static_cast<const T*>(operands.in[0]), scratch);
    T* line = scratch + source_.scratch_count(pass);
    const int64_t y_step = pass.columns.step * result_channels_;
    const int64_t plane =
        item.volume * result_.planes + pass.planes.first + item.plane * pass.planes.step;
    for (int64_t i = 0; i < item.rows; ++i, row.row += pass.rows.input_step) {
      const int64_t y_row = pass.rows.first + (item.row + i) * pass.rows.step;
      const int64_t place =
          ((plane * result_.rows + y_row) * result_.columns + pass.columns.first) *
          result_channels_;
      T* y = static_cast<T*>(operands.out[0]) + place;
      row.rows = source_.row_taps(pass, item, i);
      if (neighbours_ == 1) {
        functions_of<T>().gather(row, w, epilogue.at(0, place), y, y_step);
      } else {
        functions_of<T>().gather(row, w, Epilogue<T>(), line, row.channels);
        functions_of<T>().add_neighbours(line, row.count, result_channels_, neighbours_, y, y_step);
      }
    }
  }

  EpilogueOperands<T> epilogue_;
  Source<T> source_;
  Extent result_;
  int64_t result_channels_ = 0, neighbours_ = 1;
  std::vector<Pass> passes_;
  int64_t items_ = 0, parts_ = 1, scratch_count_ = 0;
};

/// Items are cut into fixed sums, which are added in order at the end.
template <class T>
class DepthwiseKernelGradStep : public Step {
 public:
  DepthwiseKernelGradStep(Binding& binding, const ConvShape& shape)
      : source_{{shape.planes.x, shape.rows.x, shape.columns.x},
                shape.groups,
                shape.out,
                shape.rows.kernel,
                shape.columns.kernel},
        result_{shape.planes.y, shape.rows.y, shape.columns.y},
        pass_(volume_passes(shape, false).front(), shape.batch,
              (shape.columns.y * shape.out_channels() + shape.rows.stride * source_.line()) *
                  static_cast<int64_t>(sizeof(T)),
              source_.item_bytes()),
        channels_(shape.out_channels()),
        count_(shape.taps() * channels_) {
    sums_ = clamp(pass_.items, 1, kMaxParts);
    sum_count_ = whole_lines<T>(count_);
    scratch_count_ = whole_lines<T>(source_.scratch_count(pass_));
    binding.need_scratch(checked_multiply(sums_ * (sum_count_ + scratch_count_), sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    T* sums = static_cast<T*>(operands.scratch);
    run_parts(pool, sums_, [&](int64_t part) {
      T* sum = sums + part * sum_count_;
      std::fill(sum, sum + count_, T(0));
      const int64_t last = part_begin(pass_.items, part + 1, sums_);
      for (int64_t i = part_begin(pass_.items, part, sums_); i < last; ++i)
        run_item(i, operands, sums + sums_ * sum_count_ + part * scratch_count_, sum);
    });
    add_sums(sums, sums_, sum_count_, static_cast<T*>(operands.out[0]), count_, pool);
    return {};
  }

 private:
  void run_item(int64_t number, const Operands& operands, T* scratch, T* sum) const {
    const Item item(pass_, number);
    DepthwiseRow<T> row =
        source_.first_row(pass_, item, static_cast<const T*>(operands.in[0]), scratch);
    const int64_t first = (item.volume * result_.planes + item.plane) * result_.rows + item.row;
    const T* g = static_cast<const T*>(operands.in[1]) + first * result_.columns * channels_;
    for (int64_t i = 0; i < item.rows; ++i, row.row += pass_.rows.input_step) {
      row.rows = source_.row_taps(pass_, item, i);
      functions_of<T>().add_products(row, g + i * result_.columns * channels_, sum);
    }
  }

  Source<T> source_;
  Extent result_;
  Pass pass_;
  int64_t channels_, count_;
  int64_t sums_ = 1, sum_count_ = 0, scratch_count_ = 0;
};

}  // namespace

std::unique_ptr<Step> bind_depthwise(Binding& binding, const ConvShape& shape, bool backward) {
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return std::make_unique<DepthwiseStep<float>>(binding, shape, backward);
    case DType::kFloat64: return std::make_unique<DepthwiseStep<double>>(binding, shape, backward);
    default: throw Error(ErrorCode::kDtype, "[conv] float32 or float64 is required.");
  }
}

std::unique_ptr<Step> bind_depthwise_grad_kernel(Binding& binding, const ConvShape& shape) {
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return std::make_unique<DepthwiseKernelGradStep<float>>(binding, shape);
    case DType::kFloat64: return std::make_unique<DepthwiseKernelGradStep<double>>(binding, shape);
    default: throw Error(ErrorCode::kDtype, "[conv_grad_kernel] float32 or float64 is required.");
  }
}

}  // namespace symk::cpu
