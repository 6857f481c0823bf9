// Binds `conv2d_grad_kernel`: for each kernel row, products of input pixels (channels, and columns
// of the kernel if they are adjacent) with gradients, summed over output positions. The positions
// are cut by shape into fixed sums, which are added in order at the end.
#include <memory>
#include <string>
#include <vector>

#include "cpu/conv.h"
#include "cpu/conv_geometry.h"
#include "cpu/dispatch.h"
#include "runtime/memory.h"

namespace symk::cpu {
namespace {

constexpr int64_t kSumCount =
    1 << 20;  // elements of all partial sums together, unless one alone has more
constexpr int64_t kItemPixels =
    256;  // so that loading and storing sums is small beside the products

template <class T>
class KernelGradStep : public Step {
 public:
  KernelGradStep(Binding& binding, const ConvShape& shape, const ConvFunctions<T>& functions)
      : shape_(shape), functions_(functions) {
    const ConvAxis &rows = shape.rows, &columns = shape.columns;
    count_ = rows.kernel * columns.kernel * shape.in * shape.out;
    panels_ = divide_up(shape.out, functions_.tile_columns);
    strip_.channels = shape.in;
    strip_.pixel = shape.in;
    strip_.first_column = -columns.before;
    strip_.width = columns.y > 0 ? (columns.y - 1) * columns.stride +
                                       (columns.kernel - 1) * columns.dilation + 1
                                 : 0;
    merged_ = columns.dilation == 1;
    cut();
    const int64_t strip_count = images_per_item_ * strip_rows(rows_per_item_) * strip_.row();
    const int64_t packed_count = panels_ * item_pixels() * functions_.tile_columns;
    strip_count_ = divide_up(strip_count, kAlignment) * kAlignment;
    packed_count_ = divide_up(packed_count, kAlignment) * kAlignment;
    sum_count_ = divide_up(count_, kAlignment) * kAlignment;
    for (int64_t image = 0; image < images_per_item_; ++image) {
      for (int64_t row = 0; row < rows_per_item_; ++row) {
        taps_.push_back(image * strip_rows(rows_per_item_) * strip_.row() +
                        row * rows.stride * strip_.row());
      }
    }
    const int64_t sums = sums_ > 1 ? sums_ * sum_count_ : 0;
    binding.need_scratch(
        checked_multiply(sums + sums_ * groups_ * (strip_count_ + packed_count_), sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    const T* x = static_cast<const T*>(operands.in[0]);
    const T* g = static_cast<const T*>(operands.in[1]);
    T* w = static_cast<T*>(operands.out[0]);
    T* sums = sums_ > 1 ? static_cast<T*>(operands.scratch) : w;
    T* own = static_cast<T*>(operands.scratch) + (sums_ > 1 ? sums_ * sum_count_ : 0);
    if (items_ == 0) {
      std::fill(w, w + count_, T(0));
      return {};
    }
    run_parts(pool, sums_ * groups_, [&](int64_t part) {
      T* strip = own + part * (strip_count_ + packed_count_);
      const int64_t sum = part / groups_;
      const int64_t first = items_ * sum / sums_, last = items_ * (sum + 1) / sums_;
      for (int64_t item = first; item < last; ++item) {
        run_item(item, part % groups_, item > first, x, g, strip, sums + sum * sum_count_);
      }
    });
    if (sums_ > 1) add_sums(sums, w, pool);
    return {};
  }

 private:
  int64_t strip_rows(int64_t rows) const {
    return rows == 0 ? 0
                     : (rows - 1) * shape_.rows.stride +
                           (shape_.rows.kernel - 1) * shape_.rows.dilation + 1;
  }
  int64_t item_pixels() const { return images_per_item_ * rows_per_item_ * shape_.columns.y; }

  /// An item is some rows of an image, or some whole images. Sums take equal numbers of items;
  /// panels are cut between groups where there are few sums.
  void cut() {
    const int64_t rows = shape_.rows.y, columns = shape_.columns.y;
    if (rows == 0 || columns == 0 || shape_.batch == 0 || count_ == 0) return;
    rows_per_item_ = std::min(rows, divide_up(kItemPixels, columns));
    const int64_t blocks = divide_up(rows, rows_per_item_);
    rows_per_item_ = divide_up(rows, blocks);
    blocks_ = divide_up(rows, rows_per_item_);
    images_per_item_ =
        blocks_ > 1 ? 1 : std::min(shape_.batch, divide_up(kItemPixels, rows * columns));
    items_ = divide_up(shape_.batch, images_per_item_) * blocks_;
    const int64_t flops = 2 * shape_.batch * rows * columns * count_;
    const int64_t parts = std::max<int64_t>(1, std::min(kMaxParts, flops / kPartFlops));
    sums_ = std::max<int64_t>(1, std::min({parts, items_, kSumCount / count_}));
    groups_ = std::max<int64_t>(1, std::min(panels_, divide_up(parts, sums_)));
  }

  void run_item(int64_t item, int64_t group, bool accumulate, const T* x, const T* g, T* strip,
                T* sum) const {
    const ConvAxis &rows = shape_.rows, &columns = shape_.columns;
    const int64_t first_image = item / blocks_ * images_per_item_;
    const int64_t images = std::min(images_per_item_, shape_.batch - first_image);
    const int64_t first_row = item % blocks_ * rows_per_item_;
    const int64_t count = std::min(rows_per_item_, rows.y - first_row);
    const int64_t pixels = images * count * columns.y;
    const int64_t first_panel = panels_ * group / groups_,
                  last_panel = panels_ * (group + 1) / groups_;
    T* packed = strip + strip_count_;
    const int64_t panel_step = item_pixels() * functions_.tile_columns;
    for (int64_t i = 0; i < images; ++i) {
      const T* image = x + (first_image + i) * rows.x * columns.x * shape_.in;
      const int64_t from = first_row * rows.stride - rows.before;
      strip_.copy(image, rows.x, columns.x, from, strip_rows(count),
                  strip + i * strip_rows(rows_per_item_) * strip_.row());
    }
    const T* g_item = g + (first_image * rows.y + first_row) * columns.y * shape_.out;
    TapJob<T> job;
    const int64_t first_column = first_panel * functions_.tile_columns;
    job.a_block = rows.dilation * strip_.row();
    job.a_row = 1;
    job.a_depth = columns.stride * strip_.pixel;
    job.taps = taps_.data();
    job.tap_count = images * count;
    job.depth = columns.y;
    job.b = packed + first_panel * panel_step;
    job.panel_step = panel_step;
    job.c_block = columns.kernel * shape_.in * shape_.out;
    job.c_row = shape_.out;
    job.blocks = rows.kernel;
    job.n = std::min(shape_.out, last_panel * functions_.tile_columns) - first_column;
    functions_.pack(g_item + first_column, shape_.out, 1, pixels, job.n,
                    packed + first_panel * panel_step, panel_step);
    job.m = (merged_ ? columns.kernel : 1) * shape_.in;
    job.accumulate = accumulate;
    job.epilogue = Epilogue<T>();
    for (int64_t k = 0; k < (merged_ ? 1 : columns.kernel); ++k) {
      job.a = strip + k * columns.dilation * strip_.pixel;
      job.c = sum + k * shape_.in * shape_.out + first_column;
      functions_.run(job);
    }
  }

  void add_sums(const T* sums, T* w, ThreadPool& pool) const {
    const int64_t parts = std::max<int64_t>(1, std::min(kMaxParts, count_ * sums_ / (1 << 16)));
    run_parts(pool, parts, [&](int64_t part) {
      const int64_t first = count_ * part / parts, last = count_ * (part + 1) / parts;
      std::copy(sums + first, sums + last, w + first);
      for (int64_t i = 1; i < sums_; ++i) {
        const T* next = sums + i * sum_count_;
        for (int64_t j = first; j < last; ++j) w[j] += next[j];
      }
    });
  }

  ConvShape shape_;
  const ConvFunctions<T>& functions_;
  Strip strip_;
  bool merged_ = false;
  std::vector<int64_t> taps_;
  int64_t panels_ = 0, count_ = 0, items_ = 0, blocks_ = 1, sums_ = 1, groups_ = 1;
  int64_t images_per_item_ = 0, rows_per_item_ = 0;
  int64_t strip_count_ = 0, packed_count_ = 0, sum_count_ = 0;
};

std::unique_ptr<Step> bind_conv2d_grad_kernel(Binding& binding) {
  constexpr const char* name = "conv2d_grad_kernel";
  const auto& in = binding.inputs();
  if (in.size() != 2 || binding.outputs().size() != 1) {
    throw Error(ErrorCode::kArgument, "[conv2d_grad_kernel] x, g and one result are required.");
  }
  ConvShape shape = read_conv_shape(binding, name, in[0], binding.outputs()[0], in[1]);
  join_pixels(shape);
  const auto& table = kernels<ConvKernels>();
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32:
      return std::make_unique<KernelGradStep<float>>(binding, shape, table.float32);
    case DType::kFloat64:
      return std::make_unique<KernelGradStep<double>>(binding, shape, table.float64);
    default: throw Error(ErrorCode::kDtype, "[conv2d_grad_kernel] float32 or float64 is required.");
  }
}

const KernelEntry entry("conv2d_grad_kernel", bind_conv2d_grad_kernel);

}  // namespace
}  // namespace symk::cpu
