// Binds convolutions in groups of few channels, depthwise ones first, and their gradients. An item
// is some rows of one plane of results; in a gradient by the input it takes the rows of all
// remainders of the strides, so that what it reads and writes is still in a cache.
#include "cpu/depthwise_step.h"

#include "cpu/depthwise.h"
#include "cpu/dispatch.h"
#include "cpu/epilogue_operands.h"

namespace symk::cpu {
namespace {

constexpr int64_t kNarrow = 8;    // lanes of a group from which a product for each is faster
constexpr int64_t kDeepest = 32;  // channels of a group that are worth copying
constexpr int64_t kNearBytes = 32 << 10;   // of the first cache
constexpr int64_t kCopyBytes = 192 << 10;  // of copies of an item: some of the second cache
constexpr int64_t kFarBytes = 2048 << 10;  // more than the second caches of two cores
constexpr int64_t kLeastRows = 8;          // of an item: neighbours read some of the same rows
constexpr int64_t kDepthwiseFlops = 1 << 18;  // worth a part: far from the limit of multiply-adds
constexpr int64_t kFewReads = 3;           // of a pixel from L2 that cost less than a copy

template <class T>
const DepthwiseFunctions<T>& functions_of();
template <>
const DepthwiseFunctions<float>& functions_of<float>() {
  return kernels<DepthwiseKernels>().float32;
}
template <>
const DepthwiseFunctions<double>& functions_of<double>() {
  return float64_kernels<DepthwiseKernels>().float64;
}

TapRange range_of(const AxisPass& pass) { return {pass.taps.data(), pass.tap_count()}; }

/// What gathers: the channels of results, and those of the source that each sees.
struct Lanes {
  int64_t count, width, depth;

  Lanes(const ConvShape& shape, bool backward)
      : count(backward ? shape.in_channels() : shape.out_channels()),
        width(backward ? shape.in : shape.out), depth(backward ? shape.out : shape.in) {}

  int64_t source_channels() const { return width == 0 ? 0 : count / width * depth; }
};

/// One pass over all axes, with what a row of its taps looks like to a lane.
struct Pass : VolumePass {
  std::vector<LaneTap> lane_taps;
  int64_t copied_lanes = 0, scratch_count = 0;

  explicit Pass(const VolumePass& pass) : VolumePass(pass) {}
};

/// The passes of a convolution, or of its gradient by the input, cut into items.
template <class T>
class Passes {
 public:
  Passes(const ConvShape& shape, bool backward)
      : lanes_(shape, backward), kernel_rows_(shape.rows.kernel),
        kernel_columns_(shape.columns.kernel), batch_(shape.batch) {
    const Extent x = {shape.planes.x, shape.rows.x, shape.columns.x};
    const Extent y = {shape.planes.y, shape.rows.y, shape.columns.y};
    source_ = backward ? y : x;
    result_ = backward ? x : y;
    for (const VolumePass& pass : volume_passes(shape, backward)) {
      passes_.emplace_back(pass);
      planes_ = std::max(planes_, pass.planes.count);
      rows_ = std::max(rows_, pass.rows.count);
    }
    cut();
    for (Pass& pass : passes_) lay_out(pass);
    const int64_t pixels = result_.planes * result_.rows * result_.columns;
    const int64_t count = batch_ * pixels * lanes_.count;
    const int64_t source_count =
        batch_ * source_.planes * source_.rows * source_.columns * lanes_.source_channels();
    is_far_ = (count + source_count) * static_cast<int64_t>(sizeof(T)) > kFarBytes;
    const int64_t work = std::max(2 * count * shape.taps() * lanes_.depth / kDepthwiseFlops,
                                  count / kPartElements);
    parts_ = clamp(work, 1, std::min(kMaxParts, std::max<int64_t>(1, items_)));
  }

  const Lanes& lanes() const { return lanes_; }
  int64_t items() const { return items_; }
  int64_t parts() const { return parts_; }

  /// Elements of the scratch of a part, and of the list of taps in front of it.
  int64_t part_count() const { return list_count_ + scratch_count_; }

  /// Calls visit(job, place, row, pixel) for each pass of an item, where `place` is that of its
  /// first result and the others are the elements from one row and pixel of results to the next.
  template <class F>
  void visit(int64_t item, const T* x, T* scratch, F&& visit) const {
    const int64_t block = item % blocks_, plane = item / blocks_ % planes_;
    const int64_t volume = item / blocks_ / planes_;
    for (const Pass& pass : passes_) {
      const int64_t first = block * rows_per_item_;
      const int64_t last = std::min(first + rows_per_item_, pass.rows.count);
      if (plane >= pass.planes.count || first >= last || pass.columns.count == 0) continue;
      const int64_t y_plane = pass.planes.first + plane * pass.planes.step;
      const int64_t y_row = pass.rows.first + first * pass.rows.step;
      const int64_t place =
          (((volume * result_.planes + y_plane) * result_.rows + y_row) * result_.columns +
           pass.columns.first) *
          lanes_.count;
      visit(job_of(pass, volume, plane, first, last, x, scratch), place,
            pass.rows.step * result_.columns * lanes_.count, pass.columns.step * lanes_.count);
    }
  }

 private:
  /// Into blocks of rows: some items for each part, if they have enough rows.
  void cut() {
    const int64_t all = batch_ * planes_ * rows_;
    rows_per_item_ =
        clamp(divide_up(all, kMaxParts), std::min(kLeastRows, divide_up(rows_, 2)), rows_);
    for (const Pass& pass : passes_) {
      const int64_t copied = copied_lanes(pass);
      if (copied == 0) continue;
      const int64_t row = copied_row(pass, copied) * std::max<int64_t>(1, pass.planes.reach()) *
                          static_cast<int64_t>(sizeof(T));
      const int64_t fit =
          (kCopyBytes / std::max<int64_t>(1, row) - pass.rows.reach()) / pass.rows.input_step + 1;
      rows_per_item_ = clamp(fit, 1, rows_per_item_);
    }
    blocks_ = divide_up(rows_, std::max<int64_t>(1, rows_per_item_));
    rows_per_item_ = divide_up(rows_, std::max<int64_t>(1, blocks_));
    items_ = lanes_.count == 0 ? 0 : batch_ * planes_ * blocks_;
  }

  /// How many lanes are copied at once; none where pixels are read in place: each lane sees its own
  /// channel, and what a block of results sees fits the first cache or is read a few times only.
  int64_t copied_lanes(const Pass& pass) const {
    const auto& functions = functions_of<T>();
    const int64_t seen =
        pass.columns.span(functions.block_columns) * (pass.rows.reach() + 1) * pass.planes.reach();
    const bool near = lanes_.count * seen * static_cast<int64_t>(sizeof(T)) <= kNearBytes ||
                      pass.rows.tap_count() * pass.planes.tap_count() <= kFewReads;
    if (lanes_.width == 1 && lanes_.depth == 1 && near) return 0;
    const int64_t vectors = lanes_.depth == 1 && lanes_.count > functions.vector_lanes ? 2 : 1;
    return vectors * functions.vector_lanes;
  }

  /// Elements of the copies of one row.
  int64_t copied_row(const Pass& pass, int64_t copied) const {
    return pass.columns.span(pass.columns.count) * lanes_.depth * copied;
  }

  void lay_out(Pass& pass) {
    pass.copied_lanes = copied_lanes(pass);
    const bool copies = pass.copied_lanes > 0;
    const int64_t channel = copies ? pass.copied_lanes : lanes_.count;
    for (const ConvTap& tap : pass.columns.taps) {
      for (int64_t j = 0; j < lanes_.depth; ++j) {
        pass.lane_taps.push_back({(tap.offset * lanes_.depth + j) * channel,
                                  (tap.kernel * lanes_.depth + j) * lanes_.count});
      }
    }
    const int64_t list = pass.planes.tap_count() * pass.rows.tap_count() *
                         (static_cast<int64_t>(pass.lane_taps.size()) + lanes_.depth) *
                         static_cast<int64_t>(sizeof(LaneTap));
    list_count_ = std::max(list_count_, aligned_size(list) / static_cast<int64_t>(sizeof(T)));
    if (!copies) return;
    const int64_t rows = std::min(source_.rows, pass.rows.span(rows_per_item_));
    pass.scratch_count =
        std::min(source_.planes, pass.planes.reach()) * rows * copied_row(pass, pass.copied_lanes);
    scratch_count_ = std::max(scratch_count_, whole_lines<T>(pass.scratch_count));
  }

  LaneJob<T> job_of(const Pass& pass, int64_t volume, int64_t plane, int64_t first, int64_t last,
                    const T* x, T* scratch) const {
    LaneJob<T> job;
    job.x = x + volume * source_.planes * source_.rows * source_.columns * lanes_.source_channels();
    job.x_planes = source_.planes;
    job.x_rows = source_.rows;
    job.x_columns = source_.columns;
    job.lanes = lanes_.count;
    job.width = lanes_.width;
    job.depth = lanes_.depth;
    job.planes = range_of(pass.planes);
    job.rows = range_of(pass.rows);
    job.columns = range_of(pass.columns);
    job.adjacent = pass.columns.adjacent();
    job.lane_taps = pass.lane_taps.data();
    job.w_row = kernel_columns_ * lanes_.depth * lanes_.count;
    job.w_plane = kernel_rows_ * job.w_row;
    job.plane = plane * pass.planes.input_step;
    job.row = first * pass.rows.input_step;
    job.row_step = pass.rows.input_step;
    job.column_step = pass.columns.input_step;
    job.row_count = last - first;
    job.column_count = pass.columns.count;
    job.copied_lanes = pass.copied_lanes;
    job.all_taps = reinterpret_cast<LaneTap*>(scratch);
    job.is_far = is_far_;
    job.scratch = scratch + list_count_;
    return job;
  }

  Lanes lanes_;
  int64_t kernel_rows_, kernel_columns_, batch_;
  Extent source_, result_;
  std::vector<Pass> passes_;
  int64_t planes_ = 0, rows_ = 0, rows_per_item_ = 1, blocks_ = 0, items_ = 0, parts_ = 1;
  bool is_far_ = false;
  int64_t list_count_ = 0, scratch_count_ = 0;  // of a part
};

template <class T>
class DepthwiseStep : public Step {
 public:
  DepthwiseStep(Binding& binding, const ConvShape& shape, bool backward)
      : epilogue_(backward ? EpilogueOperands<T>() : EpilogueOperands<T>(binding, "conv")),
        passes_(shape, backward), shape_(shape) {
    turns_ = backward && shape.in * shape.out != 1;
    turned_count_ = turns_ ? whole_lines<T>(shape.taps() * shape.in * shape.out_channels()) : 0;
    binding.need_scratch(
        checked_multiply(turned_count_ + passes_.parts() * passes_.part_count(), sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    T* scratch = static_cast<T*>(operands.scratch);
    const T* w = static_cast<const T*>(operands.in[1]);
    if (turns_) w = turn(w, scratch);
    const Epilogue<T> epilogue = epilogue_.of(operands);
    run_parts(pool, passes_.parts(), [&](int64_t part) {
      const int64_t last = part_begin(passes_.items(), part + 1, passes_.parts());
      for (int64_t i = part_begin(passes_.items(), part, passes_.parts()); i < last; ++i) {
        passes_.visit(i, static_cast<const T*>(operands.in[0]),
                      scratch + turned_count_ + part * passes_.part_count(),
                      [&](const LaneJob<T>& job, int64_t place, int64_t row, int64_t pixel) {
                        functions_of<T>().gather(job, w, epilogue.at(0, place),
                                                 static_cast<T*>(operands.out[0]) + place, row,
                                                 pixel);
                      });
      }
    });
    return {};
  }

 private:
  /// The weights as the gradient by the input gathers them: in and out trade places in each group.
  const T* turn(const T* w, T* to) const {
    T* next = to;
    for (int64_t tap = 0; tap < shape_.taps(); ++tap, w += shape_.in * shape_.out_channels()) {
      for (int64_t o = 0; o < shape_.out; ++o) {
        for (int64_t group = 0; group < shape_.groups; ++group) {
          for (int64_t i = 0; i < shape_.in; ++i)
            *next++ = w[i * shape_.out_channels() + group * shape_.out + o];
        }
      }
    }
    return to;
  }

  EpilogueOperands<T> epilogue_;
  Passes<T> passes_;
  ConvShape shape_;
  bool turns_ = false;
  int64_t turned_count_ = 0;
};

/// Items are cut into fixed sums, which are added in order at the end.
template <class T>
class DepthwiseKernelGradStep : public Step {
 public:
  DepthwiseKernelGradStep(Binding& binding, const ConvShape& shape)
      : passes_(shape, false), count_(shape.taps() * shape.in * shape.out_channels()),
        sum_count_(whole_lines<T>(count_)) {
    binding.need_scratch(
        checked_multiply(passes_.parts() * (sum_count_ + passes_.part_count()), sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    T* sums = static_cast<T*>(operands.scratch);
    T* copies = sums + passes_.parts() * sum_count_;
    run_parts(pool, passes_.parts(), [&](int64_t part) {
      T* sum = sums + part * sum_count_;
      std::fill(sum, sum + count_, T(0));
      const int64_t last = part_begin(passes_.items(), part + 1, passes_.parts());
      for (int64_t i = part_begin(passes_.items(), part, passes_.parts()); i < last; ++i) {
        passes_.visit(i, static_cast<const T*>(operands.in[0]),
                      copies + part * passes_.part_count(),
                      [&](const LaneJob<T>& job, int64_t place, int64_t, int64_t) {
                        functions_of<T>().add_products(
                            job, static_cast<const T*>(operands.in[1]) + place, sum);
                      });
      }
    });
    add_sums(sums, passes_.parts(), sum_count_, static_cast<T*>(operands.out[0]), count_, pool);
    return {};
  }

 private:
  Passes<T> passes_;
  int64_t count_, sum_count_;
};

}  // namespace

bool has_narrow_groups(const ConvShape& shape, bool backward) {
  const int64_t width = backward ? shape.in : shape.out, depth = backward ? shape.out : shape.in;
  return shape.groups > 1 && width > 0 && width < kNarrow && depth > 0 && depth <= kDeepest;
}

[[gnu::cold]] std::unique_ptr<Step> bind_depthwise(Binding& binding, const ConvShape& shape,
                                                   bool backward) {
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return std::make_unique<DepthwiseStep<float>>(binding, shape, backward);
    case DType::kFloat64: return std::make_unique<DepthwiseStep<double>>(binding, shape, backward);
    default: throw Error(ErrorCode::kDtype, "[conv] float32 or float64 is required.");
  }
}

[[gnu::cold]] std::unique_ptr<Step> bind_depthwise_grad_kernel(Binding& binding,
                                                               const ConvShape& shape) {
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return std::make_unique<DepthwiseKernelGradStep<float>>(binding, shape);
    case DType::kFloat64: return std::make_unique<DepthwiseKernelGradStep<double>>(binding, shape);
    default: throw Error(ErrorCode::kDtype, "[conv_grad_kernel] float32 or float64 is required.");
  }
}

}  // namespace symk::cpu
